/*
 * Trees written out as files, and files hashed back into trees. Attributes and filters play no
 * part.
 */
#pragma once

#include "git/repo.h"

#include <stdint.h>

/* The most a tree may hold; what an import lets in is within it. */
#define TREE_MAX_FILES 200000
#define TREE_MAX_BYTES (1u << 30)
#define TREE_MAX_BLOB_BYTES (16u << 20)
#define TREE_MAX_DEPTH 64
#define TREE_MAX_PATH 1024

/* Files and symlinks, and the bytes in them. */
struct checkout_count {
	uint64_t files, bytes;
};

/*
 * Writes the tree of a commit into the empty directory dir_fd: files 0644 or 0755 less the
 * umask, symlinks as they are, names taken from the tree one component at a time (openat,
 * O_NOFOLLOW). -E2BIG past the limits above, -EINVAL for a name or mode that has no place on
 * disk. What was written before a failure stays.
 */
int checkout_tree(struct repo *repo, const char *commit, int dir_fd, struct checkout_count *ret,
		  struct error *err);

/*
 * The tree id a directory has by content, modes (executable or not) and symlinks. Special files
 * and empty directories are -EINVAL; the same limits. Needs no repository, only git_setup().
 */
int checkout_hash(int dir_fd, char ret[OID_HEX_SIZE], struct checkout_count *ret_count,
		  struct error *err);

/* The same for a work tree, whose .git is no part of it. */
int checkout_hash_work(int dir_fd, char ret[OID_HEX_SIZE], struct checkout_count *ret_count,
		       struct error *err);
