#include "web/stream.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "web/hub.h"
#include "web/reply.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STREAMS_MAX 256
#define STREAMS_PER_SESSION 16
#define QUEUE_MAX (64 << 10)
#define KERNEL_QUEUE (64 << 10)
#define UPLOAD_MAX 4096 /* a client that talks on while it is answered is not listened to */
#define STREAM_S 3600
#define BEAT_MS 15000
#define STUCK_BEATS 3

/* ---- one stream ---- */

static void stream_free(struct stream *s)
{
	if (s->on_over)
		s->on_over(s);
	TAILQ_REMOVE(&s->web->streams, s, next);
	s->web->n_streams--;
	free(s);
}

/* evhttp leaves a request whose client went away in the middle of its answer to us. */
static void on_gone(struct evhttp_connection *connection, void *data)
{
	struct stream *s = data;

	(void)connection;
	if (!evhttp_request_get_connection(s->req))
		evhttp_request_free(s->req);
	stream_free(s);
}

/* Also from inside a callback of the connection's own output: evhttp touches it no more after
 * that. */
static void drop(struct stream *s)
{
	evhttp_connection_set_closecb(s->connection, NULL, NULL);
	evhttp_connection_free(s->connection);
	stream_free(s);
}

void stream_end(struct stream *s)
{
	evhttp_connection_set_closecb(s->connection, NULL, NULL);
	evhttp_send_reply_end(s->req);
	stream_free(s);
}

static void on_out(struct evhttp_connection *connection, void *data)
{
	struct stream *s = data;

	(void)connection;
	if (s->on_drained)
		s->on_drained(s);
}

void stream_send(struct stream *s, struct blob *blob)
{
	struct evbuffer *buffer = evbuffer_new();

	blob_add(blob, buffer);
	evhttp_send_reply_chunk_with_cb(s->req, buffer, on_out, s);
	evbuffer_free(buffer);
}

size_t stream_queued(const struct stream *s)
{
	return evbuffer_get_length(
		bufferevent_get_output(evhttp_connection_get_bufferevent(s->connection)));
}

bool stream_is_full(const struct stream *s)
{
	return stream_queued(s) > QUEUE_MAX;
}

bool stream_has_room(struct exchange *x)
{
	struct error err = {};
	struct stream *s;
	size_t own = 0;

	TAILQ_FOREACH(s, &x->web->streams, next)
	own += strcmp(s->session, x->guarded.session) == 0;
	if (own < STREAMS_PER_SESSION && x->web->n_streams < STREAMS_MAX)
		return true;
	if (own < STREAMS_PER_SESSION)
		error_set_code(&err, EAGAIN, "rate_limited",
			       "%d streams are open, and no more may: close some pages of the "
			       "dashboard",
			       STREAMS_MAX);
	else
		error_set_code(&err, EAGAIN, "rate_limited",
			       "this login has %d streams open, and no more may",
			       STREAMS_PER_SESSION);
	reply_error(x, &err);
	return false;
}

struct stream *stream_open(struct exchange *x)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(x->req);
	struct client *client = exchange_client(x);
	struct bufferevent *bev;
	struct stream *s;
	int size = KERNEL_QUEUE;

	if (!connection) {
		evhttp_send_error(x->req, 503, NULL); /* frees what nobody waits for */
		exchange_free(x);
		return NULL;
	}
	if (client)
		client_streaming(client);
	bev = evhttp_connection_get_bufferevent(connection);
	bufferevent_setwatermark(bev, EV_READ, 0, UPLOAD_MAX);
	(void)setsockopt(bufferevent_getfd(bev), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	evhttp_connection_set_timeout(connection, STREAM_S);
	s = mem_new(1, sizeof(*s));
	s->web = x->web;
	s->req = x->req;
	s->connection = connection;
	s->seq = -1;
	memcpy(s->session, x->guarded.session, TOKEN_SIZE);
	TAILQ_INSERT_TAIL(&s->web->streams, s, next);
	s->web->n_streams++;
	evhttp_connection_set_closecb(connection, on_gone, s);
	reply_headers(x, "text/event-stream", NULL);
	stats_answered(x->web->stats, x->guarded.route, 200, x->started_us);
	evhttp_send_reply_start(x->req, 200, "OK");
	exchange_free(x);
	return s;
}

