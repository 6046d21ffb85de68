/* The risk scan: what an operator must be warned of between the deployed commit and a proposed
 * one. */
#include "git/risk.h"

#include "base/buf.h"
#include "base/json.h"
#include "git/changes.h"
#include "git/checkout.h"
#include "git/diff.h"
#include "git/risk_manifest.h"
#include "git/risk_text.h"
#include "git/risk_tree.h"

#include <string.h>
#include <strings.h>

#define READ_MAX_BYTES                                                        \
	(256u << 20) /* of changed files; what is past it counts as not shown \
		      */
#define LFS_POINTER_MAX_BYTES 1024

struct scan {
	struct repo *repo;
	struct flags *flags;
	bool has_base;
	uint64_t left_bytes;
};

static const char *basename_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_lfs_pointer(const char *data, size_t size)
{
	static const char *const starts[] = {
		"version https://git-lfs.github.com/spec/",
		"version https://hawser.github.com/spec/",
	};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (size <= LFS_POINTER_MAX_BYTES && size > strlen(starts[i]) &&
		    memcmp(data, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

/* What the names and modes of a change say. */
static void look_at_change(struct scan *s, const struct change *change)
{
	const char *name = basename_of(change->path);

	if (strcasecmp(name, ".gitattributes") == 0)
		flags_add(s->flags, FLAG_ATTRIBUTES_CHANGED, change->path);
	if (s->has_base && strcmp(change->path, "flake.nix") == 0)
		flags_add(s->flags, FLAG_FLAKE_CHANGED, change->path);
	if (s->has_base && strcmp(name, "flake.lock") == 0)
		flags_add(s->flags, FLAG_LOCK_MOVED, change->path);
	if (change->old_mode && change->new_mode && change->old_mode != change->new_mode)
		flags_add(s->flags, FLAG_MODE_CHANGED, change->path);
	if (!change->old_mode)
		risk_name(change->path, s->flags);
}

/* What its content says. */
static int read_change(struct scan *s, const struct change *change, struct error *err)
{
	_cleanup_(git_odb_object_freep) git_odb_object *old = NULL, *new = NULL;
	uint64_t bytes = change->old_bytes + change->new_bytes;
	const char *data;
	size_t size;
	int r;

	if (bytes > s->left_bytes) {
		flags_add(s->flags, FLAG_LARGE_DIFF, change->path);
		return 0;
	}
	s->left_bytes -= bytes;
	r = change_read(s->repo, &change->new_id, change->new_bytes, TREE_MAX_BLOB_BYTES, &new,
			err);
	if (r == 0)
		r = change_read(s->repo, &change->old_id, change->old_bytes,
				TREE_MAX_BLOB_BYTES, &old, err);
	if (r < 0)
		return r;
	if (!new) {
		flags_add(s->flags, FLAG_LARGE_DIFF, change->path);
		return 0;
	}
	data = git_odb_object_data(new);
	size = git_odb_object_size(new);
	if (is_lfs_pointer(data, size))
		flags_add(s->flags, FLAG_LFS_POINTER, change->path);
	if (change_is_binary(data, size))
		flags_add(s->flags, FLAG_BINARY_FILE, change->path);
	else
		risk_text(change->path, old ? git_odb_object_data(old) : NULL,
			  old ? git_odb_object_size(old) : 0, data, size, s->flags);
	return 0;
}

static int scan_changes(struct scan *s, const char *base, const char *commit, struct error *err)
{
	_cleanup_(changes_release) struct changes changes = {};
	int r = changes_list(s->repo, base, commit, false, &changes, err);

	for (size_t i = 0; r == 0 && i < changes.count; i++) {
		const struct change *change = &changes.items[i];

		look_at_change(s, change);
		if (change->kind == CHANGE_ADDED || change->kind == CHANGE_MODIFIED)
			r = change->new_mode == GIT_FILEMODE_COMMIT
				    ? 0
				    : read_change(s, change, err);
	}
	return r;
}

/* Whatever the reviewer's page leaves out, by asking what it would show. */
static int scan_size(struct scan *s, const char *base, const char *commit, struct error *err)
{
	json_t *diff = NULL, *file;
	size_t i;
	int r = diff_compare(s->repo, base, commit, &diff_limits_default, &diff, err);

	if (r < 0)
		return r;
	json_array_foreach (json_object_get(diff, "files"), i, file) {
		if (json_is_true(json_object_get(file, "too_large")) ||
		    json_is_true(json_object_get(file, "truncated")))
			flags_add(s->flags, FLAG_LARGE_DIFF,
				  json_string_value(json_object_get(file, "path")));
	}
	if (json_array_size(json_object_get(diff, "files")) !=
	    (size_t)json_integer_value(json_object_get(diff, "files_total")))
		flags_add(s->flags, FLAG_LARGE_DIFF, "");
	json_decref(diff);
	return 0;
}

static int scan_commit(struct scan *s, const char *hex, git_oid *ret_tree, struct error *err)
{
	_cleanup_(git_commit_freep) git_commit *commit = NULL;
	const char *message;
	git_oid oid;
	int r = oid_to_git(&oid, hex, err);

	if (r < 0)
		return r;
	r = git_commit_lookup(&commit, s->repo->git, &oid);
	if (r < 0)
		return git_fail(r, err, "cannot read commit %s", hex);
	message = git_commit_message_raw(commit);
	risk_text("commit message", NULL, 0, message, strlen(message), s->flags);
	git_oid_cpy(ret_tree, git_commit_tree_id(commit));
	return 0;
}

int risk_scan(struct repo *repo, const char *base, const char *commit,
	      const struct limits *current, struct flags *flags, struct error *err)
{
	struct scan s = {
		.repo = repo,
		.flags = flags,
		.has_base = base != NULL,
		.left_bytes = READ_MAX_BYTES,
	};
	bool descends = true;
	git_oid tree;
	int r = scan_commit(&s, commit, &tree, err);

	if (r == 0 && base)
		r = repo_is_ancestor(repo, base, commit, &descends, err);
	if (r < 0)
		return r;
	if (!descends)
		flags_add(flags, FLAG_HISTORY_REWRITTEN, "");
	r = risk_tree(repo, &tree, flags, err);
	if (r == 0)
		r = scan_changes(&s, base, commit, err);
	if (r == 0)
		r = risk_manifest(repo, base, commit, current, flags, err);
	if (r == 0)
		r = scan_size(&s, base, commit, err);
	return r;
}
