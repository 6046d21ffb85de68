#include "skep/table.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CELL 400
#define GAP 2

struct cell {
	char *text;
	enum style style;
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	struct cell *cells;
	size_t n_cells;
};

struct layout {
	size_t natural; /* what its widest cell takes */
	size_t width;   /* what it gets */
	bool dropped;
};

struct table *table_new(const struct table_column *columns, size_t n_columns)
{
	struct table *table = mem_new(1, sizeof(*table));

	table->columns = columns;
	table->n_columns = n_columns;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

void table_cell(struct table *table, enum style style, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	struct cell cell = {.style = style};
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	cell.text = text_clean_dup(text && text[0] ? text : "-", MAX_CELL, false);
	for (char *p = cell.text; *p; p++)
		if (*p == '\t')
			*p = ' ';
	table->cells = mem_grow(table->cells, table->n_cells + 1, sizeof(*table->cells));
	table->cells[table->n_cells++] = cell;
}

static bool is_in(uint32_t c, const uint32_t (*ranges)[2], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	return false;
}

/* Unicode Standard Annex 11, cut down to whole blocks; a wrong guess only costs alignment. */
static size_t codepoint_columns(uint32_t c)
{
	static const uint32_t none[][2] = {
		{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd},
		{0x0610, 0x061a}, {0x064b, 0x065f}, {0x1ab0, 0x1aff},
		{0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe20, 0xfe2f},
	};
	static const uint32_t wide[][2] = {
		{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x4dbf},   {0x4e00, 0xa4cf},
		{0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
		{0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
		{0x20000, 0x3fffd},
	};

	if (c < 0x300)
		return 1;
	if (is_in(c, none, ARRAY_SIZE(none)))
		return 0;
	return is_in(c, wide, ARRAY_SIZE(wide)) ? 2 : 1;
}

/* Bytes of the longest start of text that fits into limit columns. */
static size_t fitting(const char *text, size_t limit, size_t *ret_columns)
{
	size_t size = strlen(text), at = 0, columns = 0;

	while (at < size) {
		uint32_t c = 0;
		size_t n = text_decode(text + at, size - at, &c);
		size_t more = n ? codepoint_columns(c) : 1;

		if (columns + more > limit)
			break;
		columns += more;
		at += n ? n : 1;
	}
	*ret_columns = columns;
	return at;
}

size_t text_columns(const char *text)
{
	size_t columns;

	(void)fitting(text, SIZE_MAX, &columns);
	return columns;
}

static size_t total_width(const struct table *table, const struct layout *layout)
{
	size_t total = 0;

	for (size_t i = 0; i < table->n_columns; i++)
		if (!layout[i].dropped)
			total += layout[i].width + (total > 0 ? GAP : 0);
	return total;
}

/* Takes what is missing from the widest column that may give, one step at a time. */
static void shrink(const struct table *table, struct layout *layout, size_t room)
{
	while (total_width(table, layout) > room) {
		struct layout *widest = NULL;

		for (size_t i = 0; i < table->n_columns; i++) {
			const struct table_column *column = &table->columns[i];

			if (layout[i].dropped || column->shrink_to == 0 ||
			    layout[i].width <= column->shrink_to)
				continue;
			if (!widest || layout[i].width > widest->width)
				widest = &layout[i];
		}
		if (!widest)
			return;
		widest->width--;
	}
}

static bool drop_one(const struct table *table, struct layout *layout)
{
	size_t found = table->n_columns;

	for (size_t i = 0; i < table->n_columns; i++) {
		if (layout[i].dropped || table->columns[i].drop == 0)
			continue;
		if (found == table->n_columns ||
		    table->columns[i].drop > table->columns[found].drop)
			found = i;
	}
	if (found == table->n_columns)
		return false;
	layout[found].dropped = true;
	return true;
}

static void measure(const struct table *table, struct layout *layout)
{
	for (size_t i = 0; i < table->n_columns; i++)
		layout[i] = (struct layout){.natural = text_columns(table->columns[i].title)};
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t columns = text_columns(table->cells[i].text);

		if (columns > layout[i % table->n_columns].natural)
			layout[i % table->n_columns].natural = columns;
	}
}

static void fit(const struct table *table, struct layout *layout, size_t room)
{
	measure(table, layout);
	do {
		for (size_t i = 0; i < table->n_columns; i++)
			layout[i].width = layout[i].natural;
		shrink(table, layout, room);
	} while (total_width(table, layout) > room && drop_one(table, layout));
}

static void print_cell(struct out *out, const struct table_column *column, size_t width,
		       const char *text, enum style style, bool is_last)
{
	size_t columns, size = fitting(text, width, &columns);
	bool cut = text[size] != '\0';

	if (cut)
		size = fitting(text, width - 1, &columns);
	if (column->right)
		out_pad(out, width - columns - cut);
	out_add(out, style, "%.*s%s", (int)size, text, cut ? "…" : "");
	if (!column->right && !is_last)
		out_pad(out, width - columns - cut);
}

static void print_row(const struct table *table, struct out *out, const struct layout *layout,
		      const struct cell *row, const char *indent)
{
	size_t last = 0;
	bool first = true;

	for (size_t i = 0; i < table->n_columns; i++)
		if (!layout[i].dropped)
			last = i;
	out_add(out, STYLE_PLAIN, "%s", indent);
	for (size_t i = 0; i < table->n_columns; i++) {
		if (layout[i].dropped)
			continue;
		if (!first)
			out_pad(out, GAP);
		first = false;
		print_cell(out, &table->columns[i], layout[i].width,
			   row ? row[i].text : table->columns[i].title,
			   row ? row[i].style : STYLE_DIM, i == last);
	}
	out_end(out);
}

static void print_plain(const struct table *table, struct out *out)
{
	for (size_t i = 0; i < table->n_cells; i++) {
		out_add(out, STYLE_PLAIN, "%s", table->cells[i].text);
		if ((i + 1) % table->n_columns == 0)
			out_end(out);
		else
			out_raw(out, "\t", 1);
	}
}

void table_print(const struct table *table, struct out *out, bool plain, const char *indent)
{
	_cleanup_free_ struct layout *layout = mem_new(table->n_columns, sizeof(*layout));
	size_t taken = text_columns(indent);

	if (plain) {
		print_plain(table, out);
		return;
	}
	fit(table, layout, out->columns > taken ? out->columns - taken : SIZE_MAX);
	print_row(table, out, layout, NULL, indent);
	for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
		print_row(table, out, layout, &table->cells[i], indent);
}
