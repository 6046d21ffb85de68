/* SHA-256 of bytes, as text. */
#pragma once

#include <stddef.h>

#define DIGEST_SIZE 65 /* 64 lower-case hexadecimal digits and a NUL */

/* Returns out. */
char *digest_sha256(char out[DIGEST_SIZE], const void *data, size_t size);
