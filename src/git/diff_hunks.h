/* The lines of one file's difference as JSON. */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* What may still be shown; counted down. */
struct diff_room {
	size_t lines; /* of this file */
	size_t bytes; /* of all files */
	bool keep;    /* see git/diff.h */
};

struct diff_lines {
	size_t added, removed;
	bool truncated;
};

/* Compares two texts and appends hunks (as in git/diff.h) to the array. */
int diff_hunks(const char *old, size_t old_size, const char *new, size_t new_size,
	       struct diff_room *room, json_t *hunks, struct diff_lines *ret,
	       struct error *err);
