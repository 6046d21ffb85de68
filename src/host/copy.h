/* Copies of directory trees, by descriptors: no symlink of either side is ever followed. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct copy {
	uid_t uid; /* owner of everything that is made */
	gid_t gid;
	uint64_t files, bytes;         /* so far */
	uint64_t max_files, max_bytes; /* -E2BIG past them */
};

/*
 * Lays the contents of a directory over those of another: directories are merged, files and
 * symlinks replace files and symlinks. Where a directory meets anything else, or anything meets
 * a symlink at the top of into_fd, it is -EEXIST naming the path. Modes are kept without
 * setuid, setgid and sticky bits; special files are -EINVAL. name says in errors what is
 * copied.
 */
int copy_over(int from_fd, int into_fd, const char *name, const char *skip, struct copy *copy,
	      struct error *err);

/*
 * Copies one entry (file, symlink or tree) unless it does not exist. Left out is what not
 * everybody may read, so no secret travels, and what is no file, symlink or directory. name
 * says in errors where it comes from.
 */
int copy_entry(int from_fd, const char *from, int into_fd, const char *into, const char *name,
	       struct copy *copy, struct error *err);
