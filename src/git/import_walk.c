/*
 * The walk, breadth first, with up to READER_MAX_OUTSTANDING requests under way. Every object
 * is wanted under one type, arrives once, and must be the one asked for: its hash decides. The
 * walk stops where applied has the object: our copy is complete and was checked when it came.
 */
#include "git/import_job.h"

#include "git/commitcheck.h"
#include "git/oidmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NO_PARENT UINT32_MAX
#define SHOWN_PATH_BYTES 200

struct want {
	git_oid id;
	git_object_t type;
	uint32_t parent;     /* the tree it was found in, or NO_PARENT */
	uint32_t name;       /* where its name begins in walk.names */
	uint32_t depth;      /* directories above it */
	uint32_t path_bytes; /* of its whole path */
};

struct walk {
	struct import_job *job;
	struct want *wants; /* in the order they are asked for */
	size_t count, room;
	struct oidmap index; /* id to its place in wants */
	struct buf names;    /* NUL-terminated, one after another */
	uint64_t commits;
};

static void walk_release(struct walk *w)
{
	free(w->wants);
	oidmap_release(&w->index);
	buf_release(&w->names);
}

static void add_path(const struct walk *w, const struct want *want, struct buf *out)
{
	if (want->parent == NO_PARENT)
		return;
	add_path(w, &w->wants[want->parent], out);
	if (out->size > 0)
		buf_add_char(out, '/');
	buf_add_str(out, w->names.data + want->name);
}

/* "blob 'a/b'", "the top directory 1234…", "commit 1234…" */
static void describe(const struct walk *w, const struct want *want, struct buf *out)
{
	_cleanup_buf_ struct buf path = {};
	char hex[OID_HEX_SIZE];

	add_path(w, want, &path);
	oid_from_git(hex, &want->id);
	if (path.size > 0) {
		buf_add_char(out, '\'');
		text_clean(out, path.data, path.size, SHOWN_PATH_BYTES, false);
		buf_add_str(out, "' ");
	} else if (want->type == GIT_OBJECT_TREE) {
		buf_add_str(out, "the top directory ");
	}
	buf_addf(out, "(%s %.*s)", git_object_type2string(want->type), OID_SHORT, hex);
}

static int refuse(const struct walk *w, const struct want *want, int errnum, const char *why,
		  struct error *err)
{
	_cleanup_buf_ struct buf what = {};

	describe(w, want, &what);
	return error_set(err, errnum, "%s %s", buf_str(&what), why);
}

/* What has more of something than it may. */
static int refuse_more(const struct walk *w, const struct want *want, const char *why,
		       unsigned long long limit, const char *unit, struct error *err)
{
	_cleanup_free_ char *text = str_format("%s: %llu %s are all it may", why, limit, unit);

	return refuse(w, want, E2BIG, text, err);
}

static int check_limits(const struct walk *w, const struct want *want, struct error *err)
{
	const struct import_limits *limits = w->job->limits;

	if (want->depth > limits->max_tree_depth)
		return refuse_more(w, want, "lies too deep", limits->max_tree_depth,
				   "directories", err);
	if (want->path_bytes > limits->max_path_bytes)
		return refuse_more(w, want, "has too long a path", limits->max_path_bytes,
				   "bytes", err);
	if (want->type == GIT_OBJECT_COMMIT && w->commits >= limits->max_new_commits)
		return refuse_more(w, want, "is one too many", limits->max_new_commits,
				   "new commits", err);
	if (w->count >= limits->max_new_objects)
		return refuse_more(w, want, "is one too many", limits->max_new_objects,
				   "new objects", err);
	return 0;
}

/* Wants an object unless it is wanted or known already; either way it must be of the type asked
 * for. */
static int add_want(struct walk *w, struct want *want, const char *name, size_t name_size,
		    struct error *err)
{
	const uint32_t *place = oidmap_get(&w->index, want->id.id);
	git_object_t type = GIT_OBJECT_INVALID;
	int r;

	if (place && w->wants[*place].type == want->type)
		return 0;
	want->name = (uint32_t)w->names.size;
	buf_add(&w->names, name, name_size);
	buf_add_char(&w->names, '\0');
	if (place)
		return refuse(w, want, EINVAL, "is used as an object of another type too", err);
	r = import_known_type(w->job, &want->id, &type, err);
	if (r == 0) {
		if (type != want->type)
			return refuse(w, want, EINVAL, "is an object of another type", err);
		buf_truncate(&w->names, want->name);
		return 0;
	}
	if (r != -ENOENT)
		return r;
	r = check_limits(w, want, err);
	if (r < 0)
		return r;
	if (w->count == w->room) {
		w->room = w->room ? w->room * 2 : 64;
		w->wants = mem_grow(w->wants, w->room, sizeof(*w->wants));
	}
	oidmap_put(&w->index, want->id.id, (uint32_t)w->count);
	w->wants[w->count++] = *want;
	w->commits += want->type == GIT_OBJECT_COMMIT;
	return 0;
}

static int want_entries(struct walk *w, uint32_t parent, const void *data, size_t size,
			struct error *err)
{
	_cleanup_(tree_entries_release) struct tree_entries entries = {};
	_cleanup_buf_ struct buf path = {};
	const struct want tree = w->wants[parent];
	int r;

