#include "loop_unit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/conn.h"
#include "base/sock.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* One connection under test, what it reported, and its other end. */
struct fixture {
	struct loop *loop;
	struct conn *conn;
	int peer;
	struct conn_limits limits;
	struct buf lines; /* each followed by '|' */
	int n_lines, n_overlong, n_closed;
	bool hold_each, close_on_line, stop_on_close, stop_on_line;
	const char *answer;
};

static void on_line(struct conn *conn, const char *line, size_t size, void *data)
{
	struct fixture *f = data;

	assert_int_equal(line[size], '\0');
	buf_add(&f->lines, line, size);
	buf_add_char(&f->lines, '|');
	f->n_lines++;
	if (f->hold_each)
		conn_hold(conn, true);
	if (f->answer)
		conn_send(conn, f->answer, NULL, 0);
	if (f->close_on_line)
		conn_close(conn, false);
	if (f->stop_on_line)
		loop_stop(f->loop);
}

static void on_overlong(struct conn *conn, void *data)
{
	struct fixture *f = data;

	f->n_overlong++;
	conn_send(conn, "too long", NULL, 0);
}

static void on_close(struct conn *conn, void *data)
{
	struct fixture *f = data;

	assert_ptr_equal(conn, f->conn);
	f->n_closed++;
	f->conn = NULL;
	if (f->stop_on_close)
		loop_stop(f->loop);
}

static const struct conn_ops ops = {
	.on_line = on_line,
	.on_overlong = on_overlong,
	.on_close = on_close,
};

static void start(struct fixture *f)
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
	f->conn = conn_new(f->loop, fds[0], &f->limits, &ops, f);
}

static void finish(struct fixture *f)
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

static void say(struct fixture *f, const char *text)
{
	assert_int_equal(write(f->peer, text, strlen(text)), strlen(text));
}

static void assert_heard(struct fixture *f, const char *text)
{
	char got[4096] = "";
	ssize_t n = read(f->peer, got, sizeof(got) - 1);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

static void assert_ended(struct fixture *f)
{
	char c;
	ssize_t n = read(f->peer, &c, 1);

	assert_int_equal(f->n_closed, 1);
	assert_true(n == 0 || (n < 0 && errno != EAGAIN));
}

static void test_lines(void **state)
{
	struct fixture f = {};

	(void)state;
	start(&f);
	say(&f, "one\ntwo\n\n\nthr");
	unit_turn(f.loop);
	assert_string_equal(f.lines.data, "one|two|");
	say(&f, "ee");
	unit_turn(f.loop);
	assert_int_equal(f.n_lines, 2);
	say(&f, "\n");
	unit_turn(f.loop);
	assert_string_equal(f.lines.data, "one|two|three|");
	finish(&f);
}

static void test_byte_by_byte(void **state)
{
	struct fixture f = {};
	static const char text[] = "a\nbc\n";

	(void)state;
	start(&f);
	for (size_t i = 0; i < strlen(text); i++) {
		assert_int_equal(write(f.peer, text + i, 1), 1);
		unit_turn(f.loop);
	}
	assert_string_equal(f.lines.data, "a|bc|");
	finish(&f);
}

static void test_nul_is_only_a_byte(void **state)
{
	struct fixture f = {};

	(void)state;
	start(&f);
	assert_int_equal(write(f.peer, "a\0b\nc\n", 6), 6);
	unit_turn(f.loop);
	assert_int_equal(f.n_lines, 2);
	assert_memory_equal(f.lines.data, "a\0b|c|", 6);
	finish(&f);
}

static void test_longest_line(void **state)
{
	for (int over = 0; over < 2; over++) {
		for (int newline = 0; newline < 2; newline++) {
			struct fixture f = {.limits = {.max_line = 10}};

			(void)state;
			start(&f);
			say(&f, "ok\n0123456789");
			if (over)
				say(&f, "x");
			if (newline)
				say(&f, "\nmore\n");
			unit_turn(f.loop);
			assert_int_equal(f.n_overlong, over);
			assert_int_equal(f.n_lines, over ? 1 : newline ? 3 : 1);
			if (over) {
				/* the answer given from on_overlong still goes out */
				assert_heard(&f, "too long\n");
				assert_int_equal(f.n_closed, 1);
			}
			finish(&f);
		}
	}
}

/* A peer that never ends its line: what is kept is bounded, and it is told once. */
static void test_endless_line(void **state)
{
	struct fixture f = {};
	char block[4096];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	start(&f);
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 1000; i++) {
		(void)!write(f.peer, block, sizeof(block));
		unit_turn(f.loop);
	}
	assert_int_equal(f.n_overlong, 1);
	assert_int_equal(f.n_lines, 0);
	assert_int_equal(f.n_closed, 1);
	finish(&f);
}

