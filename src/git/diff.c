/* The difference between two trees as the reviewer sees it: forced text, bounded, cleaned. */
#include "git/diff.h"

#include "base/buf.h"
#include "base/text.h"
#include "git/changes.h"
#include "git/diff_hunks.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES 4096

/*
 * What comparing may cost, counted between the first and the last difference of a file. Many
 * lines of which few are different are the worst case: time grows with their square, and no
 * size of output shows it.
 */
#define COMPARE_FILE_LINES 20000 /* of either side */
#define COMPARE_ALL_LINES 200000
#define COMPARE_ALL_BYTES (8u << 20)

const struct diff_limits diff_limits_default = {
	.max_file_bytes = 256 << 10,
	.max_file_lines = 2000,
	.max_total_bytes = 1 << 20,
	.max_files = 1000,
};

struct comparison {
	struct repo *repo;
	const struct diff_limits *limits;
	size_t bytes_left; /* to be shown */
	size_t compare_lines_left, compare_bytes_left;
	json_t *files;
	size_t added, removed;
	bool truncated;
};

struct content {
	const char *data;
	size_t size;
};

static const char *status_name(enum change_kind kind)
{
	switch (kind) {
	case CHANGE_ADDED:
		return "added";
	case CHANGE_DELETED:
		return "deleted";
	case CHANGE_MODIFIED:
		return "modified";
	case CHANGE_MODE:
		return "mode";
	case CHANGE_RENAMED:
		return "renamed";
	}
	return "";
}

static void put_path(json_t *file, const char *key, const char *path, bool keep)
{
	_cleanup_buf_ struct buf text = {};
	size_t size = strlen(path);

	if (keep && size <= PATH_MAX_BYTES)
		text_keep(&text, path, size);
	else
		text_clean(&text, path, size, PATH_MAX_BYTES, false);
	json_object_set_new(file, key, json_stringn(buf_str(&text), text.size));
}

static void put_mode(json_t *file, const char *key, unsigned mode)
{
	char text[16];

	snprintf(text, sizeof(text), "%06o", mode);
	json_object_set_new(file, key, json_string(text));
}

static size_t count_lines(struct content c)
{
	size_t lines = 0;

	for (const char *p = c.data, *end = c.data + c.size; p < end; lines++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		p = newline ? newline + 1 : end;
	}
	return lines;
}

/* Leaves out what both begin and what both end with. */
static void trim(struct content *old, struct content *new)
{
	size_t least = old->size < new->size ? old->size : new->size, n = 0;

	while (n < least && old->data[n] == new->data[n])
		n++;
	old->data += n;
	old->size -= n;
	new->data += n;
	new->size -= n;
	while (old->size && new->size && old->data[old->size - 1] == new->data[new->size - 1]) {
		old->size--;
		new->size--;
	}
}

/* Whether the two may be compared line by line; what it may cost is taken off. */
static bool is_affordable(struct comparison *c, struct content old, struct content new)
{
	size_t old_lines, new_lines;

	trim(&old, &new);
	if (old.size == 0 || new.size == 0)
		return true;
	old_lines = count_lines(old);
	new_lines = count_lines(new);
	if (old_lines > COMPARE_FILE_LINES || new_lines > COMPARE_FILE_LINES ||
	    old_lines + new_lines > c->compare_lines_left ||
	    old.size + new.size > c->compare_bytes_left)
		return false;
	c->compare_lines_left -= old_lines + new_lines;
	c->compare_bytes_left -= old.size + new.size;
	return true;
}

struct verdict {
	bool binary, too_large;
	struct diff_lines lines;
};

static int compare_contents(struct comparison *c, struct content old, struct content new,
			    json_t *hunks, struct verdict *ret, struct error *err)
{
	struct diff_room room = {.lines = c->limits->max_file_lines,
				 .bytes = c->bytes_left,
				 .keep = c->limits->keep};
	int r;

	ret->binary =
		change_is_binary(old.data, old.size) || change_is_binary(new.data, new.size);
	if (ret->binary)
		return 0;
	ret->too_large = !is_affordable(c, old, new);
	if (ret->too_large)
		return 0;
	r = diff_hunks(old.data, old.size, new.data, new.size, &room, hunks, &ret->lines, err);
	c->bytes_left = room.bytes;
	return r;
}