int64_t stream_last_id(const struct exchange *x)
{
	const char *text =
		evhttp_find_header(evhttp_request_get_input_headers(x->req), "Last-Event-ID");
	int64_t id;

	return text && text_to_number(text, 0, INT64_MAX, &id) ? id : -1;
}

/* ---- all of them, now and then ---- */

/* Whose output has waited for long and does not get less is gone for all practical purposes. */
static bool is_stuck(struct stream *s)
{
	size_t queued = stream_queued(s);

	s->stuck_beats = queued > 0 && s->stuck_bytes > 0 && queued >= s->stuck_bytes
				 ? s->stuck_beats + 1
				 : 0;
	s->stuck_bytes = queued;
	return s->stuck_beats >= STUCK_BEATS;
}

static void end_session(struct web *web, const char *session)
{
	struct stream *s = TAILQ_FIRST(&web->streams);

	while (s) {
		struct stream *next = TAILQ_NEXT(s, next);

		if (strcmp(s->session, session) == 0)
			stream_end(s);
		s = next;
	}
	hub_session_over(web->hub, session);
}

static void recheck_next(struct web *web);

static void on_session(const char *line, size_t size, void *data)
{
	struct web *web = data;
	char code[32];
	char session[TOKEN_SIZE];

	link_close(web->recheck.link);
	web->recheck.link = NULL;
	memcpy(session, web->recheck.sessions[--web->recheck.n], TOKEN_SIZE);
	if (!reply_line_ok(line, size, code, sizeof(code)) &&
	    strcmp(code, "unauthorized") == 0) {
		known_drop(&web->known, session);
		end_session(web, session);
	}
	recheck_next(web);
}

/* The controller is away: nothing is known, so nothing is ended. */
static void on_session_unknown(const struct error *err, void *data)
{
	struct web *web = data;

	(void)err;
	web->recheck.link = NULL;
	web->recheck.n = 0;
}

/* One after the other: a session that was revoked or ran out loses its streams. */
static void recheck_next(struct web *web)
{
	struct error err = {};
	json_t *request;

	if (web->recheck.n == 0)
		return;
	request = json_pack("{s:s,s:s}", "cmd", "web_session", "session",
			    web->recheck.sessions[web->recheck.n - 1]);
	if (link_open(web->loop, web->config.socket, request, BEAT_MS, on_session,
		      on_session_unknown, web, &web->recheck.link, &err) < 0)
		web->recheck.n = 0;
}

static void recheck(struct web *web)
{
	struct stream *s;

	if (web->recheck.n > 0)
		return;
	TAILQ_FOREACH(s, &web->streams, next)
	{
		size_t i = 0;

		while (i < web->recheck.n && strcmp(web->recheck.sessions[i], s->session) != 0)
			i++;
		if (i == web->recheck.n && i < RECHECK_MAX)
			memcpy(web->recheck.sessions[web->recheck.n++], s->session, TOKEN_SIZE);
	}
	recheck_next(web);
}

static void on_beat(void *data)
{
	struct web *web = data;
	struct blob *beat = blob_beat();
	struct stream *s = TAILQ_FIRST(&web->streams);

	web->beat = loop_timer(web->loop, BEAT_MS, on_beat, web);
	while (s) {
		struct stream *next = TAILQ_NEXT(s, next);

		if (is_stuck(s))
			drop(s);
		else if (stream_queued(s) == 0)
			stream_send(s, beat);
		s = next;
	}
	blob_unref(beat);
	recheck(web);
}

void streams_start(struct web *web)
{
	TAILQ_INIT(&web->streams);
	web->hub = hub_new(web);
	web->beat = loop_timer(web->loop, BEAT_MS, on_beat, web);
}

void streams_stop(struct web *web)
{
	if (!web->hub)
		return;
	timer_cancel(web->beat);
	while (!TAILQ_EMPTY(&web->streams))
		drop(TAILQ_FIRST(&web->streams));
	link_close(web->recheck.link);
	hub_free(web->hub);
}
