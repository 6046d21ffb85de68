/* From root to a process that can do nothing but read one repository and write one directory.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct confinement {
	uid_t uid;
	gid_t gid;
	int last_fd;    /* descriptors above it are closed */
	bool network;   /* it may reach the network */
	int64_t wall_s; /* it is ended after this */
	rlim_t memory_bytes, cpu_s, file_bytes;
};

/*
 * Drops to uid and gid (no other groups), without the network unless it is needed, sets
 * resource limits and a wall-clock limit, gives up gaining privileges, and dies with its
 * parent. A process that already has that uid keeps its groups. Call before anything is opened.
 */
int confine(const struct confinement *confinement, struct error *err);
