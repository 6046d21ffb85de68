/* `skepd --standalone`: the root process that brings up skep-exec and skepd and keeps the two
 * running. */
#pragma once

#include "skepd/options.h"

/* Runs until SIGTERM or SIGINT, then takes the hive down. Returns 0, or −errno with err. */
int standalone(const struct options *options, struct error *err);

/* First thing in the process started for skepd: gives up root for good. */
int standalone_drop(const struct options *options, struct error *err);
