/* What there is beside the driver's table for containers of nixos-container. */
#pragma once

#include "base/error.h"
#include "host/place.h"

#include <jansson.h>

/*
 * Takes over a container that was made by hand under an agent's name: from then on skep changes
 * it. -ENOENT: there is none; -EPERM: it is declared in the machine's configuration.
 */
int nixos_adopt(const struct place *place, const char *agent, struct error *err);

/* Names of containers that look like ours and are not (an array the caller owns). A directory
 * that cannot be listed is an error. */
int nixos_strangers(const struct place *place, json_t **ret, struct error *err);
