/* The closed set of things skep-exec does: verb, arguments, descriptors, deadline, handler. */
#pragma once

#include "base/error.h"
#include "host/outside.h"
#include "host/verb.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum argument_type {
	ARG_AGENT,    /* an agent's name */
	ARG_UID_BASE, /* the first id of an agent's range */
	ARG_OID,      /* 40 hexadecimal digits */
	ARG_INT,      /* min to max */
	ARG_BOOL,
	ARG_TEXT,   /* a line of at most max bytes */
	ARG_LINES,  /* a text of at most max bytes */
	ARG_WORDS,  /* a list of at most max strings */
	ARG_OBJECT, /* the handler looks closer */
	ARG_LIST,   /* at most max items; the handler looks closer */
};

struct argument {
	const char *key;
	enum argument_type type;
	bool required;
	int64_t min, max;
};

#define VERB_STOPPABLE \
	1u /* is told to end early, and may get signals, instead of being killed */
#define VERB_LIFECYCLE 2u /* changes whether a container runs: its end is no news meanwhile */
#define VERB_SPEC 4u      /* the whole request is a container specification */
#define VERB_INTERNAL 8u  /* not for skepd */
#define VERB_MINOR 16u    /* is refused first when there is much to do */

struct verb {
	const char *name;
	const struct argument *arguments; /* up to one without key */
	size_t n_fds;
	int64_t deadline_ms; /* 0: none; "timeout_s" of a request is added */
	unsigned flags;
	verb_fn handler; /* NULL: the daemon itself answers */
	/* Instead of a handler: the request is done by `skep-export serve` alone, in the
	 * directory this opens. Called in the daemon, where nothing may take long. */
	int (*open)(const struct verb_request *request, struct error *err);
};

/* The table itself, for whoever walks it. */
const struct verb *table_all(size_t *ret_count);

/* NULL: there is no such verb. */
const struct verb *table_find(const char *name);

/* Checks keys, types and ranges of a request's arguments and the number of descriptors. */
int table_check(const struct verb *verb, const json_t *arguments, size_t n_fds,
		struct error *err);

/* How long a request may take. */
int64_t table_deadline_ms(const struct verb *verb, const json_t *arguments);

/* Those that, for some drivers, run in a unit of their own (host/outside.h). */
extern const struct outside_verb table_outside[];

/* The handlers, one file per topic. */
int verb_hello(struct verb_request *request, json_t *answer, struct error *err);
int verb_prepare(struct verb_request *request, json_t *answer, struct error *err);
int verb_agent_socket(struct verb_request *request, json_t *answer, struct error *err);
int verb_rename(struct verb_request *request, json_t *answer, struct error *err);
int verb_copy_state(struct verb_request *request, json_t *answer, struct error *err);
int verb_pause(struct verb_request *request, json_t *answer, struct error *err);
int verb_seed(struct verb_request *request, json_t *answer, struct error *err);
int verb_remote(struct verb_request *request, json_t *answer, struct error *err);
int verb_import_look(struct verb_request *request, json_t *answer, struct error *err);
int verb_import_stage(struct verb_request *request, json_t *answer, struct error *err);
int verb_import_take(struct verb_request *request, json_t *answer, struct error *err);
int verb_import_drop(struct verb_request *request, json_t *answer, struct error *err);
int export_open(const struct verb_request *request, struct error *err);
int verb_build(struct verb_request *request, json_t *answer, struct error *err);
int verb_retain(struct verb_request *request, json_t *answer, struct error *err);
int verb_build_nix(struct verb_request *request, json_t *answer, struct error *err);
int verb_lock(struct verb_request *request, json_t *answer, struct error *err);
int verb_effect(struct verb_request *request, json_t *answer, struct error *err);
int verb_gcroots(struct verb_request *request, json_t *answer, struct error *err);
int verb_start(struct verb_request *request, json_t *answer, struct error *err);
int verb_stop(struct verb_request *request, json_t *answer, struct error *err);
int verb_switch(struct verb_request *request, json_t *answer, struct error *err);
int verb_inspect(struct verb_request *request, json_t *answer, struct error *err);
int verb_limits(struct verb_request *request, json_t *answer, struct error *err);
int verb_settle(struct verb_request *request, json_t *answer, struct error *err);
int verb_restore(struct verb_request *request, json_t *answer, struct error *err);
int verb_adopt(struct verb_request *request, json_t *answer, struct error *err);
int verb_destroy(struct verb_request *request, json_t *answer, struct error *err);
int verb_purge(struct verb_request *request, json_t *answer, struct error *err);
