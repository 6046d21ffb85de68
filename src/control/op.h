/*
 * Operations on agents: one at a time per agent, in the order they were asked for, each a chain
 * of steps that wait on skep-exec, a child or a timer between them.
 */
#pragma once

#include "control/hive.h"
#include "control/ledger.h"

#include <jansson.h>
#include <stdint.h>

struct op;
struct joblog;
struct update;

/* The next step. op->r says how what it waited for went (0 or −errno, with op->err), op->answer
 * what came back. */
typedef void (*op_step)(struct op *op);

/* Told once, at the end. */
typedef void (*op_end)(struct op *op, void *data);

struct op_waiter {
	op_end fn;
	void *data;
	struct op_waiter *next;
};

struct op {
	struct hive *hive;
	struct agent *agent;
	struct op *next; /* in the agent's line */
	uint64_t id;
	const char *verb; /* "deploy", "start", …: for people */
	struct actor actor;
	bool has_actor;
	struct op_waiter *waiters;

	op_step step;
	op_step after; /* what a detour of several steps comes back to */
	int r;
	struct error err;
	json_t *answer;
	struct timer *sleep; /* NULL: it does not sleep */

	struct slots *holds; /* the slot it has, NULL: none */
	struct op *next_waiting;

	/* what the deploy steps carry along */
	struct proposal *proposal; /* NULL: a start or rebuild of what is deployed already */
	char commit[OID_HEX_SIZE], tree[OID_HEX_SIZE];
	char old_commit[OID_HEX_SIZE];
	char system[SYSTEM_SIZE], old_system[SYSTEM_SIZE]; /* what was built; "": none yet */
	/* the commit of meta that Nix builds, and what it was made on */
	char candidate[OID_HEX_SIZE], candidate_parent[OID_HEX_SIZE];
	/* the one that records it, likewise */
	char meta_commit[OID_HEX_SIZE], meta_parent[OID_HEX_SIZE];
	bool preview; /* nothing is to be deployed */
	struct joblog *log;
	uint64_t build; /* the request to skep-exec while it builds; 0: none */
	struct probe_run *probe;
	json_t *baseline;                      /* units that were failed before */
	bool was_running, skip_probe, touched; /* touched: the old system may be gone */
	bool again; /* an earlier attempt at the proposal was cut short */
	int64_t began_ms, build_ms;
	struct error why; /* what went wrong first, while things are put back */

	struct update *update; /* of the inputs of all: this is one agent's part; NULL: no */
	int stage;             /* how far that is (control/update.c) */

	/* what a stop carries along */
	int64_t stop_s; /* time to halt in; 0: as configured */

	bool back; /* a rename that is taken back */

	/* what spawn and destroy carry along */
	bool purge, revived, tags_late; /* tags_late: deployed/0 waits for the system */
	bool adopts;     /* a container that is not ours to destroy, should it fail */
	bool removes;    /* the agent leaves memory when this ends, however it ends */
	bool held;       /* its entry waits for the generation it is part of */
	json_t *image;   /* files to begin with; NULL: the template's */
	json_t *files;   /* of the template */
	int64_t first_s; /* when the first commit was made */
};

/* A new operation at the end of the agent's line; it begins on a later turn of the loop. */
struct op *op_add(struct agent *agent, const char *verb, const struct actor *actor,
		  op_step first);

/* Adds somebody to tell. */
void op_wait(struct op *op, op_end fn, void *data);

/* Ends it: r and op->err tell how. Tells who waits, frees it, begins the agent's next one. */
void op_finish(struct op *op, int r);

/* Runs a verb of skep-exec (arguments are stolen), then step. Returns the request's number. */
uint64_t op_call(struct op *op, const char *verb, json_t *arguments, const int *fds,
		 size_t n_fds, op_step step);

/* Waits for a free slot (FIFO), then step. An operation holds at most one; op_finish() gives it
 * back too. */
void op_take_slot(struct op *op, struct slots *slots, op_step step);
void op_give_slot(struct op *op);

/* Waits ms, then step. */
void op_sleep(struct op *op, int64_t ms, op_step step);

/* The hive goes down: ends what would wait long, so that nothing but starts and stops goes on.
 */
void op_interrupt_all(struct hive *hive);
