/* What differs between two trees, file by file, before any content is compared. */
#pragma once

#include "git/internal.h"

#include <stdint.h>

enum change_kind {
	CHANGE_ADDED,
	CHANGE_DELETED,
	CHANGE_MODIFIED, /* content, and perhaps mode */
	CHANGE_MODE,     /* the same content with another mode */
	CHANGE_RENAMED,  /* content may differ a little */
};

struct change {
	enum change_kind kind;
	const char *path; /* raw bytes; of a deleted file its old one; borrowed from the list */
	const char *old_path; /* renamed: where it was, else NULL */
	git_oid old_id, new_id;
	unsigned old_mode, new_mode; /* 0: not there */
	uint64_t old_bytes, new_bytes;
};

struct changes {
	struct change *items; /* by path */
	size_t count;
	git_diff *diff; /* owns the paths */
};

/*
 * Compares old (a commit or tree id, NULL: the empty tree) with new. With renames set, a
 * deleted and an added file of the same content become one change, and where there are few
 * changes also files of similar content. No attribute, configuration or content filter has a
 * say. The caller calls changes_release(), also after a failure.
 */
int changes_list(struct repo *repo, const char *old, const char *new, bool renames,
		 struct changes *ret, struct error *err);
void changes_release(struct changes *changes);

/*
 * A blob's bytes, or NULL in *ret when it is larger than max. The zero id is an absent file and
 * gives an empty view. The caller frees *ret with git_odb_object_free().
 */
int change_read(struct repo *repo, const git_oid *id, uint64_t bytes, uint64_t max,
		git_odb_object **ret, struct error *err);

/* Whether bytes are anything but text: they hold a NUL, or too much that no text holds. */
bool change_is_binary(const char *data, size_t size);
