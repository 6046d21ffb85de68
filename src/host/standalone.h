/* What the standalone supervisor has beside the functions of every supervisor. */
#pragma once

#include "host/supervisor.h"

#include <stdbool.h>

/*
 * Called when an nspawn has ended without being asked to: ends what it left behind and notes
 * how it ended, for inspect. 1: so it was; 0: it runs again, was stopped meanwhile, or this is
 * known already.
 */
int standalone_ended(const struct place *place, const char *agent, const char *exit, bool clean,
		     struct error *err);