static void test_slow_line(void **state)
{
	struct fixture f = {.limits = {.line_ms = 50}, .stop_on_close = true};

	(void)state;
	start(&f);
	say(&f, "whole\n");
	say(&f, "beg");
	unit_run(f.loop);
	assert_string_equal(f.lines.data, "whole|");
	assert_int_equal(f.n_overlong, 1);
	assert_heard(&f, "too long\n");
	finish(&f);
}

static void say_next(void *data)
{
	struct fixture *f = data;

	if (f->n_closed)
		return;
	if (f->n_lines >= 12) {
		loop_stop(f->loop);
		return;
	}
	/* the end of one line and the beginning of the next: never an empty buffer */
	say(f, "d\nbegun");
	(void)loop_timer(f->loop, 20, say_next, f);
}

/* Each line has its own time: a busy peer is not slow because its last line is always
 * unfinished. */
static void test_line_time_is_per_line(void **state)
{
	struct fixture f = {.limits = {.line_ms = 120}, .stop_on_close = true};

	(void)state;
	start(&f);
	say(&f, "begun");
	(void)loop_timer(f.loop, 0, say_next, &f);
	unit_run(f.loop);
	assert_int_equal(f.n_overlong, 0);
	assert_int_equal(f.n_lines, 12);
	finish(&f);
}

static void test_idle(void **state)
{
	struct fixture f = {.limits = {.idle_ms = 30}, .stop_on_close = true};

	(void)state;
	start(&f);
	unit_run(f.loop);
	assert_int_equal(f.n_overlong, 0);
	assert_ended(&f);
	finish(&f);
}

static void test_send_order_and_descriptors(void **state)
{
	struct fixture f = {};
	char got[64] = "";
	int fds[SOCK_MAX_FDS], pipe_fds[2];
	size_t n_fds = 0;
	struct stat a, b;

	(void)state;
	start(&f);
	assert_int_equal(pipe(pipe_fds), 0);
	conn_send(f.conn, "first", NULL, 0);
	conn_send(f.conn, "with fd", &pipe_fds[1], 1);
	unit_turn(f.loop);
	assert_int_equal(sock_recv(f.peer, got, 6, fds, &n_fds), 6);
	assert_memory_equal(got, "first\n", 6);
	assert_int_equal(n_fds, 0);
	assert_int_equal(sock_recv(f.peer, got, sizeof(got), fds, &n_fds), 8);
	assert_memory_equal(got, "with fd\n", 8);
	assert_int_equal(n_fds, 1);
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fds[0], &a) | fstat(pipe_fds[1], &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(conn_queued(f.conn), 0);
	close(fds[0]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	finish(&f);
}

/* What the kernel does not take at once is kept in order, and so are the descriptors. */
static void test_short_sends(void **state)
{
	struct fixture f = {.limits = {.max_queued = 64 << 20}};
	_cleanup_buf_ struct buf got = {};
	char line[1001], chunk[777];
	int fds[SOCK_MAX_FDS], room = 4096, passed = 0, null_fd = open("/dev/null", O_RDONLY);
	size_t n_fds = 0;
	ssize_t n;

	(void)state;
	start(&f);
	assert_int_equal(setsockopt(conn_fd(f.conn), SOL_SOCKET, SO_SNDBUF, &room,
				    sizeof(room)),
			 0);
	for (int i = 0; i < 2000; i++) {
		memset(line, 'a' + i % 26, 1000);
		line[1000] = '\0';
		conn_send(f.conn, line, &null_fd, i % 100 == 0 ? 1 : 0);
	}
	assert_true(conn_queued(f.conn) > 1000000);
	while (got.size < 2000 * 1001) {
		unit_turn(f.loop);
		while ((n = sock_recv(f.peer, chunk, sizeof(chunk), fds, &n_fds)) > 0) {
			buf_add(&got, chunk, (size_t)n);
			for (size_t i = 0; i < n_fds; i++)
				close(fds[i]);
			passed += (int)n_fds;
		}
		assert_int_equal(n, -EAGAIN);
	}
	for (size_t i = 0; i < got.size; i++)
		if (got.data[i] != (i % 1001 == 1000 ? '\n' : (char)('a' + i / 1001 % 26)))
			fail_msg("byte %zu", i);
	assert_int_equal(passed, 20);
	assert_int_equal(conn_queued(f.conn), 0);
	close(null_fd);
	finish(&f);
}

static void test_reader_that_never_reads(void **state)
{
	struct fixture f = {.limits = {.max_queued = 100000}};
	int before;
	char line[1001];
	int null_fd = open("/dev/null", O_RDONLY);

	(void)state;
	start(&f);
	before = unit_count_fds();
	memset(line, 'x', 1000);
	line[1000] = '\0';
	for (int i = 0; i < 100000 && f.n_closed == 0; i++) {
		conn_send(f.conn, line, &null_fd, i % 1000 == 0 ? 1 : 0);
		if (i % 100 == 0)
			unit_turn(f.loop);
	}
	assert_int_equal(f.n_closed, 1);
	/* the connection's own descriptor is gone, and every copy it kept */
	assert_int_equal(unit_count_fds(), before - 1);
	close(null_fd);
	finish(&f);
}

static void test_close_with_flush(void **state)
{
	struct fixture f = {.limits = {.max_queued = 64 << 20}};
	char line[100001], chunk[65536];
	size_t got = 0;
	ssize_t n;

	(void)state;
	start(&f);
	memset(line, 'x', 100000);
	line[100000] = '\0';
	for (int i = 0; i < 20; i++)
		conn_send(f.conn, line, NULL, 0);
	conn_close(f.conn, true);
	conn_close(f.conn, true);
	conn_send(f.conn, "after the end", NULL, 0);
	unit_turn(f.loop);
	assert_int_equal(f.n_closed, 0);
	do {
		unit_turn(f.loop);
		n = read(f.peer, chunk, sizeof(chunk));
		if (n > 0)
			got += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EAGAIN));
	assert_int_equal(n, 0);
	assert_int_equal(got, 20 * 100001);
	assert_int_equal(f.n_closed, 1);
	finish(&f);
}

