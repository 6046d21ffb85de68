/* What differs between two trees, file by file, before any content is compared. */
#include "git/changes.h"

#include "base/buf.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* libgit2's search for similar files compares each with each: only ever over this much */
#define SIMILAR_MAX_CHANGES 300
#define SIMILAR_MAX_BYTES (8u << 20)

static int find_tree(struct repo *repo, const char *hex, git_tree **ret, struct error *err)
{
	_cleanup_(git_object_freep) git_object *object = NULL;
	git_oid oid;
	int r = oid_to_git(&oid, hex, err);

	if (r < 0)
		return r;
	r = git_object_lookup(&object, repo->git, &oid, GIT_OBJECT_ANY);
	if (r == GIT_ENOTFOUND)
		return error_set(err, ENOENT, "no object %s in '%s'", hex, repo->dir);
	if (r == 0)
		r = git_object_peel((git_object **)ret, object, GIT_OBJECT_TREE);
	if (r < 0)
		return git_fail(r, err, "cannot read the tree of %s", hex);
	return 0;
}

static int blob_size(git_odb *odb, const git_oid *id, unsigned mode, uint64_t *ret,
		     struct error *err)
{
	git_object_t type;
	size_t size;
	int r;

	*ret = 0;
	if (mode == 0 || mode == GIT_FILEMODE_COMMIT)
		return 0;
	r = git_odb_read_header(&size, &type, odb, id);
	if (r < 0)
		return git_fail(r, err, "cannot read a file of the difference");
	*ret = size;
	return 0;
}

static int add_change(git_odb *odb, const git_diff_delta *delta, struct changes *changes,
		      struct error *err)
{
	struct change change = {.path = delta->new_file.path};
	int r;

	switch ((int)delta->status) {
	case GIT_DELTA_ADDED:
		change.kind = CHANGE_ADDED;
		break;
	case GIT_DELTA_DELETED:
		change.kind = CHANGE_DELETED;
		change.path = delta->old_file.path;
		break;
	case GIT_DELTA_RENAMED:
		change.kind = CHANGE_RENAMED;
		change.old_path = delta->old_file.path;
		break;
	default:
		change.kind = git_oid_equal(&delta->old_file.id, &delta->new_file.id)
				      ? CHANGE_MODE
				      : CHANGE_MODIFIED;
	}
	if (change.kind != CHANGE_ADDED) {
		change.old_mode = delta->old_file.mode;
		change.old_id = delta->old_file.id;
	}
	if (change.kind != CHANGE_DELETED) {
		change.new_mode = delta->new_file.mode;
		change.new_id = delta->new_file.id;
	}
	r = blob_size(odb, &change.old_id, change.old_mode, &change.old_bytes, err);
	if (r == 0)
		r = blob_size(odb, &change.new_id, change.new_mode, &change.new_bytes, err);
	if (r < 0)
		return r;
	changes->items[changes->count++] = change;
	return 0;
}

