/*
 * A repository of another controller read through a reader and taken into one of ours: its tags
 * say which numbers there were and what became of them, and each commit they name is imported
 * as a proposal's would be.
 */
#pragma once

#include "git/import.h"
#include "model/limits.h"

#include <jansson.h>

struct takeover_order {
	const struct import_limits *limits;
	const struct limits *current; /* what requests are compared with */
	const char *flake;            /* flake.nix as an agent has it here */
	const char *skip;             /* numbers whose commits are not taken: " 3 17 " */
	int64_t wall_s;
};

/*
 * Takes over what the reader at reader_fd has into the new repository applied, and adds to
 * result:
 *   "layout"   "today", or "old": nothing was ever tagged as deployed, so that main's commit
 *              with our flake.nix is the first
 *   "deployed" {"id","commit","tree"}: the highest; of the old layout 0
 *   "first"    {"commit","tree"} of deployed/0, absent when there is none
 *   "numbers"  [{"id","commit","tree","title","at","base","state":"deployed"|…,"families":[…],
 *              "text"?,"text_at"?,"flags":[{"name","place"}]}], ascending; text is of the
 *              tag of its outcome. Of those that are skipped only id, "skipped" (the commit),
 *              state and families
 *   "warnings" [text]
 * or only "refused": {"id","error"}, when the commit of a number can be left out that breaks a
 * rule. What breaks one otherwise is an error, as for import_commit().
 */
int takeover_read(struct repo *applied, int reader_fd, const struct takeover_order *order,
		  json_t *result, struct error *err);

/*
 * Looks at a repository with a work tree: "head" (commit, absent when there is none), "branch"
 * (absent: detached), "clean" (absent: the work tree cannot be compared).
 */
int takeover_look(int reader_fd, int64_t deadline_ms, json_t *result, struct error *err);

/* Imports the newest commit of main and reads one file of it. -ENOENT: there is none. */
int takeover_file(struct repo *scratch, int reader_fd, const char *path, size_t max,
		  const struct import_limits *limits, struct buf *ret, struct error *err);
