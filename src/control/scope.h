/* Several agents at once: the scope of a request, as a list of names. */
#pragma once

#include "control/dispatch.h"

#include <jansson.h>

/*
 * Adds to names, an empty array, the agents that a request means: one by "name", or those of
 * "scope": {"all"|"agents":true}, "agent_names":[…], "labels":["key", "key=value"…]. Each once,
 * the manager first. Nothing may be touched unless all of it holds: an unknown name, an empty
 * scope, or an agent whose line is full fails the whole.
 */
int scope_resolve(struct session *session, const json_t *request, json_t *names,
		  struct error *err);
