/* One connection on a loop, what it reported, and its other end. */
#pragma once

#include "loop_unit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/conn.h"
#include "base/sock.h"

#include <errno.h>
#include <sys/socket.h>

struct fixture {
	struct loop *loop;
	struct conn *conn;
	int peer;
	struct conn_limits limits;
	struct buf lines; /* each followed by '|' */
	int n_lines, n_overlong, n_closed;
	int n_fds[16]; /* that came with each of the first lines */
	bool hold_each, close_on_line, stop_on_close, stop_on_line, take_fds;
	const char *answer;
	int64_t rest_ms; /* after each line */
};

static inline void fixture_on_line(struct conn *conn, const char *line, size_t size, void *data)
{
	struct fixture *f = data;

	assert_int_equal(line[size], '\0');
	buf_add(&f->lines, line, size);
	buf_add_char(&f->lines, '|');
	if (f->take_fds && f->n_lines < (int)ARRAY_SIZE(f->n_fds)) {
		int fds[SOCK_MAX_FDS];
		size_t n = conn_take_fds(conn, fds);

		f->n_fds[f->n_lines] = (int)n;
		for (size_t i = 0; i < n; i++) {
			assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
			close(fds[i]);
		}
	}
	f->n_lines++;
	if (f->hold_each)
		conn_hold(conn, true);
	if (f->answer)
		conn_send(conn, f->answer, NULL, 0);
	if (f->rest_ms)
		conn_rest(conn, f->rest_ms);
	if (f->close_on_line)
		conn_close(conn, false);
	if (f->stop_on_line)
		loop_stop(f->loop);
}

static inline void fixture_on_overlong(struct conn *conn, void *data)
{
	struct fixture *f = data;

	f->n_overlong++;
	conn_send(conn, "too long", NULL, 0);
}

static inline void fixture_on_close(struct conn *conn, void *data)
{
	struct fixture *f = data;

	assert_ptr_equal(conn, f->conn);
	f->n_closed++;
	f->conn = NULL;
	if (f->stop_on_close)
		loop_stop(f->loop);
}

static const struct conn_ops fixture_ops = {
	.on_line = fixture_on_line,
	.on_overlong = fixture_on_overlong,
	.on_close = fixture_on_close,
};

static inline void start(struct fixture *f)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	f->loop = loop_new();
	if (!f->limits.max_line)
		f->limits.max_line = 100;
	if (!f->limits.max_queued)
		f->limits.max_queued = 1000;
	f->peer = fds[1];
	assert_int_equal(fcntl(f->peer, F_SETFL, O_NONBLOCK), 0);
	f->conn = conn_new(f->loop, fds[0], &f->limits, &fixture_ops, f);
}

static inline void finish(struct fixture *f)
{
	if (f->conn) {
		conn_close(f->conn, false);
		unit_turn(f->loop);
	}
	assert_int_equal(f->n_closed, 1);
	closep(&f->peer);
	buf_release(&f->lines);
	loop_free(f->loop);
}

static inline void say(struct fixture *f, const char *text)
{
	assert_int_equal(write(f->peer, text, strlen(text)), strlen(text));
}

static inline void assert_heard(struct fixture *f, const char *text)
{
	char got[4096] = "";
	ssize_t n = read(f->peer, got, sizeof(got) - 1);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

static inline void assert_ended(struct fixture *f)
{
	char c;
	ssize_t n = read(f->peer, &c, 1);

	assert_int_equal(f->n_closed, 1);
	assert_true(n == 0 || (n < 0 && errno != EAGAIN));
}
