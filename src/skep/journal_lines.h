/* The journal's entries as JSON, made into lines for people or into objects of ours. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Zeroed to begin with, but for json. */
struct journal_lines {
	bool json;        /* one object per line, with its cursor; else text */
	char cursor[300]; /* of the last entry; "" while there was none */
	struct buf rest;  /* a line that has not come whole */
};

/* A filter_fn over struct journal_lines. What is no entry is shown as text. */
void journal_lines_filter(void *state, const char *data, size_t size, struct buf *out);
void journal_lines_release(struct journal_lines *lines);