	add_path(w, &tree, &path);
	r = treecheck_tree(buf_str(&path), data, size, w->job->limits->max_tree_entries,
			   &entries, err);
	for (size_t i = 0; i < entries.count && r == 0; i++) {
		const struct tree_entry *e = &entries.items[i];
		struct want want = {
			.type = e->mode == TREE_MODE_DIR ? GIT_OBJECT_TREE : GIT_OBJECT_BLOB,
			.parent = parent,
			.depth = tree.depth + 1,
			.path_bytes =
				tree.path_bytes + (path.size > 0) + (uint32_t)e->name_size,
		};

		memcpy(want.id.id, e->id, RAW_ID_SIZE);
		r = add_want(w, &want, e->name, e->name_size, err);
	}
	return r;
}

static int want_root(struct walk *w, const unsigned char *id, git_object_t type,
		     struct error *err)
{
	struct want want = {.type = type, .parent = NO_PARENT};

	memcpy(want.id.id, id, RAW_ID_SIZE);
	return add_want(w, &want, "", 0, err);
}

static int want_links(struct walk *w, const git_oid *commit, const void *data, size_t size,
		      struct error *err)
{
	struct commit_ids ids;
	char hex[OID_HEX_SIZE];
	int r;

	oid_from_git(hex, commit);
	r = commitcheck(hex, data, size, w->job->limits->max_parents, &ids, err);
	if (r == 0)
		r = want_root(w, ids.tree, GIT_OBJECT_TREE, err);
	for (size_t i = 0; i < ids.n_parents && r == 0; i++)
		r = want_root(w, ids.parents[i], GIT_OBJECT_COMMIT, err);
	return r;
}

static int refuse_status(const struct walk *w, const struct want *want,
			 enum reader_status status, struct error *err)
{
	int r = -EPROTO;

	switch (status) {
	case READER_OK:
	case READER_AMBIGUOUS:
		return refuse(w, want, EPROTO, "got an answer that makes no sense", err);
	case READER_MISSING:
		r = refuse(w, want, ENOENT, "is missing from the repository", err);
		error_hint(err,
			   "it may have been amended or collected meanwhile: submit again");
		return r;
	case READER_TOO_LARGE:
		return refuse_more(w, want, "is too large", IMPORT_MAX_BLOB_BYTES, "bytes",
				   err);
	case READER_CORRUPT:
		return refuse(w, want, EINVAL, "cannot be read: it is damaged", err);
	}
	return r;
}

static int check_answer(const struct walk *w, const struct want *want,
			const struct reader_answer *answer, struct error *err)
{
	const struct import_limits *limits = w->job->limits;
	uint64_t max = want->type == GIT_OBJECT_COMMIT ? limits->max_commit_bytes
						       : limits->max_blob_bytes;

	if (answer->status != READER_OK)
		return refuse_status(w, want, answer->status, err);
	if (answer->type != want->type)
		return refuse(w, want, EINVAL, "is an object of another type", err);
	if (answer->size > max)
		return refuse_more(w, want, "is too large", max, "bytes", err);
	if (answer->size > limits->max_new_bytes - w->job->new_bytes)
		return refuse_more(w, want, "is more than one proposal may add",
				   limits->max_new_bytes, "bytes", err);
	return 0;
}

/* Into the memory store, which hashes it (libgit2's SHA-1 notices collision attacks). */
static int stage(struct walk *w, const struct want *want, const void *data, size_t size,
		 struct error *err)
{
	struct import_job *job = w->job;
	git_oid id;
	int r;

	r = git_odb_write(&id, job->staged, data, size, want->type);
	if (r < 0)
		return git_fail(r, err, "cannot keep an object");
	if (!git_oid_equal(&id, &want->id))
		return refuse(w, want, EINVAL, "does not have the content its id stands for",
			      err);
	if (job->n_new == job->room_new) {
		job->room_new = job->room_new ? job->room_new * 2 : 64;
		job->new_ids = mem_grow(job->new_ids, job->room_new, sizeof(*job->new_ids));
	}
	job->new_ids[job->n_new++] = id;
	job->new_bytes += size;
	return 0;
}

static int receive(struct walk *w, uint32_t place, struct error *err)
{
	const struct want want = w->wants[place];
	_cleanup_free_ char *data = NULL;
	struct reader_answer answer;
	int r;

	r = reader_client_next(&w->job->reader, &answer, err);
	if (r == 0)
		r = check_answer(w, &want, &answer, err);
	if (r < 0)
		return r;
	data = mem_new(answer.size + 1, 1);
	r = reader_client_fetch(&w->job->reader, data, answer.size, err);
	if (r == 0)
		r = stage(w, &want, data, answer.size, err);
	if (r < 0)
		return r;
	if (want.type == GIT_OBJECT_TREE)
		return want_entries(w, place, data, answer.size, err);
	if (want.type == GIT_OBJECT_COMMIT)
		return want_links(w, &want.id, data, answer.size, err);
	return 0;
}

int import_walk(struct import_job *job, const git_oid *tip, struct error *err)
{
	_cleanup_(walk_release) struct walk w = {.job = job};
	size_t asked = 0, received = 0;
	int r;

	r = want_root(&w, tip->id, GIT_OBJECT_COMMIT, err);
	while (r == 0 && received < w.count) {
		/* by halves, so that questions travel together and neither side wakes for each
		 * one */
		if (asked - received <= READER_MAX_OUTSTANDING / 2)
			for (; asked < w.count && asked - received < READER_MAX_OUTSTANDING;
			     asked++)
				reader_client_ask_object(&job->reader, w.wants[asked].id.id);
		r = import_check_time(job, err);
		if (r == 0)
			r = receive(&w, (uint32_t)received++, err);
	}
	return r;
}