static void test_close_at_once_drops_the_queue(void **state)
{
	struct fixture f = {.limits = {.max_queued = 64 << 20}};
	char line[1000001];

	(void)state;
	start(&f);
	memset(line, 'x', 1000000);
	line[1000000] = '\0';
	conn_send(f.conn, line, NULL, 0);
	conn_close(f.conn, false);
	assert_int_equal(f.n_closed, 0);
	unit_turn(f.loop);
	assert_int_equal(f.n_closed, 1);
	finish(&f);
}

static void test_close_from_a_line(void **state)
{
	struct fixture f = {.close_on_line = true};

	(void)state;
	start(&f);
	say(&f, "one\ntwo\n");
	unit_turn(f.loop);
	assert_string_equal(f.lines.data, "one|");
	assert_ended(&f);
	finish(&f);
}

static void test_hold(void **state)
{
	struct fixture f = {.hold_each = true};

	(void)state;
	start(&f);
	say(&f, "one\ntwo\nthree\n");
	unit_turn(f.loop);
	assert_string_equal(f.lines.data, "one|");
	say(&f, "four\n");
	unit_turn(f.loop);
	assert_string_equal(f.lines.data, "one|");
	conn_hold(f.conn, false);
	unit_turn(f.loop);
	assert_string_equal(f.lines.data, "one|two|");
	conn_hold(f.conn, false);
	conn_hold(f.conn, true);
	unit_turn(f.loop);
	assert_string_equal(f.lines.data, "one|two|");
	f.hold_each = false;
	conn_hold(f.conn, false);
	unit_turn(f.loop);
	assert_string_equal(f.lines.data, "one|two|three|four|");
	finish(&f);
}

static void on_stop(void *data)
{
	loop_stop(data);
}

/* While a request is in work its connection is neither idle nor slow. */
static void test_hold_stops_the_clocks(void **state)
{
	struct fixture f = {.hold_each = true, .limits = {.idle_ms = 20, .line_ms = 20}};

	(void)state;
	start(&f);
	say(&f, "one\npart");
	unit_turn(f.loop);
	(void)loop_timer(f.loop, 100, on_stop, f.loop);
	unit_run(f.loop);
	assert_int_equal(f.n_closed, 0);
	f.stop_on_close = true;
	conn_hold(f.conn, false);
	unit_run(f.loop);
	assert_int_equal(f.n_closed, 1);
	finish(&f);
}

static void test_hold_notices_a_peer_that_is_gone(void **state)
{
	struct fixture f = {.hold_each = true, .stop_on_close = true};

	(void)state;
	start(&f);
	say(&f, "one\ntwo\n");
	unit_turn(f.loop);
	closep(&f.peer);
	f.peer = -1;
	unit_run(f.loop);
	assert_int_equal(f.n_closed, 1);
	assert_string_equal(f.lines.data, "one|");
	finish(&f);
}

