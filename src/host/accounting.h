/* The control groups of a container, of version 1, 2 or both, and which limits hold it. */
#pragma once

#include "base/error.h"
#include "host/cgroup.h"
#include "model/limits.h"

#include <stdint.h>
#include <sys/types.h>

#define ACCOUNTING_DIR 600

/*
 * The directory of a container's own group for a controller: 1 for version 1, 2 for version 2,
 * 0 when it has none. Never one that this process is in itself, nor one that holds more than
 * the container.
 */
int accounting_group(pid_t leader, const char *controller, char out[ACCOUNTING_DIR],
		     struct error *err);

/* The number after key (NULL: at the beginning) in a file of a group; -1 when there is none. */
int64_t accounting_number(const char *dir, const char *file, const char *key);

/*
 * What the container's own control groups hold it to; -1 where that is nothing. A mask of
 * CGROUP_* says which of them it has.
 */
int accounting_limits(pid_t leader, struct limits *ret, unsigned *ret_known, struct error *err);

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
