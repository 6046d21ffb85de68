/*
 * An agent's own files copied for another agent: everything there was written by a container
 * and may change meanwhile, so all of it goes by descriptors, nothing is followed, no mount is
 * crossed, and what is no file, directory or symlink is left out.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

struct copy_state {
	uid_t from_base, to_base;      /* owners keep their place in the range */
	uint64_t max_files, max_bytes; /* -E2BIG past them; bytes on disk, holes are kept */
	uint64_t files, bytes, shared_bytes, left_out; /* what it did */
};

/*
 * Copies the contents of a directory into an empty one, modes and times included, owners
 * shifted to the other range. Data is shared with the original where the file system can
 * (FICLONE). name says in errors what is copied. Blocks.
 */
int copy_state(int from_fd, int into_fd, const char *name, struct copy_state *state,
	       struct error *err);
