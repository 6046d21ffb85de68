/* The daemon: takes requests, has each done by a process of its own, and says what happens by
 * itself. */
#pragma once

#include "base/error.h"
#include "skep-exec/options.h"

/*
 * Serves until it is told to end (SIGTERM, SIGINT) or, standalone, until skepd's end of the
 * connection is closed. Containers run on.
 */
int daemon_run(const struct options *options, struct error *err);
