/* Commits made in-process without a work tree, and single files read from a tree. */
#include "git/commit.h"

#include "git/blob.h"
#include "git/internal.h"
#include "git/tag.h"

#include <errno.h>
#include <string.h>

#define MAX_LOG_MESSAGE 65536

static int find_commit(struct repo *repo, const char *hex, git_commit **ret, struct error *err)
{
	git_oid oid;
	int r = oid_to_git(&oid, hex, err);

	if (r < 0)
		return r;
	r = git_commit_lookup(ret, repo->git, &oid);
	if (r == GIT_ENOTFOUND)
		return error_set(err, ENOENT, "no commit %s in '%s'", hex, repo->dir);
	if (r < 0)
		return git_fail(r, err, "cannot read commit %s", hex);
	return 0;
}

static int write_commit(struct repo *repo, const git_tree *tree, const git_commit *parent,
			const char *message, int64_t wall_s, char ret[OID_HEX_SIZE],
			struct error *err)
{
	_cleanup_(git_signature_freep) git_signature *identity = NULL;
	const git_commit *parents[] = {parent};
	git_oid oid;
	int r;

	if (!text_is_utf8(message, strlen(message)))
		return error_set(err, EINVAL, "the commit message is not UTF-8");
	r = git_signature_new(&identity, GIT_IDENTITY_NAME, GIT_IDENTITY_MAIL, wall_s, 0);
	if (r == 0)
		r = git_write_commit(&oid, repo->git, identity, message, tree, parent ? 1 : 0,
				     parents);
	if (r < 0)
		return git_fail(r, err, "cannot write a commit in '%s'", repo->dir);
	oid_from_git(ret, &oid);
	return 0;
}

static git_filemode_t mode_of(const struct commit_file *file)
{
	return file->symlink      ? GIT_FILEMODE_LINK
	       : file->executable ? GIT_FILEMODE_BLOB_EXECUTABLE
				  : GIT_FILEMODE_BLOB;
}

/* Whether a file is there already; by its id, so that what is there need not be read. */
static bool is_same(const git_tree_entry *entry, const struct commit_file *file,
		    const git_oid *id)
{
	return entry && git_tree_entry_filemode(entry) == mode_of(file) &&
	       git_oid_equal(id, git_tree_entry_id(entry));
}

/* Adds what one file changes to the list: nothing when it is there already, or is to be removed
 * and is not. */
static int add_update(struct repo *repo, git_tree *base, const struct commit_file *file,
		      git_tree_update *updates, size_t *n, struct error *err)
{
	_cleanup_(git_tree_entry_freep) git_tree_entry *entry = NULL;
	git_tree_update *update = &updates[*n];
	int r = base ? git_tree_entry_bypath(&entry, base, file->path) : GIT_ENOTFOUND;

	if (r < 0 && r != GIT_ENOTFOUND)
		return git_fail(r, err, "cannot look for '%s'", file->path);
	if (file->data)
		blob_name(file->data, file->size, &update->id);
	if (file->data ? is_same(entry, file, &update->id) : !entry)
		return 0;
	update->path = file->path;
	if (file->data) {
		update->action = GIT_TREE_UPDATE_UPSERT;
		update->filemode = mode_of(file);
		r = blob_write(repo, &update->id, file->data, file->size, err);
		if (r < 0)
			return error_prefix(err, "'%s'", file->path);
	} else {
		update->action = GIT_TREE_UPDATE_REMOVE;
		update->filemode = git_tree_entry_filemode(entry);
	}
	(*n)++;
	return 0;
}

/* always: also when no file changes */
static int write_files(struct repo *repo, const char *parent, const struct commit_file *files,
		       size_t n_files, bool always, const char *message, int64_t wall_s,
		       char ret[OID_HEX_SIZE], struct error *err)
{
	_cleanup_free_ git_tree_update *updates = mem_new(n_files, sizeof(*updates));
	_cleanup_(git_commit_freep) git_commit *base_commit = NULL;
	_cleanup_(git_tree_freep) git_tree *base = NULL, *tree = NULL;
	size_t n = 0;
	git_oid oid;
	int r = 0;

	if (parent) {
		r = find_commit(repo, parent, &base_commit, err);
		if (r < 0)
			return r;
		r = git_commit_tree(&base, base_commit);
		if (r < 0)
			return git_fail(r, err, "cannot read the tree of commit %s", parent);
	}
	for (size_t i = 0; i < n_files; i++) {
		r = add_update(repo, base, &files[i], updates, &n, err);
		if (r < 0)
			return r;
	}
	if (parent && n == 0 && !always) {
		memcpy(ret, parent, OID_HEX_SIZE);
		return 0;
	}
	r = git_tree_create_updated(&oid, repo->git, base, n, updates);
	if (r == 0)
		r = git_tree_lookup(&tree, repo->git, &oid);
	if (r < 0)
		return git_fail(r, err, "cannot write a tree in '%s'", repo->dir);
	return write_commit(repo, tree, base_commit, message, wall_s, ret, err);
}

