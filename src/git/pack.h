/* Many objects into a repository at once, as one pack. */
#pragma once

#include "git/internal.h"

/* The most objects and bytes of content one pack may get. */
#define PACK_MAX_OBJECTS (1u << 20)
#define PACK_MAX_BYTES (256u << 20)

/*
 * Writes these objects of from into <to>/.git/objects/pack, in this order, each once; on disk
 * when it returns. They are compressed each for itself and quickly: a repack makes up for it.
 * Format: git's Documentation/gitformat-pack, version 2 of both files.
 */
int pack_write(struct repo *to, git_odb *from, const git_oid *ids, size_t n, struct error *err);
