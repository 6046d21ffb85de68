/*
 * The one check that every request passes before anything is done for it: how it is written
 * (what evhttp lets through and should not), under which name we were asked, which page asked,
 * and what it shows to be let in. Pure, so that a table of heads tests it.
 */
#pragma once

#include "web/head.h"
#include "web/route.h"
#include "web/site.h"

#include <stdbool.h>

#define TOKEN_HEX 64
#define TOKEN_SIZE (TOKEN_HEX + 1)
#define TARGET_MAX 2048

/* What is known of a request that passed. Strings of the head are borrowed from it. */
struct guarded {
	const struct route *route;
	struct route_args args;
	const struct site_name *name; /* what we were called */
	char path[TARGET_MAX + 1];
	const char *query;        /* after the '?'; "" when there is none */
	char session[TOKEN_SIZE]; /* "" when there is none */
	char key[TOKEN_SIZE];
};

struct refusal {
	int status;
	const char *code;   /* the protocol's */
	const char *reason; /* one word, for counting */
	const char *text;
};

/* Returns true and fills *ret, or false and fills *why; a route that was found is in ret in
 * both cases, else NULL. */
bool guard_check(const struct site *site, const struct head *head, struct guarded *ret,
		 struct refusal *why);

/* The name of the session's cookie; it differs under TLS, where browsers enforce more. */
const char *guard_cookie_name(const struct site_name *name);
