#include "web/route.h"

#include "base/error.h"
#include "model/names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_DIGITS_MAX 15

static const struct route_param agent_log[] = {{"follow", "follow", PARAM_FLAG},
					       {"lines", "lines", PARAM_INT},
					       {"since", "since", PARAM_TEXT},
					       {}};
static const struct route_param build_log[] = {{"follow", "follow", PARAM_FLAG}, {}};
static const struct route_param usage[] = {{"history", "history", PARAM_FLAG},
					   {"name", "names", PARAM_LIST},
					   {}};
static const struct route_param agents[] = {{"name", "names", PARAM_LIST},
					    {"label", "labels", PARAM_LIST},
					    {}};
static const struct route_param proposals[] = {{"state", "status", PARAM_LIST},
					       {"agent", "agent", PARAM_TEXT},
					       {"kind", "kind", PARAM_LIST},
					       {"before", "before", PARAM_INT},
					       {"limit", "limit", PARAM_INT},
					       {}};
static const struct route_param page[] = {{"before", "before", PARAM_INT},
					  {"limit", "limit", PARAM_INT},
					  {}};
static const struct route_param limit[] = {{"limit", "limit", PARAM_INT}, {}};
static const struct route_param against[] = {{"against", "against", PARAM_NUMBER}, {}};
static const struct route_param from_to[] = {{"from", "from", PARAM_NUMBER},
					     {"to", "to", PARAM_NUMBER},
					     {}};
static const struct route_param events[] = {{"since", "since", PARAM_INT}, {}};
static const struct route_param verbose[] = {{"verbose", "verbose", PARAM_FLAG}, {}};

#define A "/api/v1"
#define AGENT A "/agents/{name}"
#define PROPOSAL A "/proposals/{id}"

#define PAGE(path)                                              \
	{                                                       \
		"GET", path, ROUTE_PAGE, NULL, NULL, NULL, NULL \
	}
#define GET(path, cmd, subject, params)                             \
	{                                                           \
		"GET", path, ROUTE_CALL, cmd, subject, NULL, params \
	}
#define POST(path, cmd, subject)                                   \
	{                                                          \
		"POST", path, ROUTE_CALL, cmd, subject, NULL, NULL \
	}
#define POST_FIXED(path, cmd, subject, fixed)                       \
	{                                                           \
		"POST", path, ROUTE_CALL, cmd, subject, fixed, NULL \
	}
#define OTHER(method, path, kind, cmd, subject, params)        \
	{                                                      \
		method, path, kind, cmd, subject, NULL, params \
	}

static const struct route routes[] = {
	PAGE("/"),
	PAGE("/login"),
	PAGE("/p/{id}"),
	PAGE("/a/{name}"),
	PAGE("/deploys"),
	PAGE("/audit"),
	OTHER("GET", "/static/{file}", ROUTE_ASSET, NULL, NULL, NULL),

	OTHER("POST", A "/login", ROUTE_LOGIN, "web_login", NULL, NULL),
	OTHER("POST", A "/logout", ROUTE_LOGOUT, "web_logout", NULL, NULL),
	POST(A "/step-up", "web_step_up", NULL),
	GET(A "/session", "web_session", NULL, NULL),

	GET(A "/status", "status", NULL, NULL),
	GET(A "/agents", "agent_status", NULL, agents),
	POST(A "/agents", "spawn", NULL),
	GET(AGENT, "agent", "name", NULL),
	GET(AGENT "/history", "history", "name", limit),
	GET(AGENT "/record", "agent_history", "name", page),
	GET(AGENT "/diff", "diff", "name", from_to),
	OTHER("GET", AGENT "/log", ROUTE_LOG, "logs", "name", agent_log),
	POST(AGENT "/start", "start", "scope"),
	POST(AGENT "/stop", "stop", "scope"),
	POST(AGENT "/restart", "restart", "name"),
	POST(AGENT "/rebuild", "rebuild", "name"),
	POST_FIXED(AGENT "/pause", "set_paused", "name", "{\"paused\":true}"),
	POST_FIXED(AGENT "/resume", "set_paused", "name", "{\"paused\":false}"),
	POST(AGENT "/freeze", "freeze", "name"),
	POST(AGENT "/thaw", "thaw", "name"),
	POST(AGENT "/rollback", "rollback", "name"),
	POST(AGENT "/settings", "set", "name"),
	POST(AGENT "/destroy", "destroy", "name"),
	GET(A "/usage", "usage", NULL, usage),

	GET(A "/proposals", "pending", NULL, proposals),
	GET(PROPOSAL, "proposal", NULL, NULL),
	GET(PROPOSAL "/diff", "diff", NULL, against),
	GET(PROPOSAL "/effect", "effect", NULL, NULL),
	OTHER("GET", PROPOSAL "/log", ROUTE_LOG, "build_log", NULL, build_log),
	POST(PROPOSAL "/approve", "approve", NULL),
	POST(PROPOSAL "/deny", "deny", NULL),
	POST(PROPOSAL "/cancel", "withdraw", NULL),
	POST(PROPOSAL "/seen", "seen", NULL),

	GET(A "/deploys", "history", NULL, limit),
	GET(A "/audit", "audit", NULL, page),
	GET(A "/audit/verify", "audit_verify", NULL, NULL),
	GET(A "/doctor", "doctor", NULL, NULL),
	GET(A "/drift", "drift", NULL, NULL),
	OTHER("GET", A "/openapi.json", ROUTE_OPENAPI, NULL, NULL, NULL),

	OTHER("GET", "/events", ROUTE_EVENTS, "subscribe_agent_status", NULL, events),
	OTHER("GET", "/metrics", ROUTE_METRICS, "metrics", NULL, NULL),
	OTHER("GET", "/livez", ROUTE_LIVE, NULL, NULL, NULL),
	OTHER("GET", "/readyz", ROUTE_READY, "ready", NULL, verbose),
	{},
};

