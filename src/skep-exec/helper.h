/* Running skep-export and skep-build: under their own uids, with descriptors instead of paths,
 * a line of JSON as result. */
#pragma once

#include "base/child.h"
#include "base/error.h"
#include "host/place.h"

#include <jansson.h>
#include <stddef.h>

#define HELPER_MAX_FDS 4

struct helper {
	const char *program;     /* beside skep-exec */
	const char *const *args; /* NULL-terminated, without the program's name */
	const struct child_fd *fds;
	size_t n_fds;
	const json_t *input; /* given as standard input; may be NULL */
	int result_fd; /* number of the descriptor on which it writes its result; -1: none */
};

/*
 * Runs it to its end. Its {"ok":false,...} is our error; *ret (may be NULL) is the result, the
 * caller's. Blocks; whoever waits for us has the deadline.
 */
int helper_run(const struct place *place, const struct helper *helper, json_t **ret,
	       struct error *err);
