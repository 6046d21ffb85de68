/* The difference between two trees as the reviewer sees it: forced text, bounded, cleaned. */
#pragma once

#include "git/repo.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diff_limits {
	uint64_t max_file_bytes; /* a blob larger than this is named, not shown */
	size_t max_file_lines;   /* lines shown of one file */
	size_t max_total_bytes;  /* text shown in all */
	size_t max_files;
	bool keep; /* control and deceptive characters stay what they are: the reader shows each
		    */
};
extern const struct diff_limits diff_limits_default;

/*
 * Compares old (a commit or tree id, NULL: the empty tree) with new. The result, an object
 * owned by the caller:
 *   "files": array by path, at most max_files
 *   "files_total": how many there are
 *   "added", "removed": lines in all files that could be compared
 *   "truncated": whether anything at all is not shown
 * A file:
 *   "path", "old_path" (renamed only)
 *   "status": added deleted modified renamed mode
 *   "old_mode", "new_mode": "100644"; "000000" where there is none
 *   "old_bytes", "new_bytes", "added", "removed"
 *   "binary": it is not text, by its bytes
 *   "too_large": it was not compared
 *   "truncated": lines, or the ends of lines, are left out
 *   "hunks": array of {"old_start", "old_lines", "new_start", "new_lines", "header", "lines"}
 *     "header": the line git shows behind the second @@, perhaps ""
 *     "lines": array of [mark, text]; mark is one of " ", "+", "-" and "\\", whose text says
 *     that the line above does not end in a newline
 * Paths and lines are cleaned text: control and deceptive characters are visible escapes,
 * unless they are kept. Bytes that are no characters are escapes always.
 */
int diff_compare(struct repo *repo, const char *old, const char *new,
		 const struct diff_limits *limits, json_t **ret, struct error *err);
