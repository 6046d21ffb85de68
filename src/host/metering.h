/* What a container uses of this machine, and how long it has to wait for it, read from its
 * control groups (version 1, 2 or both). */
#pragma once

#include "base/error.h"
#include "model/usage.h"

#include <sys/types.h>

/* What this machine does not count of it stays -1. */
int metering_read(pid_t leader, struct usage *ret, struct error *err);
