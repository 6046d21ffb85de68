#include "skep/diff_text.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "skep/answer.h"
#include "skep/table.h"

#include <stdbool.h>
#include <string.h>

#define STAT_BAR 30

/* "100644", whether it came as text or, as git's own structures have it, as a number. */
static char *mode_text(const json_t *file, const char *key)
{
	const json_t *mode = json_object_get(file, key);

	if (json_is_integer(mode))
		return str_format("%06llo", (unsigned long long)json_integer_value(mode));
	return str_dup(json_is_string(mode) ? json_string_value(mode) : "");
}

static bool has_status(const json_t *file, const char *status)
{
	return strcmp(field_str(file, "status"), status) == 0;
}

static void print_file_header(struct out *out, const json_t *file)
{
	_cleanup_free_ char *old_mode = mode_text(file, "old_mode"),
			    *new_mode = mode_text(file, "new_mode");
	const char *path = field_str(file, "path"), *old_path = field_str(file, "old_path");

	out_line(out, STYLE_BOLD, "diff a/%s b/%s", old_path[0] ? old_path : path, path);
	if (has_status(file, "added"))
		out_line(out, STYLE_BOLD, "new file mode %s", new_mode);
	else if (has_status(file, "deleted"))
		out_line(out, STYLE_BOLD, "deleted file mode %s", old_mode);
	else if (strcmp(old_mode, new_mode) != 0)
		out_line(out, STYLE_WARN, "mode changes from %s to %s", old_mode, new_mode);
	if (old_path[0] && strcmp(old_path, path) != 0)
		out_line(out, STYLE_BOLD, "renamed from %s", old_path);
}

static void print_line(struct out *out, const json_t *line)
{
	const char *mark = json_string_value(json_array_get(line, 0));
	const char *text = json_string_value(json_array_get(line, 1));
	enum style style = STYLE_PLAIN;

	if (mark && mark[0] == '+')
		style = STYLE_GOOD;
	else if (mark && mark[0] == '-')
		style = STYLE_BAD;
	else if (mark && mark[0] == '\\')
		mark = "\\ ";
	out_line(out, style, "%s%s", mark ? mark : "?", text ? text : "");
}

static void print_hunk(struct out *out, const json_t *hunk)
{
	const char *header = field_str(hunk, "header");
	json_t *line;
	size_t i;

	if (strncmp(header, "@@", 2) == 0)
		out_line(out, STYLE_NOTE, "%s", header);
	else
		out_line(out, STYLE_NOTE, "@@ -%lld,%lld +%lld,%lld @@%s%s",
			 (long long)field_int(hunk, "old_start"),
			 (long long)field_int(hunk, "old_lines"),
			 (long long)field_int(hunk, "new_start"),
			 (long long)field_int(hunk, "new_lines"), header[0] ? " " : "", header);
	json_array_foreach (json_object_get(hunk, "lines"), i, line)
		print_line(out, line);
}

static void print_file(struct out *out, const json_t *file)
{
	const json_t *hunks = json_object_get(file, "hunks");
	const char *path = field_str(file, "path"), *old_path = field_str(file, "old_path");
	long long old_bytes = field_int(file, "old_bytes"),
		  new_bytes = field_int(file, "new_bytes");
	json_t *hunk;
	size_t i;

	print_file_header(out, file);
	if (field_bool(file, "binary"))
		out_line(out, STYLE_WARN, "binary: %lld bytes before, %lld after, NOT shown",
			 old_bytes, new_bytes);
	if (field_bool(file, "too_large"))
		out_line(out, STYLE_WARN, "too large: %lld bytes before, %lld after, NOT shown",
			 old_bytes, new_bytes);
	if (json_array_size(hunks) > 0) {
		if (has_status(file, "added"))
			out_line(out, STYLE_BOLD, "--- /dev/null");
		else
			out_line(out, STYLE_BOLD, "--- a/%s", old_path[0] ? old_path : path);
		if (has_status(file, "deleted"))
			out_line(out, STYLE_BOLD, "+++ /dev/null");
		else
			out_line(out, STYLE_BOLD, "+++ b/%s", path);
	}
	json_array_foreach (hunks, i, hunk)
		print_hunk(out, hunk);
	if (field_bool(file, "truncated"))
		out_line(out, STYLE_WARN, "cut: the rest of this file's changes is NOT shown");
}

