#include "base/conn_fixture.h"

#include <signal.h>

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
	(void)state;
	for (int unread = 0; unread < 2; unread++) {
		struct fixture f = {.hold_each = true,
				    .stop_on_close = true,
				    .answer = unread ? "not read" : NULL};

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
}

/* ---- whose turn it is ---- */

static void note_line(struct conn *conn, const char *line, size_t size, void *data)
{
	(void)conn;
	(void)size;
	buf_add_str(data, line);
}

static void note_nothing(struct conn *conn, void *data)
{
	(void)conn;
	(void)data;
}

/* One that has a lot to say and one that says little are heard in turns. */
static void test_lines_in_turns(void **state)
{
	static const struct conn_limits limits = {.max_line = 100,
						  .max_queued = 1000,
						  .turn_lines = 1};
	static const struct conn_ops ops = {.on_line = note_line,
					    .on_overlong = note_nothing,
					    .on_close = note_nothing};
	struct loop *loop = loop_new();
	_cleanup_buf_ struct buf heard = {};
	struct conn *conns[2];
	int ends[2][2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i]),
				 0);
		conns[i] = conn_new(loop, ends[i][0], &limits, &ops, &heard);
	}
	assert_int_equal(write(ends[0][1], "a\n\na\na\na\na\na\n\n", 15), 15);
	assert_int_equal(write(ends[1][1], "b\nb\n", 4), 4);
	unit_turn(loop);
	assert_int_equal(heard.size, 8);
	for (int i = 0; i < 4; i++) /* each pair of lines is one of each */
		assert_true(i >= 2 || buf_str(&heard)[2 * i] != buf_str(&heard)[2 * i + 1]);
	for (int i = 0; i < 2; i++) {
		conn_close(conns[i], false);
		unit_turn(loop);
		(void)close(ends[i][1]);
	}
	loop_free(loop);
}

#define LONG_MS 60000 /* never, as far as a test is concerned */

/* Who sends its lines in pieces waits between them; its line must be whole in time all the
 * same. */
static void test_pieces(void **state)
{
	struct fixture f = {.limits = {.part_ms = LONG_MS, .line_ms = 50},
			    .stop_on_close = true};

	(void)state;
	start(&f);
	say(&f, "whole\n");
	unit_turn(f.loop);
	say(&f, "whole too\n");
	unit_turn(f.loop);
	assert_string_equal(f.lines.data, "whole|whole too|");
	say(&f, "pie");
	unit_turn(f.loop);
	say(&f, "ce\n");
	unit_turn(f.loop);
	assert_int_equal(f.n_lines, 2);
	unit_run(f.loop);
	assert_int_equal(f.n_overlong, 1);
	finish(&f);
}

static void test_empty_lines_are_pieces(void **state)
{
	struct fixture f = {.limits = {.part_ms = LONG_MS, .turn_lines = 1}};

	(void)state;
	start(&f);
	say(&f, "\n\n\nheard\n");
	unit_turn(f.loop);
	say(&f, "\n\n\n");
	unit_turn(f.loop);
	say(&f, "not heard\n");
	unit_turn(f.loop);
	assert_string_equal(f.lines.data, "heard|");
	finish(&f);
}

static void test_rest(void **state)
{
	(void)state;
	for (int again = 0; again < 2; again++) {
		struct fixture f = {.answer = "heard", .rest_ms = LONG_MS};

		start(&f);
		say(&f, "one\ntwo\n");
		unit_turn(f.loop);
		say(&f, "three\n");
		unit_turn(f.loop);
		assert_string_equal(f.lines.data, "one|");
		assert_heard(&f, "heard\n");
		if (again)
			conn_rest(f.conn, 0);
		unit_turn(f.loop);
		assert_string_equal(f.lines.data, again ? "one|two|" : "one|");
		/* who goes away meanwhile is noticed */
		closep(&f.peer);
		f.peer = -1;
		unit_turn(f.loop);
		assert_int_equal(f.n_closed, 1);
		finish(&f);
	}
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
		cmocka_unit_test(test_close_from_a_line),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_hold_stops_the_clocks),
		cmocka_unit_test(test_hold_notices_a_peer_that_is_gone),
		cmocka_unit_test(test_lines_in_turns),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_empty_lines_are_pieces),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
