/* The first commit of a repository: written to memory, and from there as one pack. */
#include "git/commit.h"

#include "git/internal.h"
#include "git/pack.h"

#include <git2/sys/mempack.h>
#include <git2/sys/odb_backend.h>

#define MEMORY_PRIORITY 1000 /* before those on disk */

struct ids {
	git_oid *items;
	size_t count;
};

static void add_id(struct ids *ids, const git_oid *id)
{
	for (size_t i = 0; i < ids->count; i++)
		if (git_oid_equal(&ids->items[i], id))
			return;
	ids->items = mem_grow(ids->items, ids->count + 1, sizeof(*ids->items));
	ids->items[ids->count++] = *id;
}

static int on_entry(const char *root, const git_tree_entry *entry, void *data)
{
	(void)root;
	add_id(data, git_tree_entry_id(entry));
	return 0;
}

/* The commit, its tree, and all that is in it. */
static int list_objects(struct repo *repo, const char *commit, struct ids *ids,
			struct error *err)
{
	_cleanup_(git_commit_freep) git_commit *found = NULL;
	_cleanup_(git_tree_freep) git_tree *tree = NULL;
	git_oid oid;
	int r = oid_to_git(&oid, commit, err);

	if (r < 0)
		return r;
	r = git_commit_lookup(&found, repo->git, &oid);
	if (r == 0)
		r = git_commit_tree(&tree, found);
	if (r < 0)
		return git_fail(r, err, "cannot read the tree of commit %s", commit);
	add_id(ids, git_commit_id(found));
	add_id(ids, git_tree_id(tree));
	r = git_tree_walk(tree, GIT_TREEWALK_PRE, on_entry, ids);
	return r < 0 ? git_fail(r, err, "cannot read the tree of commit %s", commit) : 0;
}

/* Objects that are written from now on through this handle stay in memory. */
static int write_to_memory(struct repo *repo, git_odb **ret, struct error *err)
{
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	git_odb_backend *memory = NULL;
	int r = git_repository_odb(&odb, repo->git);

	if (r == 0)
		r = git_mempack_new(&memory);
	if (r == 0 && (r = git_odb_add_backend(odb, memory, MEMORY_PRIORITY)) < 0)
		memory->free(memory);
	if (r < 0)
		return git_fail(r, err, "cannot keep objects of '%s' in memory", repo->dir);
	*ret = TAKE_PTR(odb);
	return 0;
}

int commit_root(struct repo *repo, const struct commit_file *files, size_t n_files,
		const char *message, int64_t wall_s, char ret[OID_HEX_SIZE], struct error *err)
{
	_cleanup_(repo_freep) struct repo *scratch = NULL;
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	struct ids ids = {};
	int r = repo_open(repo->dir, &scratch, err);

	if (r == 0)
		r = write_to_memory(scratch, &odb, err);
	if (r == 0)
		r = commit_files(scratch, NULL, files, n_files, message, wall_s, ret, err);
	if (r == 0)
		r = list_objects(scratch, ret, &ids, err);
	if (r == 0)
		r = pack_write(repo, odb, ids.items, ids.count, err);
	free(ids.items);
	return r;
}
