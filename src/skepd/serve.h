/* skepd itself: uid skep, the hive on its loop, from the lock to the last goodbye. */
#pragma once

#include "skepd/options.h"

/* Runs until SIGTERM or SIGINT. Returns 0, or −errno with err. */
int serve(const struct options *options, struct error *err);
