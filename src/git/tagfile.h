/*
 * Annotated tags of a repository that goes away, kept as files of a commit in another: byte for
 * byte, so that each tag's id can be computed from its file, while the other repository stays
 * whole for git (no reference to an object that is not there).
 */
#pragma once

#include "git/tag.h"

/*
 * Adds every annotated tag of <from>/.git to the commit that ref names in to (made when
 * missing). Tags that are there already are kept once.
 */
int tagfile_keep(const char *from, struct repo *to, const char *ref, int64_t wall_s,
		 struct error *err);

/*
 * Calls fn for each kept tag with its reference name ("refs/tags/deployed/3") and id. tag is
 * borrowed. Non-zero ends it with that.
 */
typedef int (*tagfile_fn)(const char *name, const char *oid, const struct tag *tag, void *data);
int tagfile_each(struct repo *repo, const char *ref, tagfile_fn fn, void *data,
		 struct error *err);
