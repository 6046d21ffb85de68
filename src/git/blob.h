/* Blobs of our own content: named, and written where they are not there yet. */
#pragma once

#include "git/internal.h"

/* The blob id of data. For what we made ourselves: collisions are not looked for. */
void blob_name(const void *data, size_t size, git_oid *ret);

/* Writes data as the blob of that name, on disk when it returns. One that is there is left. */
int blob_write(struct repo *repo, const git_oid *name, const void *data, size_t size,
	       struct error *err);
