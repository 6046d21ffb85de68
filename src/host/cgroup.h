/*
 * Control groups of a container that no systemd keeps: one of its own in every hierarchy of
 * this machine, cgroup v1 and v2 (man cgroups, the kernel's cgroup-v2.rst). Limits are set
 * through v2 alone.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "model/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CGROUP_MEMORY 1u
#define CGROUP_CPU 2u
#define CGROUP_TASKS 4u
#define CGROUP_ALL 7u

/* Where skep's own processes go when their group has to give controllers to its children. */
#define CGROUP_SELF "skep-self"

/* A directory of one hierarchy. */
struct cgroup {
	char *dir;
	bool v2;
	bool cpuset; /* v1: takes no process before its cpus and mems are filled in */
};

struct cgroups {
	struct cgroup *items;
	size_t count;
};

void cgroups_release(struct cgroups *cgroups);
#define _cleanup_cgroups_ __attribute__((cleanup(cgroups_release)))

/*
 * Where a process is in each mounted hierarchy, from the texts of /proc/PID/mountinfo and
 * /proc/PID/cgroup. A hierarchy whose directory cannot be reached through its mount is left
 * out.
 */
void cgroups_parse(const char *mountinfo, const char *proc_cgroup, struct cgroups *ret);

/* The same for this process; CGROUP_SELF at the end of a directory is left off. */
int cgroups_of_self(struct cgroups *ret, struct error *err);

/* The group called name below each of base; nothing is made. */
void cgroups_below(const struct cgroups *base, const char *name, struct cgroups *ret);

/* Makes them and moves this process into each. */
int cgroups_enter(const struct cgroups *cgroups, struct error *err);

/* One file of one group, as text. -errno. */
int cgroup_read(const char *dir, const char *file, struct buf *ret);
int cgroup_write(const char *dir, const char *file, const char *text);

/* Whether any process is in them or below. */
int cgroups_populated(const struct cgroups *cgroups, bool *ret, struct error *err);

/* Kills whatever is in them, waits until it is gone, removes them with everything below. Blocks
 * up to timeout_ms. */
int cgroups_destroy(const struct cgroups *cgroups, int64_t timeout_ms, struct error *err);

/*
 * Lets groups below base have limits: gives the controllers to its children, first moving the
 * processes of this program (files of program_dir) out of the way when nothing else is in base.
 * *ret_mask has the controllers given, reason says what is missing ("" when nothing).
 */
void cgroups_delegate(const struct cgroups *base, const char *program_dir, unsigned *ret_mask,
		      char reason[160]);

/* Writes limits where the controller is there; *ret_mask has those that hold now. */
int cgroups_limit(const struct cgroups *cgroups, const struct limits *limits,
		  unsigned *ret_mask, struct error *err);
