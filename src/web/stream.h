/*
 * Answers without an end: server-sent events (WHATWG HTML, 9.2) to browsers. A client that does
 * not read costs what its kernel buffers and a small queue hold; then it is passed over, told
 * so when it reads again, and dropped when it never does.
 */
#pragma once

#include "web/blob.h"
#include "web/exchange.h"

#include <sys/queue.h>

struct evhttp_connection;

struct stream {
	struct web *web;
	TAILQ_ENTRY(stream) next;
	struct evhttp_request *req;
	struct evhttp_connection *connection;
	char session[TOKEN_SIZE];
	size_t stuck_bytes; /* what waited at the last beat; 0: nothing of concern */
	int stuck_beats;
	/* the kind of stream: its output ran empty; it is over, and so is what data points to
	 */
	void (*on_drained)(struct stream *stream);
	void (*on_over)(struct stream *stream);
	void *data;
	/* of events: the number of the last one sent; what it waits for */
	int64_t seq;
	bool behind, wants_snapshot;
};

void streams_start(struct web *web);
void streams_stop(struct web *web);

/* The two kinds, from a request that passed the check. */
void stream_log(struct exchange *x);
void stream_events(struct exchange *x);

/* Whether there is room for one more of this session's; answers when not. */
bool stream_has_room(struct exchange *x);

/* Begins the answer and frees the exchange. NULL: the client is gone. */
struct stream *stream_open(struct exchange *x);

/* Queues bytes that are whole events. on_drained follows once they are out. */
void stream_send(struct stream *stream, struct blob *blob);

/* Bytes the client has not taken, and whether that is more than it should be. */
size_t stream_queued(const struct stream *stream);
bool stream_is_full(const struct stream *stream);

/* The last event was queued: ends the answer. */
void stream_end(struct stream *stream);

/* Where a browser says it was (Last-Event-ID); −1: nowhere. */
int64_t stream_last_id(const struct exchange *x);
