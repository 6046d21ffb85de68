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

/* A message the socket did not take yet. */
struct outgoing {
	json_t *object;
	int fds[SOCK_MAX_FDS];
	size_t n_fds;
	STAILQ_ENTRY(outgoing) next;
};

struct executor {
	struct loop *loop;
	int fd;
	struct watch *watch;
	struct timer *later; /* failures that are waiting to be told */
	uint64_t last_number;
	TAILQ_HEAD(, call) calls;
	STAILQ_HEAD(outgoing_list, outgoing) queue;
	executor_event_fn on_event;
	executor_gone_fn on_gone;
	void *data;
	bool gone;
	bool *freed; /* set while a callback runs: tells it that the object is no more */
};

static void free_outgoing(struct outgoing *o)
{
	for (size_t i = 0; i < o->n_fds; i++)
		(void)close(o->fds[i]);
	json_decref(o->object);
	free(o);
}

static void drop_queue(struct executor *e)
{
	while (!STAILQ_EMPTY(&e->queue)) {
		struct outgoing *o = STAILQ_FIRST(&e->queue);

		STAILQ_REMOVE_HEAD(&e->queue, next);
		free_outgoing(o);
	}
}

static struct call *find_call(struct executor *e, uint64_t number)
{
	struct call *c;

	TAILQ_FOREACH(c, &e->calls, next)
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

	TAILQ_FOREACH(c, &e->calls, next)
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
	drop_queue(e);
	if (!tell_failures(e))
		return;
	e->freed = &freed;
	e->on_gone(e->data);
	if (!freed)
		e->freed = NULL;
}

static void flush(struct executor *e)
{
	while (!STAILQ_EMPTY(&e->queue)) {
		struct outgoing *o = STAILQ_FIRST(&e->queue);
		int r = message_send(e->fd, o->object, o->fds, o->n_fds);

		if (r == -EAGAIN)
			break;
		if (r < 0) {
			uint64_t number =
				(uint64_t)json_integer_value(json_object_get(o->object, "id"));
			struct call *c = find_call(e, number);

			if (c)
				fail_later(e, c, r == -ECONNRESET ? EPIPE : -r);
		}
		STAILQ_REMOVE_HEAD(&e->queue, next);
		free_outgoing(o);
	}
	if (!e->gone)
		watch_set(e->watch, true, !STAILQ_EMPTY(&e->queue));
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
	STAILQ_INIT(&e->queue);
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
	drop_queue(e);
	timer_cancel(e->later);
	watch_free(e->watch);
	closep(&e->fd);
	free(e);
}

/* Takes the object over; 0, or -errno when a descriptor cannot be kept. */
static int enqueue(struct executor *e, json_t *object, const int *fds, size_t n_fds)
{
	struct outgoing *o = mem_new(1, sizeof(*o));

	o->object = object;
	for (size_t i = 0; i < n_fds; i++) {
		int fd = i < SOCK_MAX_FDS ? fcntl(fds[i], F_DUPFD_CLOEXEC, 3) : -1;

		if (fd < 0) {
			free_outgoing(o);
			return i < SOCK_MAX_FDS ? -errno : -EINVAL;
		}
		o->fds[o->n_fds++] = fd;
	}
	STAILQ_INSERT_TAIL(&e->queue, o, next);
	flush(e);
	return 0;
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
	r = enqueue(e, object, fds, n_fds);
	if (r < 0)
		fail_later(e, c, -r);
	return c->number;
}

void executor_cancel(struct executor *e, uint64_t number)
{
	if (e->gone || !find_call(e, number))
		return;
	(void)enqueue(e,
		      json_pack("{s:I, s:s, s:I}", "id", (json_int_t)++e->last_number, "verb",
				"cancel", "target", (json_int_t)number),
		      NULL, 0);
}
