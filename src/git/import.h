/*
 * Receiver-driven import: pulls one commit and what applied lacks out of a reader, checks all
 * of it, stores one pack.
 */
#pragma once

#include "git/repo.h"

#include <stdint.h>

/* The largest object handed out or taken. */
#define IMPORT_MAX_BLOB_BYTES (16u << 20)

/* What one proposal may add and unfold to; policy in import_limits_default. */
struct import_limits {
	uint64_t max_blob_bytes, max_new_bytes, max_commit_bytes;
	uint64_t max_new_objects, max_new_commits;
	unsigned max_parents, max_tree_depth, max_path_bytes, max_tree_entries;
	uint64_t max_files, max_expanded_bytes;
	int64_t deadline_ms;
};
extern const struct import_limits import_limits_default;

struct import_result {
	char commit[OID_HEX_SIZE];
	char tree[OID_HEX_SIZE];
	uint64_t new_objects, new_bytes;
};

/*
 * Imports wanted (full id or abbreviation of a commit) from the reader at reader_fd into
 * applied, or leaves applied untouched. -EINVAL: an object breaks a rule (the text names
 * object, path and rule); -ENOENT: an object is missing; -E2BIG: a limit; -ETIMEDOUT: the
 * deadline; -EPIPE: the reader died.
 */
int import_commit(struct repo *applied, int reader_fd, const char *wanted,
		  const struct import_limits *limits, struct import_result *ret,
		  struct error *err);
