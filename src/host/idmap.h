/* Mounts whose files appear with shifted owners (man mount_setattr, MOUNT_ATTR_IDMAP). */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* A user namespace that maps ids 0 to 65535 to base and up; the descriptor is the caller's. */
int idmap_namespace(uid_t base, struct error *err);

/*
 * A detached copy of the mount that path is on, seen from path, with files of host id N
 * appearing as base + N. -EINVAL or -EPERM: this file system cannot do it (overlayfs). The
 * descriptor is the caller's.
 */
int idmap_clone(const char *path, int namespace_fd, struct error *err);

/* Puts a detached mount at a path. */
int idmap_attach(int mount_fd, const char *path, struct error *err);

/* Whether files below path can be shown with shifted owners. */
bool idmap_works(const char *path, int namespace_fd);
