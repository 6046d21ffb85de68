/*
 * The files somebody declares a hive with, read whole and bounded before anything looks at
 * them: a directory, or a git repository at a revision. No symlink is followed.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define SOURCE_MAX_FILES 4096
#define SOURCE_MAX_BYTES (16u << 20)
#define SOURCE_MAX_FILE_BYTES (1u << 20)
#define SOURCE_MAX_DEPTH 16

struct source_file {
	char *path; /* "agents/alice.json" */
	char *data; /* NUL-terminated; of a symlink its target */
	size_t size;
	bool executable, symlink;
};

struct source {
	struct source_file *files; /* sorted by path */
	size_t n_files, n_bytes;
	char *revision; /* the commit; NULL of a directory */
};

/* Reads a directory. Names that begin with '.' at its top are left out. Blocks. */
int source_read_dir(const char *path, struct source **ret, struct error *err);

/* Reads what a commit of a repository holds, by git(1). revision is anything that names a
 * commit. Blocks. */
int source_read_git(const char *repository, const char *revision, struct source **ret,
		    struct error *err);

void source_free(struct source *source);

/* The file of this path, NULL when there is none. */
const struct source_file *source_find(const struct source *source, const char *path);

/* The first file below a directory ("agents/"), as an index; those that follow it are there
 * while source_is_below() holds. */
size_t source_first(const struct source *source, const char *directory);
bool source_is_below(const struct source *source, size_t index, const char *directory);

/* ---- for those that read ---- */

struct source *source_new(void);

/* Adds a file; data is copied. -E2BIG past a bound, naming the file. */
int source_add(struct source *source, const char *path, const void *data, size_t size,
	       bool executable, bool symlink, struct error *err);

/* Sorts what was added. */
void source_finish(struct source *source);

/* Whether a path is left out: its first part begins with '.'. */
bool source_is_hidden(const char *path);
