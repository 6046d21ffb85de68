/*
 * How the nspawn process of a container is kept: by the host's systemd, or by skep-exec itself.
 */
#pragma once

#include "base/error.h"
#include "host/place.h"
#include "host/spec.h"

#include <stdint.h>
#include <sys/types.h>

enum container_run_state {
	CONTAINER_STOPPED,
	CONTAINER_STARTING,
	CONTAINER_RUNNING,
	CONTAINER_FAILED,
};

struct container_state {
	enum container_run_state state;
	bool ending;      /* it runs, but was told to stop */
	pid_t nspawn_pid; /* 0 when there is none */
	pid_t leader;     /* the container's PID 1, seen from here; 0 when there is none */
	int64_t since_boot_ms;
	char exit[64];     /* how it ended, "" when unknown or running */
	unsigned restarts; /* by whoever keeps it, since it was asked to start */
};

/* All functions block; they run in a process of their own. */
struct supervisor {
	const char *name; /* "systemd" or "standalone" */
	/*
	 * Starts `skep-exec run <agent>` (whose spec is already written) and returns once it
	 * said READY, or failed.
	 */
	int (*start)(const struct place *place, const char *agent, const struct limits *limits,
		     int64_t timeout_ms, struct container_state *ret, struct error *err);
	/*
	 * Asks for a clean halt, kills at the deadline, returns when every process is gone. Not
	 * running is success.
	 */
	int (*stop)(const struct place *place, const char *agent, int64_t timeout_ms,
		    struct error *err);
	/* What is true now. Never guesses: what cannot be read is an error. */
	int (*inspect)(const struct place *place, const char *agent,
		       struct container_state *ret, struct error *err);
	/*
	 * Changes limits of a running container; *ret_enforced has a bit per field (memory 1,
	 * cpu 2, tasks 4).
	 */
	int (*set_limits)(const struct place *place, const char *agent,
			  const struct limits *limits, unsigned *ret_enforced,
			  struct error *err);
	/* Removes what start left outside the state directory: drop-ins, cgroups. */
	int (*forget)(const struct place *place, const char *agent, struct error *err);
	/*
	 * Which limits this host enforces for a container started this way, and why not (text
	 * may be "").
	 */
	int (*enforced)(const struct place *place, unsigned *ret_mask, char reason[160],
			struct error *err);
};

extern const struct supervisor supervisor_standalone;
extern const struct supervisor supervisor_systemd;
