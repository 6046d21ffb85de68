/* The difference between two trees as the reviewer sees it: forced text, bounded, cleaned. */
#pragma once

#include "git/repo.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct diff_limits {
	uint64_t max_file_bytes; /* a blob larger than this is named, not shown */
	size_t max_file_lines;   /* lines shown of one file */
	size_t max_total_bytes;  /* text shown in all */
	size_t max_files;
};
extern const struct diff_limits diff_limits_default;

/*
 * Compares old (a commit or tree id, NULL: the empty tree) with new. The result, owned by the
 * caller:
 * {"files":[{"path","old_path"?,"status":"added|deleted|modified|renamed|mode","old_mode","new_mode","binary":bool,
 *   "too_large":bool,"truncated":bool,"added":n,"removed":n,"old_bytes","new_bytes",
 *   "hunks":[{"old_start","old_lines","new_start","new_lines","header","lines":[["
 * "|"+"|"-",text]]}]}], "added":n,"removed":n,"truncated":bool} Paths and lines are cleaned
 * text: control and deceptive characters are visible escapes.
 */
int diff_compare(struct repo *repo, const char *old, const char *new,
		 const struct diff_limits *limits, json_t **ret, struct error *err);
