/*
 * The drivers: how a container is made, run, moved to another system and removed. Whoever keeps
 * its processes is the supervisor's affair.
 */
#pragma once

#include "base/error.h"
#include "host/spec.h"
#include "host/supervisor.h"
#include "host/verb.h"

/* What is true of a container now. */
struct container_view {
	struct container_state state;
	char system[SYSTEM_SIZE]; /* "": it runs none, or none of ours */
	bool claimed;             /* the container itself says so, and its root could lie */
};

/* All functions block. What they need of the machine comes with the request. */
struct driver {
	const char *name;
	/*
	 * Makes, or brings up to date, what a start of this specification needs. Can be
	 * repeated; nothing that runs notices.
	 */
	int (*create)(struct verb_request *request, const struct container_spec *spec,
		      struct error *err);
	/* Starts what was created, with the specification written down; returns once it said
	 * READY. */
	int (*start)(struct verb_request *request, const struct container_spec *spec,
		     int64_t timeout_ms, struct container_state *ret, struct error *err);
	/* Asks for a clean halt, kills at the deadline; not running is success. */
	int (*stop)(struct verb_request *request, const char *agent, int64_t timeout_ms,
		    struct error *err);
	/*
	 * Moves a running container to the specification without stopping it. 1: it runs it; 0:
	 * that takes a restart, nothing was changed; < 0: it failed, and what ran before runs.
	 */
	int (*switch_over)(struct verb_request *request, const struct container_spec *spec,
			   const struct container_state *now, struct error *err);
	/* Whether a container of that name could be made. -EEXIST; nothing is touched. */
	int (*check_name)(struct verb_request *request, const char *agent, struct error *err);
	/*
	 * Gives what create made, beyond what is in the state directory under the agent's name,
	 * to another name; it does not run. Can be repeated.
	 */
	int (*rename)(struct verb_request *request, const char *from, const char *to,
		      struct error *err);
	/* Removes what create made; it does not run. */
	int (*destroy)(struct verb_request *request, const char *agent, struct error *err);
	/* What cannot be read is an error, never a container that is not there. */
	int (*inspect)(struct verb_request *request, const char *agent,
		       struct container_view *ret, struct error *err);
	/*
	 * Adds to list (host/differ.h) in what a container that runs is not as create and start
	 * make it from this specification. What all drivers have in common is left out.
	 */
	int (*differ)(const struct place *place, const struct container_spec *spec,
		      const struct container_state *state, json_t *list, struct error *err);
};

extern const struct driver driver_nspawn, driver_nixos_container;

const struct driver *driver_get(enum driver_kind kind);

/* The driver of an agent's container as it is on this machine. */
const struct driver *driver_of(const struct place *place, const char *agent);
