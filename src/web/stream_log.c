#include "web/stream.h"

#include "base/buf.h"
#include "base/json.h"
#include "web/call.h"
#include "web/reply.h"
#include "wire/answer.h"

#include <stdlib.h>
#include <string.h>

#define BEGIN_MS 1000 /* a log that says nothing is a log all the same */

/* Until the first line the answer may still be a refusal; from then on it is a stream. */
struct log {
	struct exchange *x;    /* NULL once the answer is begun */
	struct stream *stream; /* NULL until then */
	struct link *link;
	struct timer *timer;
	bool held;
	bool numbered; /* a file that only grows: places in it stay, and a browser can come back
			  to one */
	int64_t sent_bytes, skip_bytes;
};

static void log_free(struct log *log)
{
	timer_cancel(log->timer);
	link_close(log->link);
	free(log);
}

static void send_event(struct log *log, int64_t id, const char *name, const char *line,
		       size_t size)
{
	struct blob *blob = blob_event(id, name, line, size);

	stream_send(log->stream, blob);
	blob_unref(blob);
}

static void send_object(struct log *log, int64_t id, const char *name, json_t *object)
{
	char *line = json_line(object);

	json_decref(object);
	send_event(log, id, name, line, strlen(line));
	free(line);
}

/* The part of a piece of log that the browser does not have yet. */
static void send_text(struct log *log, const char *line, size_t line_size, const char *text)
{
	int64_t size = (int64_t)strlen(text), known = log->skip_bytes - log->sent_bytes;

	log->sent_bytes += size;
	if (known >= size)
		return;
	if (known <= 0)
		send_event(log, log->numbered ? log->sent_bytes : -1, "log", line, line_size);
	else
		send_object(log, log->sent_bytes, "log",
			    answer_with("log", json_string(text + known)));
}

/* Returns false when that was the last line. */
static bool pass_on(struct log *log, const char *line, size_t size)
{
	json_t *object = NULL;
	const char *text = NULL;
	bool ok, more = true;

	if (json_parse(line, size, &object, NULL) < 0)
		return true;
	ok = json_is_true(json_object_get(object, "ok"));
	if (json_get_str(object, "log", false, &text, NULL) == 0 && text)
		send_text(log, line, size, text);
	if (!ok || json_is_true(json_object_get(object, "end"))) {
		send_event(log, -1, ok ? "end" : "failed", line, size);
		more = false;
	}
	json_decref(object);
	return more;
}

static void on_drained(struct stream *s)
{
	struct log *log = s->data;

	if (!log->held || stream_is_full(s))
		return;
	log->held = false;
	link_hold(log->link, false);
}

static void on_over(struct stream *s)
{
	log_free(s->data);
}

/* Returns false, and nothing is left of the log, when there is nobody to begin for. */
static bool begin(struct log *log)
{
	struct exchange *x = log->x;

	log->x = NULL;
	if (!stream_has_room(x) || !(log->stream = stream_open(x))) {
		log_free(log);
		return false;
	}
	log->stream->on_drained = on_drained;
	log->stream->on_over = on_over;
	log->stream->data = log;
	if (!log->numbered)
		send_object(log, -1, "reset", answer_ok());
	return true;
}

static void on_quiet(void *data)
{
	struct log *log = data;

	log->timer = NULL;
	if (!log->stream)
		(void)begin(log);
}

static void on_line(const char *line, size_t size, void *data)
{
	struct log *log = data;

	if (!log->stream && !reply_line_ok(line, size, NULL, 0)) {
		reply_line(log->x, line, size);
		log_free(log);
		return;
	}
	if (!log->stream && !begin(log))
		return;
	if (!pass_on(log, line, size)) {
		stream_end(log->stream);
		return;
	}
	if (stream_is_full(log->stream) && !log->held) {
		log->held = true;
		link_hold(log->link, true);
	}
}

/* skepd is gone in the middle of it: the browser comes back by itself, and goes on where it
 * was. */
static void on_end(const struct error *err, void *data)
{
	struct log *log = data;

	log->link = NULL;
	if (log->stream) {
		stream_end(log->stream);
		return;
	}
	reply_error(log->x, err);
	log_free(log);
}

static void on_admitted(struct exchange *x)
{
	struct log *log;
	json_t *request = NULL;
	struct error err = {};
	int64_t last = stream_last_id(x);

	if (!stream_has_room(x))
		return;
	if (call_build(&x->guarded, "", 0, &request, &err) < 0) {
		reply_error(x, &err);
		return;
	}
	log = mem_new(1, sizeof(*log));
	log->x = x;
	log->numbered = strcmp(x->guarded.route->cmd, "build_log") == 0;
	log->skip_bytes = log->numbered && last > 0 ? last : 0;
	log->timer = loop_timer(x->web->loop, BEGIN_MS, on_quiet, log);
	if (link_open(x->web->loop, x->web->config.socket, request, 0, on_line, on_end, log,
		      &log->link, &err) < 0) {
		log_free(log);
		reply_error(x, &err);
	}
}

void stream_log(struct exchange *x)
{
	exchange_admit(x, on_admitted);
}
