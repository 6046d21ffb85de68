#include "web/hub.h"

#include "base/buf.h"
#include "base/json.h"
#include "web/reply.h"

#include <stdlib.h>
#include <string.h>

#define REMEMBERED 512
#define REMEMBERED_BYTES ((size_t)1 << 20)
#define STALE_BYTES (64 << 10) /* so much since the snapshot, and a new one is cheaper */
#define FIRST_LINE_MS 20000
#define RETRY_MS 1000
#define LINGER_MS 60000 /* a page that is loaded again finds what it missed */

struct event {
	int64_t seq;
	struct blob *blob;
};

struct hub {
	struct web *web;
	struct link *link;    /* the subscription; NULL: none */
	struct link *refresh; /* the request for a newer snapshot */
	struct timer *retry, *linger;
	char session[TOKEN_SIZE];
	bool live; /* the subscription has begun to tell */
	struct event events[REMEMBERED];
	size_t first, n, bytes; /* of events, a ring */
	struct blob *snapshot;
	int64_t snapshot_seq; /* −1: none */
	size_t bytes_since;   /* of events after the snapshot */
};

static void subscribe(struct hub *hub);
static void lose(struct hub *hub);

/* ---- what is remembered ---- */

static struct event *event_at(struct hub *hub, size_t i)
{
	return &hub->events[(hub->first + i) % REMEMBERED];
}

static void forget_oldest(struct hub *hub)
{
	struct event *event = event_at(hub, 0);

	hub->bytes -= event->blob->size;
	blob_unref(event->blob);
	event->blob = NULL;
	hub->first = (hub->first + 1) % REMEMBERED;
	hub->n--;
}

static void forget_all(struct hub *hub)
{
	while (hub->n > 0)
		forget_oldest(hub);
}

static void remember(struct hub *hub, int64_t seq, struct blob *blob)
{
	if (hub->n == REMEMBERED)
		forget_oldest(hub);
	*event_at(hub, hub->n++) = (struct event){seq, blob};
	hub->bytes += blob->size;
	hub->bytes_since += blob->size;
	while (hub->bytes > REMEMBERED_BYTES && hub->n > 1)
		forget_oldest(hub);
}

/* Whether everything after seq is still here. Numbers have no gaps within one subscription. */
static bool covers(struct hub *hub, int64_t seq)
{
	int64_t last = hub->n > 0 ? event_at(hub, hub->n - 1)->seq : hub->snapshot_seq;

	if (!hub->live || seq < 0 || seq > last)
		return false;
	return hub->n > 0 ? seq + 1 >= event_at(hub, 0)->seq : seq >= hub->snapshot_seq;
}

static bool snapshot_is_good(struct hub *hub)
{
	return hub->snapshot && hub->bytes_since <= STALE_BYTES &&
	       covers(hub, hub->snapshot_seq);
}

/* ---- telling ---- */

static void send_named(struct stream *s, int64_t id, const char *name, const char *line)
{
	struct blob *blob = blob_event(id, name, line, strlen(line));

	stream_send(s, blob);
	blob_unref(blob);
}

/* What is remembered and the stream has not had yet, while it takes it. */
static void send_tail(struct hub *hub, struct stream *s)
{
	s->behind = false;
	for (size_t i = 0; i < hub->n; i++) {
		struct event *event = event_at(hub, i);

		if (event->seq <= s->seq)
			continue;
		if (stream_is_full(s)) {
			s->behind = true;
			return;
		}
		stream_send(s, event->blob);
		s->seq = event->seq;
	}
}

static void send_snapshot(struct hub *hub, struct stream *s)
{
	s->wants_snapshot = false;
	stream_send(s, hub->snapshot);
	s->seq = hub->snapshot_seq;
	send_tail(hub, s);
}

