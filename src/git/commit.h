/* Commits made in-process without a work tree, and single files read from a tree. */
#pragma once

#include "base/buf.h"
#include "git/repo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct commit_file {
	const char *path; /* "agents.json" or "a/b"; NULL data removes it */
	const char *data;
	size_t size;
	bool executable, symlink; /* neither: a plain file */
};

/*
 * Writes a commit object whose tree is the parent's (NULL: empty, a root commit) with the given
 * files replaced. No reference moves. ret receives the commit's id. Author and committer are
 * the controller's identity at wall_s.
 */
int commit_files(struct repo *repo, const char *parent, const struct commit_file *files,
		 size_t n_files, const char *message, int64_t wall_s, char ret[OID_HEX_SIZE],
		 struct error *err);

/* The same, but where the parent has all of it already nothing is written and ret is the
 * parent. */
int commit_changes(struct repo *repo, const char *parent, const struct commit_file *files,
		   size_t n_files, const char *message, int64_t wall_s, char ret[OID_HEX_SIZE],
		   struct error *err);

/*
 * A root commit of these files; its objects are one pack, on disk when it returns: a new
 * repository's many small files take a sync each.
 */
int commit_root(struct repo *repo, const struct commit_file *files, size_t n_files,
		const char *message, int64_t wall_s, char ret[OID_HEX_SIZE], struct error *err);

/* A commit of an existing tree with one parent. */
int commit_tree(struct repo *repo, const char *tree, const char *parent, const char *message,
		int64_t wall_s, char ret[OID_HEX_SIZE], struct error *err);

/*
 * Reads a blob by path from a commit. -ENOENT when the path is absent, -EINVAL when it is not a
 * file, -E2BIG past max.
 */
int commit_read_file(struct repo *repo, const char *commit, const char *path, size_t max,
		     struct buf *ret, struct error *err);

/*
 * One line per commit of first-parent history, newest first: called until fn returns non-zero
 * or max are shown.
 */
typedef int (*commit_log_fn)(const char *oid, int64_t wall_s, const char *message, void *data);
int commit_log(struct repo *repo, const char *tip, size_t max, commit_log_fn fn, void *data,
	       struct error *err);
