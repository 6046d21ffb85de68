/*
 * A parser for the commit objects of a repository nobody vouches for: it takes a strict subset
 * of what git takes, so that no two readers of a commit see different things.
 */
#pragma once

#include "base/error.h"
#include "git/treecheck.h"

#include <stddef.h>

#define COMMIT_MAX_PARENTS 16

struct commit_ids {
	unsigned char tree[RAW_ID_SIZE];
	unsigned char parents[COMMIT_MAX_PARENTS][RAW_ID_SIZE];
	size_t n_parents;
};

/*
 * What a commit object points at. Headers: tree, parent*, author, committer in this order, then
 * at most encoding (UTF-8 only), gpgsig, gpgsig-sha256 and mergetag; a blank line; no NUL
 * anywhere. commit is its id, for the error. -EINVAL: a rule is broken; -E2BIG: more than
 * max_parents (or COMMIT_MAX_PARENTS).
 */
int commitcheck(const char *commit, const void *data, size_t size, size_t max_parents,
		struct commit_ids *ret, struct error *err);
