/*
 * Files and directories through descriptors: atomic writes, bounded reads, removal that follows
 * nothing.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Reads a whole regular file of at most max bytes, relative to dir_fd (or AT_FDCWD). -E2BIG
 * when it is larger.
 */
int file_read(int dir_fd, const char *path, size_t max, struct buf *ret, struct error *err);

/*
 * Replaces path by data: temporary file beside it ("path.new", one writer of a path at a time),
 * fsync, rename, fsync of the directory.
 */
int file_write_atomic(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
		      struct error *err);

/* Writes all of it, over short writes and EINTR. */
int file_write_all(int fd, const void *data, size_t size);

/*
 * Opens something strictly beneath dir_fd: no symlink, no "..", no mount point is crossed
 * (openat2(2)), -EXDEV or -ELOOP otherwise. The caller owns the descriptor returned.
 */
int file_open_beneath(int dir_fd, const char *path, int flags, struct error *err);

/*
 * Makes one directory unless it exists, then gives it owner, group and mode in both cases.
 * -ENOTDIR otherwise.
 */
int file_make_dir(int dir_fd, const char *name, mode_t mode, uid_t uid, gid_t gid,
		  struct error *err);

/* Makes path and its parents like mkdir -p; existing directories are left as they are. */
int file_make_path(const char *path, mode_t mode, struct error *err);

/*
 * Removes name below dir_fd with everything in it, however deep. Never follows a symlink and
 * never crosses a mount point (-EXDEV). A name that does not exist is success.
 */
int file_remove_tree(int dir_fd, const char *name, struct error *err);

/*
 * Opens (making it) and locks path exclusively without waiting. -EBUSY when another process
 * holds it.
 */
int file_lock(const char *path, struct error *err);

/* The directory of the running program's file, resolved; the caller frees. */
char *file_program_dir(void);
