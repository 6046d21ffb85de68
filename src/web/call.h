/* A request over HTTP as one to skepd. */
#pragma once

#include "base/error.h"
#include "web/guard.h"

#include <jansson.h>
#include <stddef.h>

/*
 * Builds {"cmd":…, what the path, the query and the body say, "session"?, "key"?}. The body is
 * one JSON object of the verb's own keys; those that path, cookie and header decide, and
 * "wait", are refused in it. The caller owns *ret.
 */
int call_build(const struct guarded *guarded, const char *body, size_t size, json_t **ret,
	       struct error *err);

/* The HTTP status an answer's code stands for. */
int call_status(const char *code);