static int collect(git_odb *odb, struct changes *changes, struct error *err)
{
	size_t n = git_diff_num_deltas(changes->diff);

	free(changes->items);
	changes->items = mem_new(n, sizeof(*changes->items));
	changes->count = 0;
	for (size_t i = 0; i < n; i++) {
		int r = add_change(odb, git_diff_get_delta(changes->diff, i), changes, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static const char *basename_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const git_oid *content_id(const struct change *change)
{
	return change->kind == CHANGE_DELETED ? &change->old_id : &change->new_id;
}

static int by_content(const void *a, const void *b)
{
	const struct change *x = *(struct change *const *)a, *y = *(struct change *const *)b;
	int r = git_oid_cmp(content_id(x), content_id(y));

	return r ? r : strcmp(x->path, y->path);
}

static int by_content_and_name(const void *a, const void *b)
{
	const struct change *x = *(struct change *const *)a, *y = *(struct change *const *)b;
	int r = git_oid_cmp(content_id(x), content_id(y));

	if (r == 0)
		r = strcmp(basename_of(x->path), basename_of(y->path));
	return r ? r : strcmp(x->path, y->path);
}

struct sides {
	struct change **deleted, **added;
	size_t n_deleted, n_added;
};

static void sides_release(struct sides *s)
{
	free(s->deleted);
	free(s->added);
}

/* Pairs up what is equal by content (and by last name, when by_name) in one pass over two
 * sorted lists. */
static void pair(struct sides *s, bool by_name)
{
	int (*order)(const void *, const void *) = by_name ? by_content_and_name : by_content;
	size_t d = 0, a = 0, d_kept = 0, a_kept = 0;

	qsort(s->deleted, s->n_deleted, sizeof(*s->deleted), order);
	qsort(s->added, s->n_added, sizeof(*s->added), order);
	while (d < s->n_deleted && a < s->n_added) {
		struct change *old = s->deleted[d], *new = s->added[a];
		int r = git_oid_cmp(&old->old_id, &new->new_id);

		if (r == 0 && by_name)
			r = strcmp(basename_of(old->path), basename_of(new->path));
		if (r < 0) {
			s->deleted[d_kept++] = s->deleted[d++];
		} else if (r > 0) {
			s->added[a_kept++] = s->added[a++];
		} else {
			new->kind = CHANGE_RENAMED;
			new->old_path = old->path;
			new->old_mode = old->old_mode;
			new->old_id = old->old_id;
			new->old_bytes = old->old_bytes;
			old->path = NULL; /* dropped from the list later */
			d++;
			a++;
		}
	}
	while (d < s->n_deleted)
		s->deleted[d_kept++] = s->deleted[d++];
	while (a < s->n_added)
		s->added[a_kept++] = s->added[a++];
	s->n_deleted = d_kept;
	s->n_added = a_kept;
}

static void pair_equal_content(struct changes *changes)
{
	_cleanup_(sides_release) struct sides s = {
		.deleted = mem_new(changes->count, sizeof(struct change *)),
		.added = mem_new(changes->count, sizeof(struct change *)),
	};
	size_t kept = 0;

	for (size_t i = 0; i < changes->count; i++) {
		struct change *change = &changes->items[i];

		if (change->kind == CHANGE_DELETED)
			s.deleted[s.n_deleted++] = change;
		else if (change->kind == CHANGE_ADDED)
			s.added[s.n_added++] = change;
	}
	pair(&s, true);
	pair(&s, false);
	for (size_t i = 0; i < changes->count; i++)
		if (changes->items[i].path)
			changes->items[kept++] = changes->items[i];
	changes->count = kept;
}

/* Whether the search for similar files stays cheap. */
static bool is_small(const struct changes *changes)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < changes->count; i++) {
		const struct change *change = &changes->items[i];

		if (change->kind == CHANGE_ADDED || change->kind == CHANGE_DELETED)
			bytes += change->old_bytes + change->new_bytes;
	}
	return changes->count <= SIMILAR_MAX_CHANGES && bytes <= SIMILAR_MAX_BYTES;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct change *)a)->path, ((const struct change *)b)->path);
}

int changes_list(struct repo *repo, const char *old, const char *new, bool renames,
		 struct changes *ret, struct error *err)
{
	_cleanup_(git_tree_freep) git_tree *old_tree = NULL, *new_tree = NULL;
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	git_diff_options options;
	git_diff_find_options similar;
	int r = find_tree(repo, new, &new_tree, err);

	*ret = (struct changes){};
	if (r == 0 && old)
		r = find_tree(repo, old, &old_tree, err);
	if (r < 0)
		return r;
	(void)git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	(void)git_diff_find_options_init(&similar, GIT_DIFF_FIND_OPTIONS_VERSION);
	options.flags =
		GIT_DIFF_FORCE_TEXT | GIT_DIFF_INCLUDE_TYPECHANGE | GIT_DIFF_SKIP_BINARY_CHECK;
	options.ignore_submodules = GIT_SUBMODULE_IGNORE_NONE;
	r = git_repository_odb(&odb, repo->git);
	if (r == 0)
		r = git_diff_tree_to_tree(&ret->diff, repo->git, old_tree, new_tree, &options);
	if (r < 0)
		return git_fail(r, err, "cannot compare the trees");
	r = collect(odb, ret, err);
	if (r < 0 || !renames)
		return r;
	if (is_small(ret)) {
		similar.flags = GIT_DIFF_FIND_RENAMES;
		r = git_diff_find_similar(ret->diff, &similar);
		if (r < 0)
			return git_fail(r, err, "cannot look for renamed files");
		r = collect(odb, ret, err);
		if (r < 0)
			return r;
	}
	pair_equal_content(ret);
	if (ret->count > 1)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_path);
	return 0;
}

void changes_release(struct changes *changes)
{
	free(changes->items);
	git_diff_free(changes->diff);
	*changes = (struct changes){};
}

int change_read(struct repo *repo, const git_oid *id, uint64_t bytes, uint64_t max,
		git_odb_object **ret, struct error *err)
{
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	int r;

	*ret = NULL;
	if (bytes > max || git_oid_is_zero(id))
		return 0;
	r = git_repository_odb(&odb, repo->git);
	if (r == 0)
		r = git_odb_read(ret, odb, id);
	if (r < 0)
		return git_fail(r, err, "cannot read a file of the difference");
	return 0;
}

bool change_is_binary(const char *data, size_t size)
{
	size_t odd = 0;

	for (size_t i = 0; i < size;) {
		uint32_t c = (unsigned char)data[i];
		size_t n;

		if (c >= ' ' && c < 0x7f) {
			i++;
			continue;
		}
		n = text_decode(data + i, size - i, &c);
		if (n == 1 && c == 0)
			return true;
		if (n == 0 ||
		    (c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 033))
			odd++;
		i += n ? n : 1;
	}
	return odd >= 4 && odd > size / 4;
}
