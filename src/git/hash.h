/* The name git gives to bytes: SHA-1 over a blob's header and content, collisions detected. */
#pragma once

#include "model/oid.h"

#include <stddef.h>

/* Writes the blob id of data. git_setup() was called. */
void hash_blob(const void *data, size_t size, char ret[OID_HEX_SIZE]);
