#include "web/link.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/conn.h"
#include "base/json.h"
#include "base/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

/* The longest answer: a diff that shows all it may is a few megabytes. */
#define LINE_MAX_BYTES ((size_t)32 << 20)

struct link {
	struct loop *loop;
	struct conn *conn;
	struct timer *timer;
	link_line_fn on_line;
	link_end_fn on_end;
	void *data;
	struct error err;
	bool closed;
};

static void on_line(struct conn *conn, const char *line, size_t size, void *data)
{
	struct link *link = data;

	(void)conn;
	timer_cancel(link->timer);
	link->timer = NULL;
	if (!link->closed)
		link->on_line(line, size, link->data);
}

static void on_overlong(struct conn *conn, void *data)
{
	struct link *link = data;

	(void)conn;
	error_set(&link->err, E2BIG,
		  "the answer has more than the %zu bytes that are passed on", LINE_MAX_BYTES);
}

static void on_close(struct conn *conn, void *data)
{
	struct link *link = data;

	(void)conn;
	timer_cancel(link->timer);
	if (!link->err.err)
		error_set(&link->err, EAGAIN, "the controller closed the connection");
	if (!link->closed)
		link->on_end(&link->err, link->data);
	free(link);
}

static const struct conn_ops ops = {
	.on_line = on_line,
	.on_overlong = on_overlong,
	.on_close = on_close,
};

static const struct conn_limits limits = {
	.max_line = LINE_MAX_BYTES,
	.max_queued = 1 << 20,
};

static void on_late(void *data)
{
	struct link *link = data;

	link->timer = NULL;
	error_set(&link->err, EAGAIN, "the controller does not answer");
	conn_close(link->conn, false);
}

int link_open(struct loop *loop, const char *path, json_t *request, int64_t first_ms,
	      link_line_fn line_fn, link_end_fn end_fn, void *data, struct link **ret,
	      struct error *err)
{
	_cleanup_free_ char *line = json_line(request);
	struct link *link;
	int fd;

	json_decref(request);
	/* a socket whose queue is full says so at once instead of making everybody wait */
	fd = sock_connect(path, SOCK_STREAM | SOCK_NONBLOCK, err);
	if (fd < 0)
		return fd;
	link = mem_new(1, sizeof(*link));
	link->loop = loop;
	link->on_line = line_fn;
	link->on_end = end_fn;
	link->data = data;
	link->conn = conn_new(loop, fd, &limits, &ops, link);
	if (first_ms > 0)
		link->timer = loop_timer(loop, first_ms, on_late, link);
	*ret = link;
	conn_send(link->conn, line, NULL, 0);
	return 0;
}

void link_hold(struct link *link, bool hold)
{
	conn_hold(link->conn, hold);
}

void link_close(struct link *link)
{
	if (!link || link->closed)
		return;
	link->closed = true;
	conn_close(link->conn, false);
}
