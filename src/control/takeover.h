/*
 * Taking over the state directory of a hyperhive host: look ── copy ── read and check each
 * repository ── record all of it in one turn of the loop ── put the copies in their places.
 * takeover.c has the steps, takeover_plan.c who comes along, takeover_record.c the record.
 *
 * Until the record is there nothing counts: new repositories are below applied/.import-*,
 * copies below <state>/import, and both can go at any time. Afterwards everything is rolled
 * forward.
 */
#pragma once

#include "control/hive.h"
#include "control/ledger.h"
#include "control/session.h"

#include <jansson.h>

struct takeover_item {
	char name[AGENT_NAME_MAX + 1];
	struct agent *agent; /* unborn until it is recorded; NULL: not planned yet */
	bool has_config, has_state;
	json_t *found;    /* what its repository holds: the worker's result */
	json_t *warnings; /* array of texts */
	struct buf skip;  /* numbers whose commits were refused, as the worker takes them */
	json_t *refusals; /* object: number → why */
	int64_t files, bytes;
	bool entered; /* its repository has its place */
};

struct takeover {
	struct hive *hive;
	void *session;
	struct actor actor;
	int dir_fd; /* theirs */
	bool dry_run, start, with_state;
	json_t *names;   /* array: those alone; NULL: all */
	json_t *look;    /* the answer to import-look */
	json_t *locked;  /* object: agent → commit, of their meta; NULL: not known */
	json_t *inputs;  /* object: input → where it comes from, of their meta */
	json_t *ignored; /* array of {"name","why"} */
	json_t *warnings;
	json_t *report; /* once all is read */
	struct takeover_item *items;
	size_t n_items, i;
	bool recorded; /* nothing is taken back any more */
	struct error err;
};

/* Begins one. names (array of strings, borrowed) may be NULL, dir_fd is taken over. The session
 * is answered later. */
int takeover_begin(struct session *session, int dir_fd, const json_t *names, bool dry_run,
		   bool start, bool with_state, struct error *err);

/* Makes what a crash left half done whole, or undone: the part below applied/. */
int takeover_repair(struct hive *hive, struct error *err);

/* The rest of it, which is skep-exec's; then fn. */
void takeover_resume(struct hive *hive, void (*fn)(void *data), void *data);

/* ---- takeover_plan.c ---- */

/* Chooses the items, with settings, names and ports as they will be. -EEXIST, -EINVAL: why
 * nothing at all is taken over. */
int takeover_plan(struct takeover *t, struct error *err);

/* Reads their flake.lock: who is an input of it, and where the others come from. */
void takeover_take_lock(struct takeover *t, const char *text);

/* Whether the numbers found are free here. */
int takeover_check_numbers(const struct takeover *t, struct error *err);

/* "import" of the answer. The caller owns it. */
json_t *takeover_report(const struct takeover *t);

void takeover_warn(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- takeover_record.c ---- */

/* applied/.import-<name>, a new string; and an empty repository there. */
char *takeover_dir(const struct hive *hive, const char *name);
int takeover_make_repository(struct hive *hive, const char *name, struct error *err);

/* Writes every tag and the entries in agents.json: all of it or nothing. */
int takeover_record(struct takeover *t, struct error *err);

/* Removes applied/.import-* of the items. */
void takeover_clear(struct takeover *t);
