/* What a machine has for a hive, where no daemon can be asked. */
#pragma once

#include "base/error.h"

#include <jansson.h>

/*
 * Adds to *checks* what the root helper beside this program finds. Needs root. Blocks, up to a
 * minute.
 */
int machine_checks(json_t *checks, struct error *err);
