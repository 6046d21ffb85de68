#include "host/executor.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sock.h"
#include "host/message.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

/* A request whose end is not known yet. */
struct call {
	uint64_t number;
	executor_fn fn;
	void *data;
	int failed; /* why it was never sent, an errno; told on the next turn */
	TAILQ_ENTRY(call) next;
};

struct executor {
	struct loop *loop;
	int fd;
	struct watch *watch;
	struct timer *later; /* failures that are waiting to be told */
	uint64_t last_number;
	TAILQ_HEAD(, call) calls;
	struct outbox *outbox;
	executor_event_fn on_event;
	executor_gone_fn on_gone;
	void *data;
	bool gone;
	bool *freed; /* set while a callback runs: tells it that the object is no more */
};

static struct call *find_call(struct executor *e, uint64_t number)
{
	struct call *c;

	for (c = TAILQ_FIRST(&e->calls); c; c = TAILQ_NEXT(c, next))
		if (c->number == number)
			return c;
	return NULL;
}

/* Ends a call. Returns false when its callback freed the executor. */
static bool finish(struct executor *e, struct call *c, const json_t *answer, int *fds,
		   size_t n_fds, const struct error *err)
{
	bool freed = false;

	TAILQ_REMOVE(&e->calls, c, next);
	e->freed = &freed;
	c->fn(answer, fds, n_fds, err, c->data);
	free(c);
	if (!freed)
		e->freed = NULL;
	return !freed;
}

static struct call *find_failed(struct executor *e, uint64_t last)
{
	struct call *c;

	for (c = TAILQ_FIRST(&e->calls); c; c = TAILQ_NEXT(c, next))
		if (c->number <= last && (e->gone || c->failed))
			return c;
	return NULL;
}

/* Tells the calls that could not be sent, with the channel gone all; not those made meanwhile.
 */
static bool tell_failures(struct executor *e)
{
	uint64_t last = e->last_number;
	struct call *c;

	while ((c = find_failed(e, last))) {
		struct error err = {};

		if (e->gone || c->failed == EPIPE)
			error_set_code(&err, EPIPE, "unavailable", "skep-exec is not there");
		else
			error_set_errno(&err, c->failed, "cannot ask skep-exec");
		if (!finish(e, c, NULL, NULL, 0, &err))
			return false;
	}
	return true;
}

static void on_later(void *data)
{
	struct executor *e = data;

	e->later = NULL;
	(void)tell_failures(e);
}

static void fail_later(struct executor *e, struct call *c, int number)
{
	c->failed = number;
	if (!e->later)
		e->later = loop_timer(e->loop, 0, on_later, e);
}

static void channel_gone(struct executor *e)
{
	bool freed = false;

	e->gone = true;
	watch_set(e->watch, false, false);
	if (!tell_failures(e))
		return;
	e->freed = &freed;
	e->on_gone(e->data);
	if (!freed)
		e->freed = NULL;
}

static void on_unsent(const json_t *object, int errnum, void *data)
{
	struct executor *e = data;
	struct call *c =
		find_call(e, (uint64_t)json_integer_value(json_object_get(object, "id")));

	if (c)
		fail_later(e, c, errnum == ECONNRESET ? EPIPE : errnum);
}

static void flush(struct executor *e)
{
	bool left = outbox_flush(e->outbox, e->fd, on_unsent, e);

	watch_set(e->watch, true, left);
}

/* Returns false when a callback freed the executor. */
static bool deliver(struct executor *e, const json_t *message, int *fds, size_t n_fds)
{
	bool partial = json_is_true(json_object_get(message, "partial")), freed = false;
	struct error err = {};
	int64_t number = 0;
	struct call *c;

	if (json_object_get(message, "event")) {
		e->freed = &freed;
		e->on_event(message, e->data);
		if (!freed)
			e->freed = NULL;
		return !freed;
	}
	if (json_get_int(message, "id", true, 1, INT64_MAX, &number, NULL) < 0)
		return true;
	c = find_call(e, (uint64_t)number);
	if (!c)
		return true;
	if (message_result(message, &err) < 0)
		return finish(e, c, NULL, NULL, 0, &err);
	if (!partial)
		return finish(e, c, message, fds, n_fds, NULL);
	e->freed = &freed;
	c->fn(message, fds, n_fds, NULL, c->data);
	if (!freed)
		e->freed = NULL;
	return !freed;
}

static void on_ready(int fd, bool readable, bool writable, void *data)
{
	struct executor *e = data;
	int fds[SOCK_MAX_FDS];
	json_t *message = NULL;
	size_t n_fds = 0;
	int r;

	if (writable)
		flush(e);
	if (!readable)
		return;
	r = message_receive(fd, &message, fds, &n_fds, NULL);
	if (r == -EAGAIN)
		return;
	if (r <= 0) {
		channel_gone(e);
		return;
	}
	(void)deliver(e, message, fds, n_fds);
	for (size_t i = 0; i < n_fds; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	json_decref(message);
}

struct executor *executor_new(struct loop *loop, int fd, executor_event_fn on_event,
			      executor_gone_fn on_gone, void *data)
{
	struct executor *e = mem_new(1, sizeof(*e));

	e->loop = loop;
	e->fd = fd;
	e->on_event = on_event;
	e->on_gone = on_gone;
	e->data = data;
	TAILQ_INIT(&e->calls);
	e->outbox = outbox_new();
	message_prepare(fd);
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	e->watch = loop_watch(loop, fd, true, false, on_ready, e);
	return e;
}

void executor_free(struct executor *e)
{
	if (!e)
		return;
	if (e->freed)
		*e->freed = true;
	while (!TAILQ_EMPTY(&e->calls)) {
		struct call *c = TAILQ_FIRST(&e->calls);

		TAILQ_REMOVE(&e->calls, c, next);
		free(c);
	}
	outbox_free(e->outbox);
	timer_cancel(e->later);
	watch_free(e->watch);
	closep(&e->fd);
	free(e);
}

uint64_t executor_call(struct executor *e, const char *verb, json_t *arguments, const int *fds,
		       size_t n_fds, executor_fn fn, void *data)
{
	json_t *object = arguments ? arguments : json_object();
	struct call *c = mem_new(1, sizeof(*c));
	int r;

	c->number = ++e->last_number;
	c->fn = fn;
	c->data = data;
	TAILQ_INSERT_TAIL(&e->calls, c, next);
	json_object_set_new(object, "id", json_integer((json_int_t)c->number));
	json_object_set_new(object, "verb", json_string(verb));
	if (e->gone) {
		json_decref(object);
		fail_later(e, c, EPIPE);
		return c->number;
	}
	r = outbox_add(e->outbox, object, fds, n_fds);
	if (r < 0)
		fail_later(e, c, -r);
	flush(e);
	return c->number;
}

void executor_cancel(struct executor *e, uint64_t number)
{
	if (e->gone || !find_call(e, number))
		return;
	(void)outbox_add(e->outbox,
			 json_pack("{s:I, s:s, s:I}", "id", (json_int_t)++e->last_number,
				   "verb", "cancel", "target", (json_int_t)number),
			 NULL, 0);
	flush(e);
}