int commit_files(struct repo *repo, const char *parent, const struct commit_file *files,
		 size_t n_files, const char *message, int64_t wall_s, char ret[OID_HEX_SIZE],
		 struct error *err)
{
	return write_files(repo, parent, files, n_files, true, message, wall_s, ret, err);
}

int commit_changes(struct repo *repo, const char *parent, const struct commit_file *files,
		   size_t n_files, const char *message, int64_t wall_s, char ret[OID_HEX_SIZE],
		   struct error *err)
{
	return write_files(repo, parent, files, n_files, false, message, wall_s, ret, err);
}

int commit_tree(struct repo *repo, const char *tree, const char *parent, const char *message,
		int64_t wall_s, char ret[OID_HEX_SIZE], struct error *err)
{
	_cleanup_(git_commit_freep) git_commit *base = NULL;
	_cleanup_(git_tree_freep) git_tree *found = NULL;
	git_oid oid;
	int r = find_commit(repo, parent, &base, err);

	if (r == 0)
		r = oid_to_git(&oid, tree, err);
	if (r < 0)
		return r;
	r = git_tree_lookup(&found, repo->git, &oid);
	if (r == GIT_ENOTFOUND)
		return error_set(err, ENOENT, "no tree %s in '%s'", tree, repo->dir);
	if (r < 0)
		return git_fail(r, err, "cannot read tree %s", tree);
	return write_commit(repo, found, base, message, wall_s, ret, err);
}

int commit_read_file(struct repo *repo, const char *commit, const char *path, size_t max,
		     struct buf *ret, struct error *err)
{
	_cleanup_(git_commit_freep) git_commit *found = NULL;
	_cleanup_(git_tree_freep) git_tree *tree = NULL;
	_cleanup_(git_tree_entry_freep) git_tree_entry *entry = NULL;
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	_cleanup_(git_odb_object_freep) git_odb_object *blob = NULL;
	git_object_t type;
	git_filemode_t mode;
	size_t size;
	int r = find_commit(repo, commit, &found, err);

	if (r < 0)
		return r;
	r = git_commit_tree(&tree, found);
	if (r == 0)
		r = git_repository_odb(&odb, repo->git);
	if (r < 0)
		return git_fail(r, err, "cannot read the tree of commit %s", commit);
	r = git_tree_entry_bypath(&entry, tree, path);
	if (r == GIT_ENOTFOUND)
		return error_set(err, ENOENT, "no file '%s' in commit %.12s", path, commit);
	if (r < 0)
		return git_fail(r, err, "cannot look for '%s'", path);
	mode = git_tree_entry_filemode(entry);
	if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE)
		return error_set(err, EINVAL, "'%s' in commit %.12s is not a file", path,
				 commit);
	r = git_odb_read_header(&size, &type, odb, git_tree_entry_id(entry));
	if (r == 0 && size > max)
		return error_set(err, E2BIG, "'%s' in commit %.12s is larger than %zu bytes",
				 path, commit, max);
	if (r == 0)
		r = git_odb_read(&blob, odb, git_tree_entry_id(entry));
	if (r < 0)
		return git_fail(r, err, "cannot read '%s' of commit %.12s", path, commit);
	buf_release(ret);
	buf_add(ret, git_odb_object_data(blob), git_odb_object_size(blob));
	return 0;
}

int commit_log(struct repo *repo, const char *tip, size_t max, commit_log_fn fn, void *data,
	       struct error *err)
{
	_cleanup_(git_commit_freep) git_commit *commit = NULL;
	char hex[OID_HEX_SIZE];
	int r = max > 0 ? find_commit(repo, tip, &commit, err) : 0;

	for (size_t shown = 0; r == 0 && shown < max; shown++) {
		_cleanup_free_ char *message =
			text_clean_dup(git_commit_message(commit), MAX_LOG_MESSAGE, true);
		git_commit *parent = NULL;

		oid_from_git(hex, git_commit_id(commit));
		r = fn(hex, git_commit_time(commit), message, data);
		if (r || git_commit_parentcount(commit) == 0)
			return r;
		r = git_commit_parent(&parent, commit, 0);
		if (r < 0)
			return git_fail(r, err, "cannot read the parent of commit %s", hex);
		git_commit_free(commit);
		commit = parent;
	}
	return r;
}
