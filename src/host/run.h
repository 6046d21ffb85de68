/* `skep-exec run <agent>`: becomes the systemd-nspawn of a container, keeping its pid. */
#pragma once

#include "base/error.h"
#include "host/place.h"

#include <stdbool.h>

/*
 * Reads <runtime>/spec/<agent>.json, prepares the root and mounts in a mount namespace of its
 * own, and executes nspawn; returns only when that fails. own_cgroups: it enters control groups
 * of its own first and leaves a record (no systemd keeps it).
 */
int run_container(const struct place *place, const char *agent, bool own_cgroups,
		  struct error *err);

/* The name of an agent's control groups: one hive's never meet another's on the same machine.
 * The caller frees it. */
char *run_cgroup_name(const struct place *place, const char *agent);