static void each_events_stream(struct hub *hub, void (*fn)(struct hub *hub, struct stream *s))
{
	struct stream *s = TAILQ_FIRST(&hub->web->streams);

	while (s) {
		struct stream *next = TAILQ_NEXT(s, next);

		if (s->data == hub)
			fn(hub, s);
		s = next;
	}
}

static void serve_waiting(struct hub *hub, struct stream *s)
{
	if (s->wants_snapshot)
		send_snapshot(hub, s);
}

static void tell(struct hub *hub, struct stream *s)
{
	struct event *event = event_at(hub, hub->n - 1);

	if (s->wants_snapshot || s->behind || event->seq <= s->seq)
		return;
	if (stream_is_full(s)) {
		s->behind = true;
		return;
	}
	stream_send(s, event->blob);
	s->seq = event->seq;
}

static void send_resync(struct hub *hub, struct stream *s)
{
	(void)hub;
	if (s->seq >= 0 && !s->wants_snapshot)
		send_named(s, -1, "resync", "{\"version\":1,\"ok\":true,\"resync\":true}");
	s->wants_snapshot = true;
	s->behind = false;
}

/* ---- a newer snapshot ---- */

static void keep_snapshot(struct hub *hub, int64_t seq, const char *line, size_t size)
{
	blob_unref(hub->snapshot);
	hub->snapshot = blob_event(seq, "snapshot", line, size);
	hub->snapshot_seq = seq;
	hub->bytes_since = 0;
	for (size_t i = 0; i < hub->n; i++)
		if (event_at(hub, i)->seq > seq)
			hub->bytes_since += event_at(hub, i)->blob->size;
}

static bool line_seq(const json_t *object, int64_t *ret)
{
	return json_get_int(object, "seq", true, 0, INT64_MAX, ret, NULL) == 0;
}

static void on_refreshed(const char *line, size_t size, void *data)
{
	struct hub *hub = data;
	json_t *object = NULL;
	int64_t seq = -1;

	link_close(hub->refresh);
	hub->refresh = NULL;
	if (json_parse(line, size, &object, NULL) == 0 &&
	    json_is_true(json_object_get(object, "snapshot")) && line_seq(object, &seq)) {
		keep_snapshot(hub, seq, line, size);
		each_events_stream(hub, serve_waiting);
	} else {
		lose(hub); /* who asked is let in no more; others wait for the same answer */
	}
	json_decref(object);
}

static void on_refresh_failed(const struct error *err, void *data)
{
	struct hub *hub = data;

	(void)err;
	hub->refresh = NULL;
	lose(hub);
}

static json_t *subscribe_request(const char *session)
{
	return json_pack("{s:s,s:s,s:b}", "cmd", "subscribe_agent_status", "session", session,
			 "snapshot", 1);
}

static void refresh(struct hub *hub, const char *session)
{
	struct error err = {};

	if (!hub->refresh)
		(void)link_open(hub->web->loop, hub->web->config.socket,
				subscribe_request(session), FIRST_LINE_MS, on_refreshed,
				on_refresh_failed, hub, &hub->refresh, &err);
}

/* Brings a stream to where the others are. */
static void serve(struct hub *hub, struct stream *s)
{
	if (covers(hub, s->seq)) {
		send_tail(hub, s);
		return;
	}
	send_resync(hub, s);
	if (!hub->live)
		return;
	if (snapshot_is_good(hub))
		send_snapshot(hub, s);
	else
		refresh(hub, s->session);
}

/* ---- the subscription ---- */

static void on_retry(void *data)
{
	struct hub *hub = data;

	hub->retry = NULL;
	subscribe(hub);
}

/* What comes after this has other numbers, or a hole before it. */
static void lose(struct hub *hub)
{
	link_close(hub->link);
	hub->link = NULL;
	hub->live = false;
	forget_all(hub);
	each_events_stream(hub, send_resync);
	if (!hub->retry)
		hub->retry = loop_timer(hub->web->loop, RETRY_MS, on_retry, hub);
}

