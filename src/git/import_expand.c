/*
 * Counting without walking: what lies below a tree depends on its id alone, so each distinct
 * tree is read once and the sums are added up, saturating. Entries of distinct trees are a
 * lower bound of the whole, which bounds the work even where a great many trees are distinct.
 */
#include "git/import_job.h"

#include "git/oidmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINK_MAX_BYTES 4095 /* PATH_MAX less its NUL */
#define SHOWN_PATH_BYTES 200

struct sums {
	uint64_t files, bytes; /* a directory counts as a file of no bytes */
	uint32_t depth;        /* directories on the longest way down, this one included */
	uint32_t path_bytes;   /* of the longest path below */
};

struct expansion {
	const struct import_job *job;
	struct oidmap trees; /* to a place in sums */
	struct sums *sums;
	size_t count, room;
	struct oidmap links;   /* symlink targets looked at */
	uint64_t entries_seen; /* in distinct trees */
	struct buf path;       /* of the tree being read */
};

static void expansion_release(struct expansion *x)
{
	oidmap_release(&x->trees);
	oidmap_release(&x->links);
	buf_release(&x->path);
	free(x->sums);
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static int refuse(const struct expansion *x, const struct tree_entry *entry, int errnum,
		  const char *why, unsigned long long limit, struct error *err)
{
	_cleanup_buf_ struct buf whole = {}, shown = {};

	buf_add(&whole, buf_str(&x->path), x->path.size);
	if (entry) {
		if (whole.size > 0)
			buf_add_char(&whole, '/');
		buf_add(&whole, entry->name, entry->name_size);
	}
	text_clean(&shown, buf_str(&whole), whole.size, SHOWN_PATH_BYTES, false);
	if (limit)
		return error_set(err, errnum, "'%s' %s %llu",
				 shown.size ? buf_str(&shown) : ".", why, limit);
	return error_set(err, errnum, "'%s' %s", buf_str(&shown), why);
}

static int check_sums(const struct expansion *x, const struct sums *sums, struct error *err)
{
	const struct import_limits *limits = x->job->limits;

	if (sums->files > limits->max_files || x->entries_seen > limits->max_files)
		return refuse(x, NULL, E2BIG, "unfolds to more files than", limits->max_files,
			      err);
	if (sums->bytes > limits->max_expanded_bytes)
		return refuse(x, NULL, E2BIG, "unfolds to more bytes than",
			      limits->max_expanded_bytes, err);
	if (sums->depth > limits->max_tree_depth)
		return refuse(x, NULL, E2BIG, "is deeper in directories than",
			      limits->max_tree_depth, err);
	if (sums->path_bytes > limits->max_path_bytes)
		return refuse(x, NULL, E2BIG, "has a path of more bytes than",
			      limits->max_path_bytes, err);
	return 0;
}

/* New objects are in memory, all others in applied. */
static git_odb *odb_of(const struct expansion *x, const git_oid *id)
{
	bool staged = git_odb_exists_ext(x->job->staged, id, GIT_ODB_LOOKUP_NO_REFRESH);

	return staged ? x->job->staged : x->job->known;
}

/* What a symlink points at is policy; that it can be one at all is not. */
static int check_link(struct expansion *x, const struct tree_entry *entry, const git_oid *id,
		      size_t size, struct error *err)
{
	_cleanup_(git_odb_object_freep) git_odb_object *object = NULL;
	int r;

	if (size == 0 || size > LINK_MAX_BYTES)
		return refuse(x, entry, EINVAL,
			      "is a symlink whose target is empty or too long", 0, err);
	if (oidmap_get(&x->links, id->id))
		return 0;
	r = git_odb_read(&object, odb_of(x, id), id);
	if (r < 0)
		return git_fail(r, err, "cannot read a symlink");
	if (memchr(git_odb_object_data(object), '\0', git_odb_object_size(object)))
		return refuse(x, entry, EINVAL, "is a symlink with a NUL byte in its target", 0,
			      err);
	oidmap_put(&x->links, id->id, 0);
	return 0;
}

static int count_blob(struct expansion *x, const struct tree_entry *entry, const git_oid *id,
		      struct sums *ret, struct error *err)
{
	git_object_t type;
	size_t size;
	int r;

	r = git_odb_read_header(&size, &type, odb_of(x, id), id);
	if (r < 0)
		return git_fail(r, err, "cannot read the size of '%s'", entry->name);
	if (type != GIT_OBJECT_BLOB)
		return refuse(x, entry, EINVAL, "is an object of another type", 0, err);
	*ret = (struct sums){.bytes = size};
	return entry->mode == TREE_MODE_LINK ? check_link(x, entry, id, size, err) : 0;
}

static int count_tree(struct expansion *x, const git_oid *id, unsigned level, struct sums *ret,
		      struct error *err);

static int count_entry(struct expansion *x, const struct tree_entry *entry, unsigned level,
		       struct sums *total, struct error *err)
{
	size_t path_size = x->path.size;
	struct sums sums = {};
	uint32_t path_bytes;
	git_oid id;
	int r;

	memcpy(id.id, entry->id, RAW_ID_SIZE);
	if (entry->mode == TREE_MODE_DIR) {
		if (path_size > 0)
			buf_add_char(&x->path, '/');
		buf_add(&x->path, entry->name, entry->name_size);
		r = count_tree(x, &id, level + 1, &sums, err);
		buf_truncate(&x->path, path_size);
	} else {
		r = count_blob(x, entry, &id, &sums, err);
	}
	if (r < 0)
		return r;
	path_bytes = (uint32_t)entry->name_size + (sums.path_bytes ? sums.path_bytes + 1 : 0);
	total->files = add(total->files, add(sums.files, 1));
	total->bytes = add(total->bytes, sums.bytes);
	if (sums.depth + 1 > total->depth)
		total->depth = sums.depth + 1;
	if (path_bytes > total->path_bytes)
		total->path_bytes = path_bytes;
	return check_sums(x, total, err);
}

static void remember(struct expansion *x, const git_oid *id, const struct sums *sums)
{
	if (x->count == x->room) {
		x->room = x->room ? x->room * 2 : 64;
		x->sums = mem_grow(x->sums, x->room, sizeof(*x->sums));
	}
	oidmap_put(&x->trees, id->id, (uint32_t)x->count);
	x->sums[x->count++] = *sums;
}

static int count_tree(struct expansion *x, const git_oid *id, unsigned level, struct sums *ret,
		      struct error *err)
{
	_cleanup_(git_odb_object_freep) git_odb_object *object = NULL;
	_cleanup_(tree_entries_release) struct tree_entries entries = {};
	const struct import_limits *limits = x->job->limits;
	const uint32_t *place = oidmap_get(&x->trees, id->id);
	struct sums sums = {};
	int r;

	if (place) {
		*ret = x->sums[*place];
		return 0;
	}
	if (level > limits->max_tree_depth)
		return refuse(x, NULL, E2BIG, "is deeper in directories than",
			      limits->max_tree_depth, err);
	r = import_check_time(x->job, err);
	if (r < 0)
		return r;
	r = git_odb_read(&object, odb_of(x, id), id);
	if (r < 0)
		return git_fail(r, err, "cannot read the directory '%s'", buf_str(&x->path));
	r = treecheck_tree(buf_str(&x->path), git_odb_object_data(object),
			   git_odb_object_size(object), limits->max_tree_entries, &entries,
			   err);
	if (r < 0)
		return r;
	x->entries_seen += entries.count;
	r = check_sums(x, &sums, err);
	for (size_t i = 0; i < entries.count && r == 0; i++)
		r = count_entry(x, &entries.items[i], level, &sums, err);
	if (r < 0)
		return r;
	remember(x, id, &sums);
	*ret = sums;
	return 0;
}

int import_expand(struct import_job *job, const git_oid *tree, struct error *err)
{
	_cleanup_(expansion_release) struct expansion x = {.job = job};
	struct sums sums;

	return count_tree(&x, tree, 0, &sums, err);
}