/* A client that sends its request, shuts down its sending side and then reads gets its answer.
 */
static void test_half_closed_peer_gets_its_answer(void **state)
{
	for (int held = 0; held < 2; held++) {
		struct fixture f = {.hold_each = held, .answer = held ? NULL : "yes"};

		(void)state;
		start(&f);
		say(&f, "question\n");
		assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
		unit_turn(f.loop);
		if (held) {
			assert_int_equal(f.n_closed, 0);
			conn_send(f.conn, "yes", NULL, 0);
			conn_hold(f.conn, false);
			unit_turn(f.loop);
		}
		assert_heard(&f, "yes\n");
		assert_int_equal(f.n_closed, 1);
		finish(&f);
	}
}

static void test_half_closed_peer_gets_a_long_answer(void **state)
{
	struct fixture f = {.limits = {.max_queued = 64 << 20}};
	char *line = malloc(4000001), chunk[65536];
	size_t got = 0;
	ssize_t n;

	(void)state;
	assert_non_null(line);
	memset(line, 'x', 4000000);
	line[4000000] = '\0';
	f.answer = line;
	start(&f);
	say(&f, "question\n");
	assert_int_equal(shutdown(f.peer, SHUT_WR), 0);
	do {
		unit_turn(f.loop);
		n = read(f.peer, chunk, sizeof(chunk));
		if (n > 0)
			got += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EAGAIN));
	assert_int_equal(got, 4000001);
	free(line);
	finish(&f);
}

static void send_fds(int fd, const char *text, int n)
{
	int fds[SOCK_MAX_FDS];

	for (int i = 0; i < n; i++)
		fds[i] = STDERR_FILENO;
	assert_int_equal(sock_send(fd, text, strlen(text), fds, (size_t)n), strlen(text));
}

static void test_received_descriptors(void **state)
{
	struct fixture f = {};
	int taken[SOCK_MAX_FDS], before;

	(void)state;
	start(&f);
	before = unit_count_fds();
	send_fds(f.peer, "a\n", 2);
	send_fds(f.peer, "b\n", 1);
	unit_turn(f.loop);
	assert_int_equal(conn_take_fds(f.conn, taken), 3);
	assert_int_equal(conn_take_fds(f.conn, taken + 3), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(fcntl(taken[i], F_GETFD) & FD_CLOEXEC);
		close(taken[i]);
	}
	assert_int_equal(unit_count_fds(), before);
	finish(&f);
}

/* A peer that only sends descriptors cannot use up ours. */
static void test_flood_of_descriptors(void **state)
{
	struct fixture f = {};
	int before;

	(void)state;
	start(&f);
	before = unit_count_fds();
	for (int i = 0; i < 50; i++) {
		send_fds(f.peer, "x\n", SOCK_MAX_FDS);
		unit_turn(f.loop);
	}
	assert_int_equal(f.n_lines, 50);
	assert_true(unit_count_fds() <= before + SOCK_MAX_FDS);
	conn_close(f.conn, false);
	unit_turn(f.loop);
	assert_int_equal(unit_count_fds(), before - 1);
	finish(&f);
}

static void test_descriptor_that_cannot_be_copied(void **state)
{
	struct fixture f = {};
	int bad = 1000;

	(void)state;
	start(&f);
	conn_send(f.conn, "here is your terminal", &bad, 1);
	unit_turn(f.loop);
	assert_ended(&f);
	finish(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_nul_is_only_a_byte),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_slow_line),
		cmocka_unit_test(test_line_time_is_per_line),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_send_order_and_descriptors),
		cmocka_unit_test(test_short_sends),
		cmocka_unit_test(test_reader_that_never_reads),
		cmocka_unit_test(test_close_with_flush),
		cmocka_unit_test(test_close_at_once_drops_the_queue),
		cmocka_unit_test(test_close_from_a_line),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_hold_stops_the_clocks),
		cmocka_unit_test(test_hold_notices_a_peer_that_is_gone),
		cmocka_unit_test(test_half_closed_peer_gets_its_answer),
		cmocka_unit_test(test_half_closed_peer_gets_a_long_answer),
		cmocka_unit_test(test_received_descriptors),
		cmocka_unit_test(test_flood_of_descriptors),
		cmocka_unit_test(test_descriptor_that_cannot_be_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
