/* What is taken over from the state directory of another controller, on its way into ours. */
#pragma once

#include "host/verb.h"

/*
 * The copy of one of its repositories: what is "applied" or "config" of the agent the request
 * names, or "meta". It belongs to the request's owner. The descriptor is the caller's.
 */
int import_open(const struct verb_request *request, const char *what, struct error *err);
