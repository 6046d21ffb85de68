#include "base/conn_fixture.h"

#include <sys/stat.h>

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

/* A peer that asks and asks without fetching the answers is not heard until it does. */
static void test_answers_nobody_fetches(void **state)
{
	_cleanup_free_ char *answer = mem_new(20001, 1);
	struct fixture f = {.limits = {.max_queued = 100 << 20, .busy_queued = 50000},
			    .answer = answer};
	char got[65536];
	int asked = 0;

	(void)state;
	memset(answer, 'x', 20000);
	start(&f);
	for (int turn = 0; turn < 50; turn++) {
		while (asked < 1000 && write(f.peer, "?\n", 2) == 2)
			asked++;
		unit_turn(f.loop);
		assert_true(conn_queued(f.conn) < 100000);
	}
	assert_true(f.n_lines < 100);
	for (int turn = 0; turn < 5000 && f.n_lines < asked; turn++) {
		while (read(f.peer, got, sizeof(got)) > 0) {
			/* now it does */
		}
		unit_turn(f.loop);
	}
	assert_int_equal(f.n_lines, asked);
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

/* Every line has the descriptors that came with it, however the kernel puts messages together.
 */
static void test_received_descriptors(void **state)
{
	struct fixture f = {.take_fds = true};
	int before;

	(void)state;
	start(&f);
	before = unit_count_fds();
	send_fds(f.peer, "a\n", 0);
	send_fds(f.peer, "b\n", 2);
	send_fds(f.peer, "c\n", 0);
	send_fds(f.peer, "d", 1);
	send_fds(f.peer, "d\n", 2);
	send_fds(f.peer, "e\n", 0);
	unit_turn(f.loop);
	assert_string_equal(buf_str(&f.lines), "a|b|c|dd|e|");
	assert_int_equal(f.n_fds[0], 0);
	assert_int_equal(f.n_fds[1], 2);
	assert_int_equal(f.n_fds[2], 0);
	assert_int_equal(f.n_fds[3], 3);
	assert_int_equal(f.n_fds[4], 0);
	assert_int_equal(unit_count_fds(), before);
	finish(&f);
}

/* What a line does not want is not left for the next one. */
static void test_descriptors_nobody_takes(void **state)
{
	struct fixture f = {};
	int before, fds[SOCK_MAX_FDS];

	(void)state;
	start(&f);
	before = unit_count_fds();
	send_fds(f.peer, "a\n", 3);
	unit_turn(f.loop);
	assert_int_equal(unit_count_fds(), before);
	assert_int_equal(conn_take_fds(f.conn, fds), 0);
	send_fds(f.peer, "b", 3);
	unit_turn(f.loop);
	assert_int_equal(unit_count_fds(), before + 3);
	finish(&f);
}

/* A connection that is held reads nothing: neither lines nor descriptors are mixed up. */
static void test_descriptors_while_held(void **state)
{
	struct fixture f = {.take_fds = true, .hold_each = true};

	(void)state;
	start(&f);
	send_fds(f.peer, "a\n", 0);
	send_fds(f.peer, "b\n", 1);
	send_fds(f.peer, "c\n", 2);
	unit_turn(f.loop);
	assert_string_equal(buf_str(&f.lines), "a|");
	conn_hold(f.conn, false);
	unit_turn(f.loop);
	conn_hold(f.conn, false);
	unit_turn(f.loop);
	assert_string_equal(buf_str(&f.lines), "a|b|c|");
	assert_int_equal(f.n_fds[1], 1);
	assert_int_equal(f.n_fds[2], 2);
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
	assert_int_equal(unit_count_fds(), before);
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
		cmocka_unit_test(test_send_order_and_descriptors),
		cmocka_unit_test(test_short_sends),
		cmocka_unit_test(test_reader_that_never_reads),
		cmocka_unit_test(test_close_with_flush),
		cmocka_unit_test(test_close_at_once_drops_the_queue),
		cmocka_unit_test(test_half_closed_peer_gets_its_answer),
		cmocka_unit_test(test_half_closed_peer_gets_a_long_answer),
		cmocka_unit_test(test_answers_nobody_fetches),
		cmocka_unit_test(test_received_descriptors),
		cmocka_unit_test(test_descriptors_nobody_takes),
		cmocka_unit_test(test_descriptors_while_held),
		cmocka_unit_test(test_flood_of_descriptors),
		cmocka_unit_test(test_descriptor_that_cannot_be_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
