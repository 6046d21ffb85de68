#include "web/web.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "web/exchange.h"
#include "web/handle.h"
#include "web/reply.h"
#include "web/stream.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Limits of evhttp, which has none of its own. */
#define HEADERS_MAX_BYTES (16 << 10)
#define BODY_MAX_BYTES (64 << 10)
#define IDLE_S 10
#define CLIENTS_MAX 512
#define FIELDS_MAX 64

#define ACCEPT_PAUSE_MS 200 /* when descriptors have run out */
#define LOG_EVERY_S 10      /* lines of libevent's own */

/* ---- one request ---- */

static const char *method_name(struct evhttp_request *req)
{
	switch (evhttp_request_get_command(req)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
	case EVHTTP_REQ_DELETE:
	case EVHTTP_REQ_OPTIONS:
	case EVHTTP_REQ_TRACE:
	case EVHTTP_REQ_CONNECT:
	case EVHTTP_REQ_PATCH:
		break;
	}
	return "OTHER";
}

static bool check(struct web *web, struct exchange *x, struct refusal *why)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(x->req);
	struct head_field fields[FIELDS_MAX];
	struct head head = {
		.method = method_name(x->req),
		.target = evhttp_request_get_uri(x->req),
		.fields = fields,
		.body_bytes = evbuffer_get_length(evhttp_request_get_input_buffer(x->req)),
	};
	struct evkeyval *field;

	TAILQ_FOREACH(field, headers, next)
	{
		if (head.n_fields == FIELDS_MAX) {
			*why = (struct refusal){400, "bad_request", "malformed",
						"more headers than any browser sends"};
			return false;
		}
		fields[head.n_fields++] = (struct head_field){field->key, field->value};
	}
	return guard_check(web->config.site, &head, &x->guarded, why);
}

static void on_request(struct evhttp_request *req, void *data)
{
	struct web *web = data;
	struct exchange *x = exchange_new(web, req);
	struct client *client = exchange_client(x);
	struct refusal why = {};

	if (client)
		client_arrived(client);
	if (check(web, x, &why))
		handle(x);
	else
		reply_refusal(x, &why);
}

/* ---- accepting ---- */

static void on_accept_again(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	(void)evconnlistener_enable(data);
}

/* Out of descriptors, mostly: to try again at once would be to do nothing else. The data is
 * evhttp's. */
static void on_accept_error(struct evconnlistener *listener, void *data)
{
	struct timeval pause = {.tv_usec = ACCEPT_PAUSE_MS * 1000};

	(void)data;
	(void)evconnlistener_disable(listener);
	(void)event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT,
			      on_accept_again, listener, &pause);
}

static int listen_on(struct web *web, size_t i, struct error *err)
{
	int fd = web->config.listeners[i];
	int on = 1;
	struct evconnlistener *listener;

	(void)evutil_make_socket_nonblocking(fd);
	(void)evutil_make_socket_closeonexec(fd);
	/* accepted sockets inherit it; a unix socket has none */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	listener = evconnlistener_new(loop_base(web->loop), NULL, NULL,
				      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!listener || !evhttp_bind_listener(web->http, listener))
		return error_set(err, EINVAL, "descriptor %d is not a listening socket", fd);
	evconnlistener_set_error_cb(listener, on_accept_error);
	return 0;
}

/* ---- setting up ---- */

static void on_libevent_line(int severity, const char *text)
{
	static time_t last;
	time_t now = time(NULL);

	if (severity < EVENT_LOG_WARN || (last && now - last < LOG_EVERY_S))
		return;
	last = now;
	log_line(LOG_WARNING, "libevent: %s", text);
}

static int start(struct web *web, struct error *err)
{
	int r = 0;

	event_set_log_callback(on_libevent_line);
	web->http = evhttp_new(loop_base(web->loop));
	if (!web->http)
		return error_set(err, ENOMEM, "cannot make a server");
	evhttp_set_max_headers_size(web->http, HEADERS_MAX_BYTES);
	evhttp_set_max_body_size(web->http, BODY_MAX_BYTES);
	evhttp_set_timeout(web->http, IDLE_S);
	evhttp_set_allowed_methods(web->http,
				   EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_default_content_type(web->http, "text/plain; charset=utf-8");
	evhttp_set_bevcb(web->http, clients_on_accept, web->clients);
	evhttp_set_gencb(web->http, on_request, web);
	for (size_t i = 0; i < web->config.n_listeners && r == 0; i++)
		r = listen_on(web, i, err);
	return r;
}

int web_new(struct loop *loop, const struct web_config *config, struct web **ret,
	    struct error *err)
{
	struct web *web = mem_new(1, sizeof(*web));
	int r;

	web->loop = loop;
	web->config = *config;
	web->stats = stats_new();
	web->clients = clients_new(loop, CLIENTS_MAX);
	r = start(web, err);
	if (r < 0) {
		web_free(web);
		return r;
	}
	streams_start(web);
	*ret = web;
	return 0;
}

void web_free(struct web *web)
{
	if (!web)
		return;
	streams_stop(web);
	if (web->http)
		evhttp_free(web->http);
	clients_free(web->clients);
	stats_free(web->stats);
	free(web);
}
