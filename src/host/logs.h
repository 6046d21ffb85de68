/*
 * The journal of a container. While it runs, the container's own journalctl reads it; of one
 * that is stopped this machine's does, as the agent's own user and with no more rights than
 * that.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define LOGS_WORDS 40

/* The command line of a journalctl. Words it owns are in owned. */
struct logs_command {
	const char *argv[LOGS_WORDS];
	char *owned[LOGS_WORDS];
	size_t count, n_owned;
	bool follow;
};

/*
 * From the arguments of the verb: lines (100), follow, since, until, after_cursor, priority
 * ("warning", "0..4"), output ("text" or "json"), mine (without what the system inside says of
 * itself when all is well). A value that journalctl could take for something else is -EINVAL.
 * The caller releases it, also after a failure.
 */
int logs_command_init(struct logs_command *command, const json_t *arguments, struct error *err);
void logs_command_release(struct logs_command *command);

/* main() of `skep-exec journal UID GID WORD...`: becomes that user, then journalctl with the
 * words, on the directory that is descriptor 3. Returns the exit status of a failure. */
int logs_main(int argc, char **argv);