static void on_snapshot(struct hub *hub, int64_t seq, const char *line, size_t size)
{
	hub->live = true;
	keep_snapshot(hub, seq, line, size);
	each_events_stream(hub, serve_waiting);
}

static void on_event(struct hub *hub, const json_t *object, int64_t seq, const char *line,
		     size_t size)
{
	bool removed = json_object_get(object, "removed") != NULL;

	remember(hub, seq, blob_event(seq, removed ? "removed" : "delta", line, size));
	each_events_stream(hub, tell);
}

static void on_line(const char *line, size_t size, void *data)
{
	struct hub *hub = data;
	json_t *object = NULL;
	int64_t seq = -1;

	if (json_parse(line, size, &object, NULL) < 0 || !line_seq(object, &seq) ||
	    !json_is_true(json_object_get(object, "ok"))) {
		lose(hub); /* refused: the session is over; another one may do */
	} else if (json_is_true(json_object_get(object, "resync"))) {
		forget_all(hub);
		each_events_stream(hub, send_resync);
	} else if (json_is_true(json_object_get(object, "snapshot"))) {
		on_snapshot(hub, seq, line, size);
	} else if (!json_is_true(json_object_get(object, "heartbeat"))) {
		on_event(hub, object, seq, line, size);
	}
	json_decref(object);
}

static void on_end(const struct error *err, void *data)
{
	struct hub *hub = data;

	(void)err;
	hub->link = NULL;
	lose(hub);
}

/* Any stream's session will do: what is told is the same for all. The one that failed last
 * comes last. */
static const char *choose_session(struct hub *hub)
{
	const char *other = NULL;
	struct stream *s;

	TAILQ_FOREACH(s, &hub->web->streams, next)
	{
		if (s->data != hub)
			continue;
		if (strcmp(s->session, hub->session) != 0)
			return s->session;
		other = s->session;
	}
	return other;
}

static void subscribe(struct hub *hub)
{
	const char *session = choose_session(hub);
	struct error err = {};

	if (hub->link || hub->retry || !session)
		return;
	memmove(hub->session, session, TOKEN_SIZE);
	if (link_open(hub->web->loop, hub->web->config.socket, subscribe_request(hub->session),
		      FIRST_LINE_MS, on_line, on_end, hub, &hub->link, &err) < 0)
		lose(hub);
}

/* ---- streams ---- */

static void on_drained(struct stream *s)
{
	if (s->behind)
		serve(s->data, s);
}

/* Nobody came back. */
static void on_lingered(void *data)
{
	struct hub *hub = data;

	hub->linger = NULL;
	link_close(hub->link);
	link_close(hub->refresh);
	hub->link = hub->refresh = NULL;
	hub->live = false;
	forget_all(hub);
}

static void on_over(struct stream *s)
{
	struct hub *hub = s->data;

	s->data = NULL;
	if (!choose_session(hub) && !hub->linger)
		hub->linger = loop_timer(hub->web->loop, LINGER_MS, on_lingered, hub);
}

void hub_join(struct hub *hub, struct stream *s, int64_t since)
{
	s->data = hub;
	s->on_drained = on_drained;
	s->on_over = on_over;
	s->seq = since;
	timer_cancel(hub->linger);
	hub->linger = NULL;
	serve(hub, s);
	subscribe(hub);
}

void hub_session_over(struct hub *hub, const char *session)
{
	if (hub->link && strcmp(hub->session, session) == 0)
		lose(hub);
}

struct hub *hub_new(struct web *web)
{
	struct hub *hub = mem_new(1, sizeof(*hub));

	hub->web = web;
	hub->snapshot_seq = -1;
	return hub;
}

void hub_free(struct hub *hub)
{
	link_close(hub->link);
	link_close(hub->refresh);
	timer_cancel(hub->retry);
	timer_cancel(hub->linger);
	forget_all(hub);
	blob_unref(hub->snapshot);
	free(hub);
}
