/*
 * Verbs that skep-exec's own sandbox would not let through. Under systemd its unit may not
 * enter namespaces nor see the host's mounts and processes, so these verbs run in short units
 * of their own, with the request, its descriptors and its answers on one socket.
 */
#pragma once

#include "host/verb.h"

/*
 * Runs `here` in this process where nothing forbids it (supervisor_standalone), else the named
 * verb in a transient unit `skep-exec outside ...`. Blocks; stop_fd works in both cases.
 */
int outside_run(struct verb_request *request, const char *verb, verb_fn here, json_t *answer,
		struct error *err);

struct outside_verb {
	const char *verb; /* NULL after the last */
	verb_fn fn;
};

/*
 * The other half, main() of `skep-exec outside`: serves the one request that comes over the
 * socket on standard input, by one of this layer's verbs or of those given. argv are the
 * arguments after "outside". Returns the exit status.
 */
int outside_main(int argc, char **argv, const struct outside_verb *more);