/* What a reader must know was not seen, in one place that ends up on the last screen. */
static void print_missing(struct out *out, const json_t *diff)
{
	const json_t *files = json_object_get(diff, "files");
	int64_t n_left_out = field_int(diff, "files_total") - (int64_t)json_array_size(files);
	size_t n_binary = 0, n_large = 0, n_cut = 0, i;
	json_t *file;

	json_array_foreach (files, i, file) {
		n_binary += field_bool(file, "binary");
		n_large += field_bool(file, "too_large");
		n_cut += field_bool(file, "truncated");
	}
	if (n_left_out < 0)
		n_left_out = 0;
	if (n_binary + n_large + n_cut == 0 && n_left_out == 0 &&
	    !field_bool(diff, "truncated"))
		return;
	out_line(out, STYLE_WARN,
		 "NOT everything is shown: %zu binary, %zu too large, %zu cut, %lld files left "
		 "out",
		 n_binary, n_large, n_cut, (long long)n_left_out);
}

static const char *plural(long long n)
{
	return n == 1 ? "" : "s";
}

static void print_sum(struct out *out, const json_t *diff)
{
	long long n = (long long)json_array_size(json_object_get(diff, "files"));
	long long added = field_int(diff, "added"), removed = field_int(diff, "removed");

	out_line(out, STYLE_DIM, "%lld file%s, %lld line%s added, %lld removed", n, plural(n),
		 added, plural(added), removed);
}

void diff_print(struct out *out, const json_t *diff)
{
	json_t *file;
	size_t i;

	json_array_foreach (json_object_get(diff, "files"), i, file)
		print_file(out, file);
	print_sum(out, diff);
	print_missing(out, diff);
}

static const char *change_word(const json_t *file)
{
	if (field_bool(file, "binary"))
		return "binary";
	if (field_bool(file, "too_large"))
		return "too large";
	return field_str(file, "status");
}

/* A bar of plus and minus signs, to scale when the largest does not fit. */
static void bar_cell(struct table *table, int64_t added, int64_t removed, int64_t largest)
{
	char bar[STAT_BAR + 1];
	int64_t scale = largest > STAT_BAR ? largest : STAT_BAR, plus, minus;

	plus = (added * STAT_BAR + scale - 1) / scale;
	minus = (removed * STAT_BAR + scale - 1) / scale;
	if (plus < 0 || minus < 0 || plus > STAT_BAR)
		plus = minus = 0;
	if (minus > STAT_BAR - plus)
		minus = STAT_BAR - plus;
	memset(bar, '+', (size_t)plus);
	memset(bar + plus, '-', (size_t)minus);
	bar[plus + minus] = '\0';
	table_cell(table, STYLE_PLAIN, "%s", bar[0] ? bar : " ");
}

void diff_print_stat(struct out *out, const json_t *diff)
{
	static const struct table_column columns[] = {
		{.title = "FILE", .shrink_to = 16}, {.title = "CHANGE"},
		{.title = "ADDED", .right = true},  {.title = "REMOVED", .right = true},
		{.title = "LINES", .drop = 1},
	};
	_cleanup_(table_freep) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const json_t *files = json_object_get(diff, "files");
	int64_t largest = 0;
	json_t *file;
	size_t i;

	json_array_foreach (files, i, file) {
		int64_t lines = field_int(file, "added") + field_int(file, "removed");

		if (lines > largest)
			largest = lines;
	}
	json_array_foreach (files, i, file) {
		int64_t added = field_int(file, "added"), removed = field_int(file, "removed");

		table_cell(table, STYLE_PLAIN, "%s", field_str(file, "path"));
		table_cell(table, STYLE_PLAIN, "%s", change_word(file));
		table_cell(table, STYLE_GOOD, "%lld", (long long)added);
		table_cell(table, STYLE_BAD, "%lld", (long long)removed);
		bar_cell(table, added, removed, largest);
	}
	if (json_array_size(files) > 0)
		table_print(table, out, false, "");
	print_sum(out, diff);
	print_missing(out, diff);
}
