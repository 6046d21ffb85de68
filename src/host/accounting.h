/* What a container uses and which limits hold it, read from the control groups of version 1, 2
 * or both. */
#pragma once

#include "base/error.h"
#include "host/cgroup.h"
#include "model/limits.h"

#include <stdint.h>
#include <sys/types.h>

struct usage {
	int64_t memory_bytes, cpu_usec, tasks; /* -1: this machine does not count it */
};

/* Never of a group that this process is in itself: that would not be the container's own. */
int accounting_usage(pid_t leader, struct usage *ret, struct error *err);

/*
 * A mask of CGROUP_* for those limits that the container's control group really carries (read
 * back, memory rounded to pages).
 */
int accounting_enforced(pid_t leader, const struct limits *limits, unsigned *ret,
			struct error *err);

/* A mask of the controllers this machine has; reason says what is missing, "" when nothing is.
 */
int accounting_controllers(unsigned *ret, char reason[160], struct error *err);

/*
 * The path of a controller's group in the text of /proc/PID/cgroup: from its own hierarchy,
 * else from version 2 ("0::"), cut where nspawn splits off the payload. Returns 1 for version
 * 1, 2 for version 2, 0 when there is none.
 */
int accounting_parse_path(const char *text, const char *controller, char *out, size_t size);
