/* Containers held still and let go again, by the kernel's freezer (cgroup-v2.rst, and where
 * only version 1 is there freezer-subsystem.rst). */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* Everything inside stops or goes on; true when it returns. Blocks up to some seconds. */
int freeze_set(pid_t leader, bool frozen, struct error *err);

/* False as well where it cannot be told. */
bool freeze_is(pid_t leader);
