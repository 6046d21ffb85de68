/*
 * Trees written out as files, and files hashed back into trees. Attributes and filters play no
 * part.
 */
#pragma once

#include "git/repo.h"

/*
 * Writes the tree of a commit into the empty directory dir_fd: files 0644 or 0755, symlinks as
 * they are, names taken from the tree one component at a time (openat, O_NOFOLLOW). Bounded
 * like an import.
 */
int checkout_tree(struct repo *repo, const char *commit, int dir_fd, struct error *err);

/*
 * The tree id a directory has by content, modes (executable or not) and symlinks. Special files
 * are -EINVAL.
 */
int checkout_hash(int dir_fd, char ret[OID_HEX_SIZE], struct error *err);
