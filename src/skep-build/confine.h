/* From root to a process that can do nothing but read one repository and write one directory.
 */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/*
 * Drops to uid and gid (no other groups) in namespaces without network, sets resource limits
 * and a wall-clock limit, gives up gaining privileges, and dies with its parent. Descriptors
 * above last_fd are closed. A process that already has that uid keeps its groups. Call before
 * anything is opened.
 */
int confine(uid_t uid, gid_t gid, int last_fd, struct error *err);