static struct content content_of(git_odb_object *object)
{
	if (!object)
		return (struct content){.data = ""};
	return (struct content){.data = git_odb_object_data(object),
				.size = git_odb_object_size(object)};
}

static int compare_file(struct comparison *c, const struct change *change, json_t *hunks,
			struct verdict *ret, struct error *err)
{
	_cleanup_(git_odb_object_freep) git_odb_object *old = NULL, *new = NULL;
	uint64_t max = c->limits->max_file_bytes;
	int r;

	if (git_oid_equal(&change->old_id, &change->new_id))
		return 0;
	ret->too_large = change->old_bytes > max || change->new_bytes > max;
	if (ret->too_large || change->old_mode == GIT_FILEMODE_COMMIT ||
	    change->new_mode == GIT_FILEMODE_COMMIT)
		return 0;
	r = change_read(c->repo, &change->old_id, change->old_bytes, max, &old, err);
	if (r == 0)
		r = change_read(c->repo, &change->new_id, change->new_bytes, max, &new, err);
	if (r < 0)
		return r;
	return compare_contents(c, content_of(old), content_of(new), hunks, ret, err);
}

static int add_file(struct comparison *c, const struct change *change, struct error *err)
{
	json_t *file = json_object(), *hunks = json_array();
	struct verdict verdict = {};
	int r;

	json_array_append_new(c->files, file);
	put_path(file, "path", change->path, c->limits->keep);
	if (change->old_path)
		put_path(file, "old_path", change->old_path, c->limits->keep);
	json_object_set_new(file, "status", json_string(status_name(change->kind)));
	put_mode(file, "old_mode", change->old_mode);
	put_mode(file, "new_mode", change->new_mode);
	json_object_set_new(file, "old_bytes", json_integer((json_int_t)change->old_bytes));
	json_object_set_new(file, "new_bytes", json_integer((json_int_t)change->new_bytes));
	json_object_set_new(file, "hunks", hunks);
	r = compare_file(c, change, hunks, &verdict, err);
	if (r < 0)
		return r;
	json_object_set_new(file, "binary", json_boolean(verdict.binary));
	json_object_set_new(file, "too_large", json_boolean(verdict.too_large));
	json_object_set_new(file, "truncated", json_boolean(verdict.lines.truncated));
	json_object_set_new(file, "added", json_integer((json_int_t)verdict.lines.added));
	json_object_set_new(file, "removed", json_integer((json_int_t)verdict.lines.removed));
	c->added += verdict.lines.added;
	c->removed += verdict.lines.removed;
	c->truncated |= verdict.too_large || verdict.lines.truncated;
	return 0;
}

int diff_compare(struct repo *repo, const char *old, const char *new,
		 const struct diff_limits *limits, json_t **ret, struct error *err)
{
	_cleanup_(changes_release) struct changes changes = {};
	struct comparison c = {
		.repo = repo,
		.limits = limits,
		.bytes_left = limits->max_total_bytes,
		.compare_lines_left = COMPARE_ALL_LINES,
		.compare_bytes_left = COMPARE_ALL_BYTES,
	};
	int r = changes_list(repo, old, new, true, &changes, err);

	if (r < 0)
		return r;
	c.files = json_array();
	for (size_t i = 0; i < changes.count && i < limits->max_files; i++) {
		r = add_file(&c, &changes.items[i], err);
		if (r < 0) {
			json_decref(c.files);
			return r;
		}
	}
	*ret = json_object();
	json_object_set_new(*ret, "files", c.files);
	json_object_set_new(*ret, "files_total", json_integer((json_int_t)changes.count));
	json_object_set_new(*ret, "added", json_integer((json_int_t)c.added));
	json_object_set_new(*ret, "removed", json_integer((json_int_t)c.removed));
	json_object_set_new(*ret, "truncated",
			    json_boolean(c.truncated || changes.count > limits->max_files));
	return 0;
}
