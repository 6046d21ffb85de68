#include "git/tagfile.h"

#include "base/cleanup.h"
#include "git/commit.h"
#include "git/internal.h"
#include "git/refs.h"

#include <errno.h>
#include <string.h>

#define PREFIX "refs/tags/"

struct keeping {
	struct repo *from;
	git_odb *odb;
	struct commit_file *files;
	size_t n_files;
	struct error *err;
};

/* A name may come back (a repository of the same name made anew), so the file's name ends in
 * the tag's id. */
static int keep_tag(const char *name, const char *oid, void *data)
{
	_cleanup_(git_odb_object_freep) git_odb_object *object = NULL;
	struct keeping *k = data;
	git_oid id;
	int r = oid_to_git(&id, oid, k->err);

	if (r < 0)
		return r;
	r = git_odb_read(&object, k->odb, &id);
	if (r < 0)
		return git_fail(r, k->err, "cannot read %s", name);
	if (git_odb_object_type(object) != GIT_OBJECT_TAG)
		return 0; /* a plain mark has nothing to keep */
	k->files = mem_grow(k->files, k->n_files + 1, sizeof(*k->files));
	k->files[k->n_files++] = (struct commit_file){
		.path = str_format("%s.%s", name + strlen(PREFIX), oid),
		.data = memcpy(mem_new(git_odb_object_size(object) + 1, 1),
			       git_odb_object_data(object), git_odb_object_size(object)),
		.size = git_odb_object_size(object),
	};
	return 0;
}

static void release(struct keeping *k)
{
	for (size_t i = 0; i < k->n_files; i++) {
		free((char *)k->files[i].path);
		free((char *)k->files[i].data);
	}
	free(k->files);
}

static int commit_kept(const struct keeping *k, struct repo *to, const char *ref,
		       int64_t wall_s, struct error *err)
{
	char old[OID_HEX_SIZE] = "", commit[OID_HEX_SIZE];
	int r = refs_read(to, ref, old, err);

	if (r < 0 && r != -ENOENT)
		return r;
	r = commit_files(to, old[0] ? old : NULL, k->files, k->n_files,
			 "keep the tags of a repository that goes\n", wall_s, commit, err);
	return r < 0 ? r : refs_move(to, ref, commit, old[0] ? old : NULL, err);
}

int tagfile_keep(const char *from, struct repo *to, const char *ref, int64_t wall_s,
		 struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	struct keeping k = {.err = err};
	int r = repo_open(from, &repo, err);

	if (r < 0)
		return r;
	r = git_repository_odb(&odb, repo->git);
	if (r < 0)
		return git_fail(r, err, "cannot open the objects of '%s'", from);
	k.from = repo;
	k.odb = odb;
	r = refs_scan(from, PREFIX, keep_tag, &k, err);
	if (r == 0 && k.n_files > 0)
		r = commit_kept(&k, to, ref, wall_s, err);
	release(&k);
	return r;
}

struct reading {
	struct repo *repo;
	tagfile_fn fn;
	void *data;
	struct error *err;
	int result;
};

static int read_one(const char *root, const git_tree_entry *entry, void *data)
{
	_cleanup_(git_blob_freep) git_blob *blob = NULL;
	_cleanup_free_ char *name = NULL;
	_cleanup_buf_ struct buf bytes = {};
	struct reading *reading = data;
	char hex[OID_HEX_SIZE];
	struct tag tag;
	git_oid id;
	char *dot;
	int r;

	if (git_tree_entry_type(entry) != GIT_OBJECT_BLOB)
		return 0;
	name = str_format(PREFIX "%s%s", root, git_tree_entry_name(entry));
	r = git_blob_lookup(&blob, reading->repo->git, git_tree_entry_id(entry));
	if (r < 0)
		r = git_fail(r, reading->err, "cannot read '%s'", name);
	if (r == 0) {
		buf_add(&bytes, git_blob_rawcontent(blob), git_blob_rawsize(blob));
		if (git_odb_hash(&id, buf_str(&bytes), bytes.size, GIT_OBJECT_TAG) < 0)
			r = error_set(reading->err, EIO, "cannot hash '%s'", name);
	}
	if (r == 0)
		r = tag_parse(buf_str(&bytes), bytes.size, &tag, reading->err);
	if (r == 0) {
		oid_from_git(hex, &id);
		dot = strrchr(name, '.');
		if (dot)
			*dot = '\0';
		r = reading->fn(name, hex, &tag, reading->data);
		tag_release(&tag);
	}
	reading->result = r;
	return r ? -1 : 0;
}

int tagfile_each(struct repo *repo, const char *ref, tagfile_fn fn, void *data,
		 struct error *err)
{
	_cleanup_(git_tree_freep) git_tree *tree = NULL;
	struct reading reading = {.repo = repo, .fn = fn, .data = data, .err = err};
	char commit[OID_HEX_SIZE], hex[OID_HEX_SIZE];
	git_oid id;
	int r;

	if ((r = refs_read(repo, ref, commit, err)) < 0 ||
	    (r = repo_commit_tree(repo, commit, hex, err)) < 0 ||
	    (r = oid_to_git(&id, hex, err)) < 0)
		return r;
	r = git_tree_lookup(&tree, repo->git, &id);
	if (r < 0)
		return git_fail(r, err, "cannot read the tags kept under '%s'", ref);
	r = git_tree_walk(tree, GIT_TREEWALK_PRE, read_one, &reading);
	if (reading.result)
		return reading.result;
	return r < 0 ? git_fail(r, err, "cannot list the tags kept under '%s'", ref) : 0;
}
