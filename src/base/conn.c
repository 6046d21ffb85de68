#include "base/conn.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

/* How long a peer may take to fetch the rest of what was sent to it before the end. */
#define FLUSH_MS 30000

/* A line that has not ended and the message that ends it may bring this many each. */
#define FDS_MAX (2 * SOCK_MAX_FDS)

struct chunk {
	struct chunk *next;
	char *data;
	size_t size, sent;
	int fds[SOCK_MAX_FDS];
	size_t n_fds;
};

struct conn {
	struct loop *loop;
	int fd;
	struct watch *watch;
	const struct conn_limits *limits;
	const struct conn_ops *ops;
	void *data;
	struct buf in;
	size_t line_end; /* in `in`, of the line being delivered */
	struct {
		int fd;
		size_t at; /* in `in`, the end of the message it came with */
	} fds[FDS_MAX];
	size_t n_fds;
	struct chunk *head, *tail;
	size_t queued;
	struct timer *line_timer, *idle_timer, *later;
	bool held, resting, flushing, closing, in_dispatch, in_send;
};

static size_t dispatch(struct conn *c);

static void free_chunk(struct chunk *chunk)
{
	for (size_t i = 0; i < chunk->n_fds; i++)
		(void)close(chunk->fds[i]);
	free(chunk->data);
	free(chunk);
}

static void on_closed(void *data)
{
	struct conn *c = data;

	c->later = NULL;
	c->ops->on_close(c, c->data);
	watch_free(c->watch);
	timer_cancel(c->line_timer);
	timer_cancel(c->idle_timer);
	while (c->head) {
		struct chunk *next = c->head->next;

		free_chunk(c->head);
		c->head = next;
	}
	for (size_t i = 0; i < c->n_fds; i++)
		(void)close(c->fds[i].fd);
	closep(&c->fd);
	buf_release(&c->in);
	free(c);
}

/* Takes no line until something else has happened: told not to, or the peer does not fetch the
 * answers it has. */
static bool is_waiting(const struct conn *c)
{
	return c->held || (c->limits->busy_queued && c->queued > c->limits->busy_queued);
}

static bool is_deaf(const struct conn *c)
{
	return c->resting || is_waiting(c);
}

/* While lines are delivered, what is to be watched changes to and fro; the end of that counts.
 */
static void update_watch(struct conn *c)
{
	bool read = !is_deaf(c) && !c->flushing;

	if (c->in_dispatch)
		return;
	if (c->closing)
		watch_set(c->watch, false, false);
	else if (read || c->head)
		watch_set(c->watch, read, c->head != NULL);
	else
		watch_hangup(c->watch);
}

static void on_idle(void *data)
{
	struct conn *c = data;

	c->idle_timer = NULL;
	conn_close(c, false);
}

static void arm_idle(struct conn *c, int64_t ms)
{
	timer_cancel(c->idle_timer);
	c->idle_timer = ms > 0 ? loop_timer(c->loop, ms, on_idle, c) : NULL;
}

void conn_close(struct conn *c, bool flush)
{
	if (c->closing)
		return;
	if (flush && c->head) {
		if (!c->flushing)
			arm_idle(c, FLUSH_MS);
		c->flushing = true;
		update_watch(c);
		return;
	}
	c->closing = true;
	update_watch(c);
	timer_cancel(c->later);
	c->later = loop_timer(c->loop, 0, on_closed, c);
}

static void on_line_timeout(void *data)
{
	struct conn *c = data;

	c->line_timer = NULL;
	if (c->closing || c->flushing)
		return;
	c->ops->on_overlong(c, c->data);
	conn_close(c, true);
}

/* A partial line starts the clock; no partial line stops it. */
static void arm_line(struct conn *c)
{
	bool partial = c->in.size > 0 && !is_waiting(c);

	if (partial && !c->line_timer && c->limits->line_ms > 0)
		c->line_timer = loop_timer(c->loop, c->limits->line_ms, on_line_timeout, c);
	if (!partial && c->line_timer) {
		timer_cancel(c->line_timer);
		c->line_timer = NULL;
	}
}

static void on_resume(void *data)
{
	struct conn *c = data;

	c->later = NULL;
	if (c->resting) {
		c->resting = false;
		update_watch(c);
	}
	(void)dispatch(c);
}

static void resume_in(struct conn *c, int64_t ms)
{
	timer_cancel(c->later);
	c->later = loop_timer(c->loop, ms, on_resume, c);
}

void conn_rest(struct conn *c, int64_t ms)
{
	if (c->closing)
		return;
	c->resting = true;
	update_watch(c);
	resume_in(c, ms);
}

static void drain(struct conn *c)
{
	bool any = c->head != NULL, was_deaf = is_deaf(c);

	while (c->head) {
		struct chunk *chunk = c->head;
		ssize_t n = sock_send(c->fd, chunk->data + chunk->sent,
				      chunk->size - chunk->sent, chunk->fds, chunk->n_fds);

		if (n == -EAGAIN)
			break;
		if (n < 0) {
			conn_close(c, false);
			return;
		}
		for (size_t i = 0; i < chunk->n_fds; i++)
			(void)close(chunk->fds[i]);
		chunk->n_fds = 0;
		chunk->sent += (size_t)n;
		c->queued -= (size_t)n;
		if (chunk->sent < chunk->size)
			continue;
		c->head = chunk->next;
		if (!c->head)
			c->tail = NULL;
		free_chunk(chunk);
	}
	if (!c->head && c->flushing) {
		conn_close(c, false);
		return;
	}
	update_watch(c);
	if (was_deaf && !is_deaf(c) && !c->later)
		resume_in(c, 0);
	if (any && !c->head && c->ops->on_drained && !c->in_send)
		c->ops->on_drained(c, c->data);
}