const struct route *route_table(void)
{
	return routes;
}

static bool take_id(const char *text, size_t size, struct route_args *args)
{
	char digits[ID_DIGITS_MAX + 1];

	if (size == 0 || size > ID_DIGITS_MAX || (size > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < size; i++)
		if (!isdigit((unsigned char)text[i]))
			return false;
	memcpy(digits, text, size);
	digits[size] = '\0';
	args->id = strtoll(digits, NULL, 10);
	return true;
}

static bool take_name(const char *text, size_t size, struct route_args *args)
{
	struct error err = {};

	if (size == 0 || size >= sizeof(args->name))
		return false;
	memcpy(args->name, text, size);
	args->name[size] = '\0';
	return name_check(args->name, &err) == 0;
}

/* A file's name is looked up in a table as it is; here only what can never be in one is kept
 * out. */
static bool take_file(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i]))
			return false;
	return size > 0;
}

static bool take(const char *placeholder, const char *text, size_t size,
		 struct route_args *args)
{
	if (strncmp(placeholder, "{id}", 4) == 0)
		return take_id(text, size, args);
	if (strncmp(placeholder, "{name}", 6) == 0)
		return take_name(text, size, args);
	return take_file(text, size);
}

static bool matches(const char *pattern, const char *path, struct route_args *args)
{
	while (*pattern) {
		if (*pattern == '{') {
			size_t size = strcspn(path, "/");

			if (!take(pattern, path, size, args))
				return false;
			path += size;
			pattern = strchr(pattern, '}') + 1;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

static bool allows(const struct route *route, const char *method)
{
	return strcmp(route->method, method) == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0 &&
		!route_streams(route));
}

const struct route *route_find(const char *method, const char *path, struct route_args *ret,
			       bool *ret_other_method)
{
	*ret_other_method = false;
	for (const struct route *route = routes; route->method; route++) {
		struct route_args args = {.id = -1};

		if (!matches(route->path, path, &args))
			continue;
		if (allows(route, method)) {
			*ret = args;
			return route;
		}
		*ret_other_method = true;
	}
	return NULL;
}

bool route_is_api(const struct route *route)
{
	switch (route->kind) {
	case ROUTE_PAGE:
	case ROUTE_ASSET:
	case ROUTE_METRICS:
	case ROUTE_LIVE:
	case ROUTE_READY:
		return false;
	case ROUTE_CALL:
	case ROUTE_LOGIN:
	case ROUTE_LOGOUT:
	case ROUTE_LOG:
	case ROUTE_EVENTS:
	case ROUTE_OPENAPI:
		break;
	}
	return true;
}

bool route_needs_session(const struct route *route)
{
	return route_is_api(route) && route->kind != ROUTE_LOGIN;
}

bool route_needs_key(const struct route *route)
{
	return route_needs_session(route) && strcmp(route->method, "POST") == 0;
}

bool route_streams(const struct route *route)
{
	return route->kind == ROUTE_LOG || route->kind == ROUTE_EVENTS;
}
