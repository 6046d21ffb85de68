/*
 * Work on repositories that runs in a process of its own, with a deadline: imports, diffs,
 * repacks.
 * Both ends are here: starting one, and being one (`skepd import-worker`, `skepd diff-worker`,
 * …: one JSON object on standard output).
 */
#pragma once

#include "control/hive.h"

#include <jansson.h>

/* result is the worker's object, borrowed, or NULL when err says what failed. */
typedef void (*worker_fn)(const json_t *result, const struct error *err, void *data);

/*
 * Imports a commit from the agent's proposed repository into applied and scans it against base
 * ("": nothing deployed). Result:
 * {"commit","tree","title","author","flags":[{"name","place"}],"new_objects","new_bytes"}.
 */
void worker_import(struct hive *hive, struct agent *agent, const char *wanted, const char *base,
		   const struct limits *limits, worker_fn fn, void *data);

/*
 * A worker that reads a repository through skep-exec's verb export (from are its arguments,
 * stolen); what names it in errors, argv is its command line.
 */
void worker_read(struct hive *hive, const char *what, json_t *from, const char *const *argv,
		 int64_t deadline_ms, worker_fn fn, void *data);

/* Compares two commits of the repository <dir>/.git (old "": the empty tree). keep: control
 * characters stay what they are. Result: as git/diff.h. */
void worker_diff(struct hive *hive, bool keep, const char *dir, const char *old,
		 const char *new, worker_fn fn, void *data);

/* Makes one pack of all objects of the repository <dir>/.git (git/repack.h). */
void worker_repack(struct hive *hive, const char *dir, worker_fn fn, void *data);

/* The other end: runs the named worker with its arguments and returns the process's exit
 * status. */
int worker_main(int argc, char **argv);

/* What all workers do first is done once, by the process that forks them; what fails fails in
 * them. */
void worker_prepare(void);

/* Whether a command word names one. */
bool worker_is_one(const char *word);
