/* What stands after the '?' of a URL, as the keys of a request to skepd. */
#pragma once

#include "base/error.h"
#include "web/route.h"

#include <jansson.h>

/*
 * Sets in request what the route takes from "a=1&b=x%20y". A name the route does not take, one
 * that comes twice, a value that is not UTF-8, and a number that is none are -EINVAL.
 */
int query_read(const char *query, const struct route_param *params, json_t *request,
	       struct error *err);
