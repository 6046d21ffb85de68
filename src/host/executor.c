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
	int failed;      /* why it was never sent, an errno; told on the next turn */
	bool counts;     /* among those that are open */
	json_t *waiting; /* what is sent when it is its turn; NULL once it was */
	int fds[SOCK_MAX_FDS];
	size_t n_fds;
	TAILQ_ENTRY(call) next;
};

struct executor {
	struct loop *loop;
	int fd;
	struct watch *watch;
	struct timer *later; /* failures that are waiting to be told */
	uint64_t last_number;
	size_t n_open, n_waiting;
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

static void call_free(struct call *c)
{
	for (size_t i = 0; i < c->n_fds; i++)
		(void)close(c->fds[i]);
	json_decref(c->waiting);
	free(c);
}

static void send_waiting(struct executor *e);

/* Ends a call. Returns false when its callback freed the executor. */
static bool finish(struct executor *e, struct call *c, const json_t *answer, int *fds,
		   size_t n_fds, const struct error *err)
{
	bool freed = false;

	TAILQ_REMOVE(&e->calls, c, next);
	if (c->waiting)
		e->n_waiting--;
	else if (c->counts)
		e->n_open--;
	e->freed = &freed;
	c->fn(answer, fds, n_fds, err, c->data);
	call_free(c);
	if (freed)
		return false;
	e->freed = NULL;
	send_waiting(e);
	return true;
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
		call_free(c);
	}
	outbox_free(e->outbox);
	timer_cancel(e->later);
	watch_free(e->watch);
	closep(&e->fd);
	free(e);
}

/* A command in a container lasts as long as whoever asked for it likes. */
static bool is_lasting(const char *verb)
{
	return strcmp(verb, "exec") == 0 || strcmp(verb, "shell") == 0 ||
	       strcmp(verb, "logs") == 0;
}

/* Sends a call whose turn it is. */
static void send_call(struct executor *e, struct call *c)
{
	int r = outbox_add(e->outbox, TAKE_PTR(c->waiting), c->fds, c->n_fds);

	e->n_waiting--;
	for (size_t i = 0; i < c->n_fds; i++)
		(void)close(c->fds[i]);
	c->n_fds = 0;
	if (c->counts)
		e->n_open++;
	if (r < 0)
		fail_later(e, c, -r);
}

static void send_waiting(struct executor *e)
{
	struct call *c, *next;

	if (e->gone)
		return;
	for (c = TAILQ_FIRST(&e->calls); c && e->n_open < EXECUTOR_OPEN_MAX; c = next) {
		next = TAILQ_NEXT(c, next);
		if (c->waiting && !c->failed)
			send_call(e, c);
	}
	flush(e);
}

/* Keeps copies of a request's descriptors; -errno when there is no room. */
static int keep_fds(struct call *c, const int *fds, size_t n_fds)
{
	for (size_t i = 0; i < n_fds; i++) {
		int fd = i < SOCK_MAX_FDS ? fcntl(fds[i], F_DUPFD_CLOEXEC, 3) : -1;

		if (fd < 0)
			return i < SOCK_MAX_FDS ? -errno : -EINVAL;
		c->fds[c->n_fds++] = fd;
	}
	return 0;
}

uint64_t executor_call(struct executor *e, const char *verb, json_t *arguments, const int *fds,
		       size_t n_fds, executor_fn fn, void *data)
{
	struct call *c = mem_new(1, sizeof(*c));
	int r = keep_fds(c, fds, n_fds);

	c->number = ++e->last_number;
	c->fn = fn;
	c->data = data;
	c->counts = !is_lasting(verb);
	c->waiting = arguments ? arguments : json_object();
	TAILQ_INSERT_TAIL(&e->calls, c, next);
	e->n_waiting++;
	json_object_set_new(c->waiting, "id", json_integer((json_int_t)c->number));
	json_object_set_new(c->waiting, "verb", json_string(verb));
	if (e->gone || r < 0)
		fail_later(e, c, e->gone ? EPIPE : -r);
	else if (!c->counts)
		send_call(e, c);
	send_waiting(e);
	return c->number;
}

void executor_cancel(struct executor *e, uint64_t number)
{
	struct call *c = find_call(e, number);

	if (e->gone || !c || c->failed)
		return;
	if (c->waiting) {
		fail_later(e, c, ECANCELED);
		return;
	}
	(void)outbox_add(e->outbox,
			 json_pack("{s:I, s:s, s:I}", "id", (json_int_t)++e->last_number,
				   "verb", "cancel", "target", (json_int_t)number),
			 NULL, 0);
	flush(e);
}
