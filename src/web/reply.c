#include "web/reply.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "web/call.h"
#include "wire/answer.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>

#include <errno.h>
#include <string.h>

#define JSON_TYPE "application/json"

static const struct {
	const char *name, *value;
} fixed_headers[] = {
	{"Content-Security-Policy",
	 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
	 "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
	 "require-trusted-types-for 'script'; trusted-types 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()"},
};

static const char *phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} table[] = {
		{200, "OK"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{409, "Conflict"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{421, "Misdirected Request"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{503, "Service Unavailable"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].status == status)
			return table[i].phrase;
	return "Internal Server Error";
}

void reply_add(struct exchange *x, const char *name, const char *value)
{
	(void)evhttp_add_header(evhttp_request_get_output_headers(x->req), name, value);
}

void reply_headers(struct exchange *x, const char *type, const char *cache)
{
	for (size_t i = 0; i < ARRAY_SIZE(fixed_headers); i++)
		reply_add(x, fixed_headers[i].name, fixed_headers[i].value);
	reply_add(x, "Cache-Control", cache ? cache : "no-store");
	if (type)
		reply_add(x, "Content-Type", type);
}

static void on_sent(struct evhttp_request *req, void *data)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(req);
	struct client *client = NULL;

	if (connection)
		client = clients_find(data, evhttp_connection_get_bufferevent(connection));
	if (client)
		client_done(client);
}

/* The last step of every answer but a stream's. */
static void finish(struct exchange *x, int status, struct evbuffer *body)
{
	struct client *client = exchange_client(x);
	char length[24];

	stats_answered(x->web->stats, x->guarded.route, status, x->started_us);
	if (evhttp_request_get_command(x->req) == EVHTTP_REQ_HEAD) {
		(void)snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
		reply_add(x, "Content-Length", length);
		(void)evbuffer_drain(body,
				     evbuffer_get_length(body)); /* evhttp would send it */
	}
	if (client)
		client_answering(client);
	evhttp_request_set_on_complete_cb(x->req, on_sent, x->web->clients);
	evhttp_send_reply(x->req, status, phrase(status), body);
	evbuffer_free(body);
	exchange_free(x);
}

void reply_bytes(struct exchange *x, int status, const char *type, const char *data,
		 size_t size)
{
	struct evbuffer *body = evbuffer_new();

	reply_headers(x, type, NULL);
	(void)evbuffer_add(body, data, size);
	finish(x, status, body);
}

bool reply_line_ok(const char *line, size_t size, char *code, size_t code_size)
{
	static const char good[] = "{\"version\":1,\"ok\":true";
	json_t *answer = NULL;
	const char *said = NULL;
	bool ok = false;

	if (size > sizeof(good) && memcmp(line, good, sizeof(good) - 1) == 0)
		return true;
	if (json_parse(line, size, &answer, NULL) == 0 && json_is_object(answer)) {
		(void)json_get_bool(answer, "ok", true, &ok, NULL);
		(void)json_get_str(answer, "code", false, &said, NULL);
	}
	if (code)
		(void)snprintf(code, code_size, "%s", said ? said : "internal");
	json_decref(answer);
	return ok;
}

void reply_line(struct exchange *x, const char *line, size_t size)
{
	char code[32];
	bool ok = reply_line_ok(line, size, code, sizeof(code));

	reply_bytes(x, ok ? 200 : call_status(code), JSON_TYPE, line, size);
}

void reply_json(struct exchange *x, json_t *answer)
{
	_cleanup_free_ char *line = json_line(answer);

	json_decref(answer);
	reply_line(x, line, strlen(line));
}

void reply_error(struct exchange *x, const struct error *err)
{
	if (error_passes(err))
		reply_add(x, "Retry-After", "1");
	reply_json(x, answer_error(err));
}

void reply_refusal(struct exchange *x, const struct refusal *why)
{
	struct error err = {};
	_cleanup_free_ char *line = NULL;
	json_t *answer;

	stats_refused(x->web->stats, why->reason);
	error_set_code(&err, EINVAL, why->code, "%s", why->text);
	answer = answer_error(&err);
	line = json_line(answer);
	json_decref(answer);
	/* what else came with a request that was not well formed is not looked at */
	if (why->status == 400)
		reply_add(x, "Connection", "close");
	if (why->status == 405)
		reply_add(x, "Allow", "GET, HEAD, POST");
	reply_bytes(x, why->status, JSON_TYPE, line, strlen(line));
}

static const char *request_header(const struct exchange *x, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(x->req), name);
}

void reply_asset(struct exchange *x, const struct asset *asset)
{
	const struct asset_body *body =
		asset_choose(asset, request_header(x, "Accept-Encoding"));
	struct evbuffer *out = evbuffer_new();
	bool known = asset_is_known(body, request_header(x, "If-None-Match"));

	reply_headers(x, asset->type,
		      asset->immutable ? "public, max-age=31536000, immutable" : NULL);
	reply_add(x, "ETag", body->etag);
	reply_add(x, "Vary", "Accept-Encoding");
	if (body->encoding)
		reply_add(x, "Content-Encoding", body->encoding);
	if (!known)
		(void)evbuffer_add_reference(out, body->data, body->size, NULL, NULL);
	finish(x, known ? 304 : 200, out);
}
