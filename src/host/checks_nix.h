/* The Nix of this machine: where it is, and whether one would build with it. */
#pragma once

#include "base/error.h"

#include <jansson.h>

/* Its program, the caller's; -ENOENT when there is none. Not searched on anybody's PATH. */
int nix_program(char **ret, struct error *err);

/* Adds the check "nix": its version and known holes of that, its daemon. */
void check_nix(json_t *checks);

/* What is known against a version ("2.18.1"), NULL: nothing. Static. */
const char *nix_known_hole(const char *version);
