/* Aligned columns that give way on narrow terminals. */
#pragma once

#include "skep/out.h"

struct table_column {
	const char *title;
	bool right;       /* numbers */
	size_t shrink_to; /* may be cut to this many columns with "…"; 0: never */
	int drop;         /* left out when it is too narrow still, highest first; 0: never */
};

struct table;

struct table *table_new(const struct table_column *columns, size_t n_columns);
void table_free(struct table *table);
static inline void table_freep(struct table **table)
{
	table_free(*table);
}

/* Adds the next cell, row by row; an empty one prints as "-". */
void table_cell(struct table *table, enum style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Prints it: tab-separated without header when plain, else fitted to the terminal, every line
 * behind indent. */
void table_print(const struct table *table, struct out *out, bool plain, const char *indent);

/* Terminal columns a clean UTF-8 text takes: combining marks none, East Asian wide characters
 * two. */
size_t text_columns(const char *text);
