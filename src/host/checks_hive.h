/* The checks of what is the hive's own on this machine: sockets, directories, leftovers, Nix.
 */
#pragma once

#include "host/place.h"
#include "host/supervisor.h"

#include <jansson.h>
#include <stdbool.h>

/* Adds them to what checks_run() makes. */
void checks_hive(json_t *checks, const struct place *place,
		 const struct supervisor *supervisor);

/*
 * What is wrong with a version of Nix as `nix --version` prints it: NULL when nothing is known;
 * static. *ret_hole: it lets a build out, and is not only old.
 */
const char *checks_nix_fault(const char *text, bool *ret_hole);
