/*
 * Roots of containers, <state>/roots/<agent>/<system>/: the skeleton with the agent's rootfs/
 * laid over it, owned by the agent's id range. A root appears whole or not at all.
 */
#pragma once

#include "base/error.h"
#include "host/place.h"
#include "host/spec.h"

#include <stdbool.h>

/* nspawn's lock file beside a root that it runs begins so. */
#define ROOT_LOCK_PREFIX ".#"

/* The root's directory; the caller frees it. */
char *root_path(const struct place *place, const char *agent, const char *system);

/*
 * Makes the root of a specification, or (unless it is to be fresh) takes the one that is there,
 * with its environment and library cache brought up to date. *ret_usr (may be NULL) says
 * whether the agent has a rootfs/usr, which is not part of the root.
 */
int root_prepare(const struct place *place, const struct container_spec *spec, bool *ret_usr,
		 struct error *err);

/* Notes that this root is about to run and removes all but it and the one that ran before. */
int root_activate(const struct place *place, const char *agent, const char *system,
		  struct error *err);

/* Opens the root that ran last; -ENOENT when there is none. The descriptor is the caller's. */
int root_open_current(const struct place *place, const char *agent, struct error *err);
