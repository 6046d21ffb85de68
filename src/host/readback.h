/* What a running container really has as its root. */
#pragma once

#include "base/error.h"
#include "host/place.h"
#include "model/system.h"

#include <sys/types.h>

/*
 * The system whose root process `leader` has as "/", read from its mountinfo, which the
 * container cannot forge. -ESTALE: it is none of this agent's. A NixOS system is more than its
 * root: which one was activated last is what the container claims.
 */
int readback_system(const struct place *place, const char *agent, pid_t leader,
		    char ret[SYSTEM_SIZE], struct error *err);

/*
 * The same from texts: our own mountinfo, where roots/<agent> is (absolute, without symlinks),
 * and the leader's mountinfo (man proc_pid_mountinfo). -ESTALE. Pure.
 */
int readback_parse(const char *own, const char *roots, const char *leaders,
		   char ret[SYSTEM_SIZE]);

/*
 * The NixOS system that is activated in a container: where /run/current-system beneath the
 * leader's root points. Root of the container could point it elsewhere. -ENODATA: it says none.
 */
int readback_claimed(pid_t leader, char ret[SYSTEM_SIZE], struct error *err);
