/* The lines of one file's difference as JSON. */
#include "git/diff_hunks.h"

#include "base/buf.h"
#include "base/text.h"
#include "git/internal.h"

#include <string.h>

#define CONTEXT_LINES 3
#define LINE_MAX_BYTES 4096
#define HEADER_MAX_BYTES 200
#define ESCAPED_MAX 8 /* the most bytes text_clean() makes of one */
#define NO_NEWLINE "No newline at end of file"

static void add_line(json_t *lines, const char *mark, const char *text, size_t size)
{
	json_t *line = json_array();

	json_array_append_new(line, json_string(mark));
	json_array_append_new(line, json_stringn(text, size));
	json_array_append_new(lines, line);
}

static bool is_full(const struct diff_room *room)
{
	return room->lines == 0 || room->bytes == 0;
}

/* Returns whether the line was shown whole. */
static bool show_line(json_t *lines, const git_diff_line *line, struct diff_room *room)
{
	_cleanup_buf_ struct buf text = {};
	const char mark[2] = {line->origin, '\0'};
	size_t size = line->content_len;
	bool cut = false;

	if (is_full(room))
		return false;
	room->lines--;
	if (size && line->content[size - 1] == '\n')
		size--;
	if (size > LINE_MAX_BYTES) {
		size = LINE_MAX_BYTES;
		cut = true;
	}
	if (room->keep)
		text_keep(&text, line->content, size);
	else
		text_clean(&text, line->content, size, ESCAPED_MAX * size, false);
	if (cut)
		buf_add_str(&text, "…");
	add_line(lines, mark, buf_str(&text), text.size);
	room->bytes -= text.size + 1 < room->bytes ? text.size + 1 : room->bytes;
	return !cut;
}

static void add_header(json_t *hunk, const git_diff_hunk *found)
{
	_cleanup_buf_ struct buf text = {};
	const char *at = strstr(found->header, " @@ ");

	if (at)
		text_clean(&text, at + 4, strcspn(at + 4, "\n"), HEADER_MAX_BYTES, false);
	json_object_set_new(hunk, "header", json_stringn(buf_str(&text), text.size));
}

static int add_hunk(git_patch *patch, size_t index, struct diff_room *room, json_t *hunks,
		    struct diff_lines *ret, struct error *err)
{
	const git_diff_hunk *found;
	json_t *hunk, *lines;
	size_t n_lines;
	int r = git_patch_get_hunk(&found, &n_lines, patch, index);

	if (r < 0)
		return git_fail(r, err, "cannot read a difference");
	hunk = json_object();
	json_array_append_new(hunks, hunk);
	json_object_set_new(hunk, "old_start", json_integer(found->old_start));
	json_object_set_new(hunk, "old_lines", json_integer(found->old_lines));
	json_object_set_new(hunk, "new_start", json_integer(found->new_start));
	json_object_set_new(hunk, "new_lines", json_integer(found->new_lines));
	add_header(hunk, found);
	lines = json_array();
	json_object_set_new(hunk, "lines", lines);
	for (size_t i = 0; i < n_lines; i++) {
		const git_diff_line *line;

		r = git_patch_get_line_in_hunk(&line, patch, index, i);
		if (r < 0)
			return git_fail(r, err, "cannot read a difference");
		switch (line->origin) {
		case GIT_DIFF_LINE_CONTEXT:
		case GIT_DIFF_LINE_ADDITION:
		case GIT_DIFF_LINE_DELETION:
			if (!show_line(lines, line, room))
				ret->truncated = true;
			break;
		default:
			add_line(lines, "\\", NO_NEWLINE, strlen(NO_NEWLINE));
		}
		if (ret->truncated && is_full(room))
			break;
	}
	return 0;
}

int diff_hunks(const char *old, size_t old_size, const char *new, size_t new_size,
	       struct diff_room *room, json_t *hunks, struct diff_lines *ret, struct error *err)
{
	_cleanup_(git_patch_freep) git_patch *patch = NULL;
	git_diff_options options;
	size_t shown = 0, context;
	int r;

	(void)git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	options.flags = GIT_DIFF_FORCE_TEXT;
	options.context_lines = CONTEXT_LINES;
	r = git_patch_from_buffers(&patch, old, old_size, NULL, new, new_size, NULL, &options);
	if (r == 0)
		r = git_patch_line_stats(&context, &ret->added, &ret->removed, patch);
	if (r < 0)
		return git_fail(r, err, "cannot compare two files");
	for (; shown < git_patch_num_hunks(patch) && !is_full(room); shown++) {
		r = add_hunk(patch, shown, room, hunks, ret, err);
		if (r < 0)
			return r;
	}
	if (shown < git_patch_num_hunks(patch))
		ret->truncated = true;
	return 0;
}
