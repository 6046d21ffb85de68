/* The check of who has the dashboard's port. */
#pragma once

#include "host/ports.h"

#include <jansson.h>
#include <stdbool.h>

/* Adds it. Looks in the network of this process. */
void checks_port(json_t *checks, uint16_t port);

/* Whether a listener is one of ours: its socket was made by root, for systemd, skepd or
 * skep-web, as far as can be seen. */
bool checks_port_is_ours(const struct listener *listener);
