#include "web/exchange.h"

#include "base/buf.h"
#include "web/reply.h"

#include <event2/bufferevent.h>
#include <event2/http.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 48    /* requests to skepd at once */
#define STRANGERS_MAX 8 /* of them, those with a session nobody has vouched for yet */
#define ANSWER_MS 45000 /* longer than skepd's own deadline for a diff */

struct exchange *exchange_new(struct web *web, struct evhttp_request *req)
{
	struct exchange *x = mem_new(1, sizeof(*x));

	x->web = web;
	x->req = req;
	x->started_us = stats_now_us();
	return x;
}

static void leave(struct exchange *x)
{
	if (!x->link)
		return;
	link_close(x->link);
	x->link = NULL;
	x->web->n_calls--;
	x->web->n_strangers -= x->stranger;
	x->stranger = false;
}

void exchange_free(struct exchange *x)
{
	leave(x);
	free(x);
}

struct client *exchange_client(const struct exchange *x)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(x->req);

	return connection ? clients_find(x->web->clients,
					 evhttp_connection_get_bufferevent(connection))
			  : NULL;
}

/* What skepd says of a session is remembered: only for who may go first. */
static void note_session(struct exchange *x, const char *line, size_t size)
{
	struct client *client = exchange_client(x);
	char code[32];

	if (!x->guarded.session[0] || !route_needs_session(x->guarded.route))
		return;
	if (reply_line_ok(line, size, code, sizeof(code))) {
		known_add(&x->web->known, x->guarded.session);
		if (client)
			client_trust(client);
	} else if (strcmp(code, "unauthorized") == 0) {
		known_drop(&x->web->known, x->guarded.session);
	}
}

static void on_line(const char *line, size_t size, void *data)
{
	struct exchange *x = data;

	note_session(x, line, size);
	leave(x);
	x->on_line(x, line, size);
}

static void on_end(const struct error *err, void *data)
{
	struct exchange *x = data;
	struct error copy = *err;

	x->link = NULL;
	x->web->n_calls--;
	x->web->n_strangers -= x->stranger;
	x->stranger = false;
	reply_error(x, &copy);
}

void exchange_ask(struct exchange *x, json_t *request, exchange_line_fn fn)
{
	bool stranger = !known_has(&x->web->known, x->guarded.session);
	struct error err = {};
	int r;

	if (x->web->n_calls >= CALLS_MAX ||
	    (stranger && x->web->n_strangers >= STRANGERS_MAX)) {
		json_decref(request);
		error_set_code(&err, EBUSY, "busy", "more than %d requests at once; try again",
			       x->web->n_calls >= CALLS_MAX ? CALLS_MAX : STRANGERS_MAX);
		reply_error(x, &err);
		return;
	}
	x->on_line = fn;
	r = link_open(x->web->loop, x->web->config.socket, request, ANSWER_MS, on_line, on_end,
		      x, &x->link, &err);
	if (r < 0) {
		if (r != -E2BIG)
			error_set_code(&err, EAGAIN, "unavailable",
				       "the controller cannot be reached; is skepd running?");
		reply_error(x, &err);
		return;
	}
	x->stranger = stranger;
	x->web->n_calls++;
	x->web->n_strangers += stranger;
}

static void on_admitted(struct exchange *x, const char *line, size_t size)
{
	if (reply_line_ok(line, size, NULL, 0))
		x->next(x);
	else
		reply_line(x, line, size);
}

void exchange_admit(struct exchange *x, exchange_fn fn)
{
	x->next = fn;
	exchange_ask(x,
		     json_pack("{s:s,s:s}", "cmd", "web_session", "session",
			       x->guarded.session),
		     on_admitted);
}
