#include "web/call.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "web/query.h"

#include <errno.h>
#include <string.h>

int call_status(const char *code)
{
	static const struct {
		const char *code;
		int status;
	} table[] = {
		{"bad_request", 400},  {"unknown_cmd", 404}, {"bad_name", 400},
		{"empty_scope", 400},  {"unsupported", 400}, {"unauthorized", 401},
		{"forbidden", 403},    {"step_up", 403},     {"not_found", 404},
		{"exists", 409},       {"wrong_state", 409}, {"stale", 409},
		{"superseded", 409},   {"expired", 409},     {"idem_mismatch", 409},
		{"too_large", 413},    {"needs_ack", 422},   {"blocked", 422},
		{"rate_limited", 429}, {"busy", 503},        {"unavailable", 503},
	};

	for (size_t i = 0; code && i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].code, code) == 0)
			return table[i].status;
	return 500;
}

/* Not the body's to say: who asks, what is asked, of what; and to wait for a build holds a
 * connection for minutes. */
static int check_keys(const struct route *route, const json_t *body, struct error *err)
{
	static const char *const reserved[] = {"cmd", "version", "session", "key", "wait"};

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (json_object_get(body, reserved[i]))
			return error_set(err, EINVAL, "'%s' is not for the body to say",
					 reserved[i]);
	if ((strstr(route->path, "{id}") && json_object_get(body, "id")) ||
	    (route->subject &&
	     (json_object_get(body, "name") || json_object_get(body, route->subject))))
		return error_set(err, EINVAL,
				 "what it is about stands in the path, not in the body");
	return 0;
}

static int read_body(const struct route *route, const char *text, size_t size, json_t *request,
		     struct error *err)
{
	json_t *body = NULL;
	int r = json_parse(text, size, &body, err);

	if (r == 0 && !json_is_object(body))
		r = error_set(err, EINVAL, "the body must be a JSON object");
	if (r == 0)
		r = check_keys(route, body, err);
	if (r == 0)
		json_object_update(request, body);
	json_decref(body);
	return r;
}

static void put_subject(const struct route *route, const struct route_args *args,
			json_t *request)
{
	if (args->id >= 0)
		json_object_set_new(request, "id", json_integer(args->id));
	if (!route->subject)
		return;
	if (strcmp(route->subject, "scope") == 0)
		json_object_set_new(request, "scope",
				    json_pack("{s:[s]}", "agent_names", args->name));
	else
		json_object_set_new(request, route->subject, json_string(args->name));
}

int call_build(const struct guarded *g, const char *body, size_t size, json_t **ret,
	       struct error *err)
{
	const struct route *route = g->route;
	json_t *request = json_pack("{s:s}", "cmd", route->cmd), *fixed = NULL;
	int r = 0;

	if (strcmp(route->method, "POST") == 0)
		r = read_body(route, body, size, request, err);
	else
		r = query_read(g->query, route->params, request, err);
	if (r < 0) {
		json_decref(request);
		return r;
	}
	put_subject(route, &g->args, request);
	if (route->fixed && json_parse(route->fixed, strlen(route->fixed), &fixed, err) == 0)
		json_object_update(request, fixed);
	json_decref(fixed);
	if (route_needs_session(route))
		json_object_set_new(request, "session", json_string(g->session));
	if (route_needs_key(route))
		json_object_set_new(request, "key", json_string(g->key));
	*ret = request;
	return 0;
}
