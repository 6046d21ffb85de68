/*
 * skep-build where it runs Nix: under its own uid, with the network, and limited. A unit of its
 * own under systemd; without, a child. It is ended when the process that asked for it ends.
 */
#pragma once

#include "host/supervisor.h"

struct evaluator {
	const char *const *args; /* of skep-build, NULL-terminated, from the subcommand on */
	const char *const *writable; /* NULL-terminated directories */
	int log_fd;
	int64_t timeout_ms, memory_max_bytes;
};

/* Returns its exit status, or -errno when it could not be run or did not end by itself. Blocks.
 */
int evaluator_run(const struct supervisor *supervisor, const struct place *place,
		  const struct evaluator *evaluator, struct error *err);
