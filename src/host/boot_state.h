/* How the boot of a container went, asked of the system inside. */
#pragma once

#include "host/verb.h"

/*
 * Adds "boot_state" and "failed_units" of the agent that the request's arguments name. Waits
 * for the end of the boot.
 */
int verb_boot_state(struct verb_request *request, json_t *answer, struct error *err);
