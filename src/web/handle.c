#include "web/handle.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "web/call.h"
#include "web/openapi.h"
#include "web/query.h"
#include "web/reply.h"
#include "web/stream.h"

#include <event2/buffer.h>
#include <event2/http.h>

#include <errno.h>
#include <string.h>

#define COOKIE_MAX_AGE_S 43200

/* ---- what skepd answers ---- */

static int build(struct exchange *x, json_t **ret, struct error *err)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(x->req);
	size_t size = evbuffer_get_length(input);
	const char *body = size > 0 ? (const char *)evbuffer_pullup(input, -1) : "";

	return call_build(&x->guarded, body, size, ret, err);
}

static void call(struct exchange *x, exchange_line_fn fn)
{
	struct error err = {};
	json_t *request = NULL;

	if (build(x, &request, &err) < 0)
		reply_error(x, &err);
	else
		exchange_ask(x, request, fn);
}

/* ---- logging in and out ---- */

static void set_cookie(struct exchange *x, const char *value, int max_age_s)
{
	const struct site_name *name = x->guarded.name;
	_cleanup_free_ char *cookie =
		str_format("%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s",
			   guard_cookie_name(name), value, max_age_s,
			   name->tls ? "; Secure" : "");

	reply_add(x, "Set-Cookie", cookie);
}

/* The session goes into the cookie, where no script reads it, and not into the page. */
static void on_login(struct exchange *x, const char *line, size_t size)
{
	json_t *answer = NULL, *login = NULL;
	const char *session = NULL;
	struct error err = {};

	if (!reply_line_ok(line, size, NULL, 0)) {
		stats_refused(x->web->stats, "code");
		reply_line(x, line, size);
		return;
	}
	if (json_parse(line, size, &answer, &err) < 0 ||
	    json_get_object(answer, "login", true, &login, &err) < 0 ||
	    json_get_str(login, "session", true, &session, &err) < 0) {
		json_decref(answer);
		error_set_code(&err, EIO, "internal", "the controller's answer has no session");
		reply_error(x, &err);
		return;
	}
	known_add(&x->web->known, session);
	set_cookie(x, session, COOKIE_MAX_AGE_S);
	json_object_del(login, "session");
	reply_json(x, answer);
}

static void on_logout(struct exchange *x, const char *line, size_t size)
{
	if (reply_line_ok(line, size, NULL, 0)) {
		known_drop(&x->web->known, x->guarded.session);
		set_cookie(x, "", 0);
	}
	reply_line(x, line, size);
}

/* ---- what machines ask ---- */

static bool has_token(const struct exchange *x)
{
	static const char scheme[] = "Bearer ";
	const char *token = x->web->config.metrics_token;
	const char *shown =
		evhttp_find_header(evhttp_request_get_input_headers(x->req), "Authorization");
	unsigned char differs = 0;

	if (!token || !shown || strncmp(shown, scheme, sizeof(scheme) - 1) != 0)
		return false;
	shown += sizeof(scheme) - 1;
	if (strlen(shown) != strlen(token))
		return false;
	for (size_t i = 0; token[i]; i++)
		differs |= (unsigned char)(token[i] ^ shown[i]);
	return differs == 0;
}

/* Calls fn for who may know more than whether we are up; anybody else is refused. */
static void for_insiders(struct exchange *x, exchange_fn fn)
{
	static const struct refusal why = {401, "unauthorized", "token",
					   "this needs a login, or the token for metrics"};

	if (has_token(x))
		fn(x);
	else if (x->guarded.session[0])
		exchange_admit(x, fn);
	else
		reply_refusal(x, &why);
}

static void on_metrics(struct exchange *x, const char *line, size_t size)
{
	_cleanup_buf_ struct buf text = {};
	json_t *answer = NULL;
	json_t *ours =
		stats_list(x->web->stats, x->web->n_streams, clients_count(x->web->clients));

	if (line)
		(void)json_parse(line, size, &answer, NULL);
	stats_render(&text, ours, json_object_get(answer, "metrics"));
	json_decref(ours);
	json_decref(answer);
	reply_bytes(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&text),
		    text.size);
}

static void metrics(struct exchange *x)
{
	exchange_ask(x, json_pack("{s:s}", "cmd", "metrics"), on_metrics);
}

static bool is_ready(const char *line, size_t size)
{
	json_t *answer = NULL, *ready = NULL;
	bool ok = false;

	if (json_parse(line, size, &answer, NULL) == 0 &&
	    json_get_object(answer, "ready", true, &ready, NULL) == 0)
		(void)json_get_bool(ready, "ok", true, &ok, NULL);
	json_decref(answer);
	return ok;
}

static void on_ready(struct exchange *x, const char *line, size_t size)
{
	bool ok = is_ready(line, size);
	const char *word = ok ? "ready\n" : "not ready\n";

	reply_bytes(x, ok ? 200 : 503, "text/plain; charset=utf-8", word, strlen(word));
}

static void on_ready_verbose(struct exchange *x, const char *line, size_t size)
{
	reply_bytes(x, is_ready(line, size) ? 200 : 503, "application/json", line, size);
}

static void ready_verbose(struct exchange *x)
{
	exchange_ask(x, json_pack("{s:s}", "cmd", "ready"), on_ready_verbose);
}

static void ready(struct exchange *x)
{
	json_t *asked = json_object();
	struct error err = {};
	int r = query_read(x->guarded.query, x->guarded.route->params, asked, &err);
	bool verbose = json_is_true(json_object_get(asked, "verbose"));

	json_decref(asked);
	if (r < 0)
		reply_error(x, &err);
	else if (verbose)
		for_insiders(x, ready_verbose);
	else
		exchange_ask(x, json_pack("{s:s}", "cmd", "ready"), on_ready);
}

/* ---- files ---- */

static void asset(struct exchange *x, const char *path)
{
	static const struct refusal why = {404, "not_found", "route", "there is nothing here"};
	const struct asset *found = assets_find(x->web->config.assets, path);

	if (found)
		reply_asset(x, found);
	else
		reply_refusal(x, &why);
}

static void openapi(struct exchange *x)
{
	reply_bytes(x, 200, "application/json", openapi_text, openapi_size());
}

void handle(struct exchange *x)
{
	switch (x->guarded.route->kind) {
	case ROUTE_PAGE:
		asset(x, "/");
		return;
	case ROUTE_ASSET:
		asset(x, x->guarded.path);
		return;
	case ROUTE_CALL:
		call(x, reply_line);
		return;
	case ROUTE_LOGIN:
		call(x, on_login);
		return;
	case ROUTE_LOGOUT:
		call(x, on_logout);
		return;
	case ROUTE_LOG:
		stream_log(x);
		return;
	case ROUTE_EVENTS:
		stream_events(x);
		return;
	case ROUTE_OPENAPI:
		exchange_admit(x, openapi);
		return;
	case ROUTE_METRICS:
		for_insiders(x, metrics);
		return;
	case ROUTE_LIVE:
		reply_bytes(x, 200, "text/plain; charset=utf-8", "alive\n", 6);
		return;
	case ROUTE_READY:
		ready(x);
		return;
	}
}