void conn_send(struct conn *c, const char *line, const int *fds, size_t n_fds)
{
	struct chunk *chunk;

	if (c->closing || c->flushing)
		return;
	chunk = mem_new(1, sizeof(*chunk));
	chunk->size = strlen(line) + 1;
	chunk->data = mem_new(chunk->size, 1);
	memcpy(chunk->data, line, chunk->size - 1);
	chunk->data[chunk->size - 1] = '\n';
	for (size_t i = 0; i < n_fds && i < SOCK_MAX_FDS; i++) {
		int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

		if (fd < 0) {
			/* a line that promises a descriptor must not go without it */
			free_chunk(chunk);
			conn_close(c, false);
			return;
		}
		chunk->fds[chunk->n_fds++] = fd;
	}
	if (c->tail)
		c->tail->next = chunk;
	else
		c->head = chunk;
	c->tail = chunk;
	c->queued += chunk->size;
	c->in_send = true;
	drain(c);
	c->in_send = false;
	if (!c->closing && c->queued > c->limits->max_queued)
		conn_close(c, false);
}

size_t conn_queued(const struct conn *c)
{
	return c->queued;
}

static void receive(struct conn *c)
{
	char chunk[16384];
	int fds[SOCK_MAX_FDS];
	size_t n_fds = 0;
	ssize_t n = sock_recv(c->fd, chunk, sizeof(chunk), fds, &n_fds);

	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		/* a peer that has said all it wants may still be reading */
		conn_close(c, n == 0);
		return;
	}
	buf_add(&c->in, chunk, (size_t)n);
	/* the kernel ends what it hands out at once with the message that brought descriptors
	 */
	for (size_t i = 0; i < n_fds; i++) {
		if (c->n_fds < FDS_MAX) {
			c->fds[c->n_fds].fd = fds[i];
			c->fds[c->n_fds++].at = c->in.size;
		} else {
			(void)close(fds[i]);
		}
	}
	arm_idle(c, c->limits->idle_ms);
	if (dispatch(c) == 0 && c->limits->part_ms > 0)
		conn_rest(c, c->limits->part_ms);
}

static void drop_fds(struct conn *c)
{
	int fds[SOCK_MAX_FDS];
	size_t n;

	while ((n = conn_take_fds(c, fds)))
		for (size_t i = 0; i < n; i++)
			(void)close(fds[i]);
}

/* Returns how many lines were delivered. */
static size_t dispatch(struct conn *c)
{
	size_t start = 0, n_lines = 0;

	if (c->in_dispatch)
		return 0;
	c->in_dispatch = true;
	while (!is_deaf(c) && !c->closing && !c->flushing && start < c->in.size) {
		char *line = c->in.data + start;
		char *end = memchr(line, '\n', c->in.size - start);
		size_t size = end ? (size_t)(end - line) : c->in.size - start;

		if (size > c->limits->max_line) {
			c->ops->on_overlong(c, c->data);
			conn_close(c, true);
			break;
		}
		if (!end)
			break;
		if (size > 0 && c->limits->turn_lines && n_lines == c->limits->turn_lines) {
			resume_in(c, 0);
			break;
		}
		*end = '\0';
		start += size + 1;
		c->line_end = start;
		if (size > 0) {
			n_lines++;
			c->ops->on_line(c, line, size, c->data);
		}
		drop_fds(c);
	}
	c->in_dispatch = false;
	update_watch(c);
	c->line_end = 0;
	if (start > 0) {
		memmove(c->in.data, c->in.data + start, c->in.size - start);
		buf_truncate(&c->in, c->in.size - start);
		for (size_t i = 0; i < c->n_fds; i++)
			c->fds[i].at -= start;
		/* what is left now is another line, with its own time */
		timer_cancel(c->line_timer);
		c->line_timer = NULL;
	}
	arm_line(c);
	return n_lines;
}

static bool is_gone(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

static void on_event(int fd, bool readable, bool writable, void *data)
{
	struct conn *c = data;

	if (!readable && !writable && !c->closing && is_gone(fd))
		conn_close(c, false);
	if (writable && !c->closing)
		drain(c);
	/* first what came before: its descriptors are not the next line's */
	if (readable && !c->later && !c->closing && !c->flushing && !is_deaf(c))
		receive(c);
}

void conn_hold(struct conn *c, bool hold)
{
	if (c->held == hold || c->closing)
		return;
	c->held = hold;
	update_watch(c);
	if (!c->flushing)
		arm_idle(c, hold ? 0 : c->limits->idle_ms);
	if (hold) {
		timer_cancel(c->line_timer);
		c->line_timer = NULL;
	} else if (!c->later && !c->in_dispatch) {
		resume_in(c, 0);
	}
}

struct conn *conn_new(struct loop *loop, int fd, const struct conn_limits *limits,
		      const struct conn_ops *ops, void *data)
{
	struct conn *c = mem_new(1, sizeof(*c));

	c->loop = loop;
	c->fd = fd;
	c->limits = limits;
	c->ops = ops;
	c->data = data;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	c->watch = loop_watch(loop, fd, true, false, on_event, c);
	arm_idle(c, limits->idle_ms);
	return c;
}

size_t conn_take_fds(struct conn *c, int *ret_fds)
{
	size_t n = 0, left = 0;

	for (size_t i = 0; i < c->n_fds; i++) {
		if (c->fds[i].at <= c->line_end && n < SOCK_MAX_FDS)
			ret_fds[n++] = c->fds[i].fd;
		else
			c->fds[left++] = c->fds[i];
	}
	c->n_fds = left;
	return n;
}

int conn_fd(const struct conn *c)
{
	return c->fd;
}
