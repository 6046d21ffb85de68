/* Programs of the machine that are run to their end: found in fixed places, never on a caller's
 * PATH. */
#pragma once

#include "base/error.h"

#include <stdint.h>

/*
 * Runs NAME with arguments (NULL-terminated, without the name) in an empty directory of its own
 * below scratch, which is removed again, with a clean environment. What it said on standard
 * error is in the failure: "nixos-container create h-a failed (exited with status 2): ...".
 * -ENOENT: this machine has no such program. Blocks; changes the working directory.
 */
int tool_run(const char *scratch, const char *name, const char *const *arguments,
	     int64_t timeout_ms, struct error *err);

/* Its file; NULL when there is none. The caller frees it. */
char *tool_find(const char *name);
