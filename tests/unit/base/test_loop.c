#include "loop_unit.h"

#include "base/clock.h"

#include <signal.h>
#include <sys/socket.h>

struct trace {
	struct loop *loop;
	char text[64];
	struct timer *victim;
	struct watch *watch;
	int calls, stop_at;
};

static void add(struct trace *t, char c)
{
	size_t n = strlen(t->text);

	if (n + 1 < sizeof(t->text))
		t->text[n] = c;
	if (++t->calls == t->stop_at)
		loop_stop(t->loop);
}

static void on_a(void *data)
{
	add(data, 'a');
}

static void on_b(void *data)
{
	add(data, 'b');
}

static void test_timers_fire_once_in_order(void **state)
{
	struct trace t = {.loop = loop_new(), .stop_at = 3};

	(void)state;
	assert_non_null(loop_timer(t.loop, 30, on_b, &t));
	assert_non_null(loop_timer(t.loop, 0, on_a, &t));
	assert_non_null(loop_timer(t.loop, -5, on_a, &t));
	unit_run(t.loop);
	assert_string_equal(t.text, "aab");
	unit_turn(t.loop);
	assert_string_equal(t.text, "aab");
	loop_free(t.loop);
}

static void test_timer_is_never_early(void **state)
{
	struct trace t = {.loop = loop_new(), .stop_at = 1};
	int64_t start = clock_boot_ms();

	(void)state;
	assert_non_null(loop_timer(t.loop, 50, on_a, &t));
	unit_run(t.loop);
	/* the kernel's coarse clock may be one tick behind */
	assert_true(clock_boot_ms() - start >= 45);
	loop_free(t.loop);
}

static void on_cancel(void *data)
{
	struct trace *t = data;

	timer_cancel(t->victim);
	add(t, 'c');
}

static void test_cancelled_timer_is_silent(void **state)
{
	struct trace t = {.loop = loop_new(), .stop_at = 2};
	struct timer *early = loop_timer(t.loop, 5, on_b, &t);

	(void)state;
	t.victim = loop_timer(t.loop, 20, on_b, &t);
	timer_cancel(early);
	timer_cancel(NULL);
	assert_non_null(loop_timer(t.loop, 10, on_cancel, &t));
	assert_non_null(loop_timer(t.loop, 40, on_a, &t));
	unit_run(t.loop);
	assert_string_equal(t.text, "ca");
	loop_free(t.loop);
}

static void on_again(void *data)
{
	struct trace *t = data;

	add(t, 'x');
	if (t->calls < t->stop_at)
		(void)loop_timer(t->loop, 0, on_again, t);
}

static void test_timer_from_a_timer(void **state)
{
	struct trace t = {.loop = loop_new(), .stop_at = 10};

	(void)state;
	(void)loop_timer(t.loop, 0, on_again, &t);
	unit_run(t.loop);
	assert_string_equal(t.text, "xxxxxxxxxx");
	loop_free(t.loop);
}

static void on_watch(int fd, bool readable, bool writable, void *data)
{
	char c;

	if (readable && read(fd, &c, 1) == 1)
		add(data, c);
	else if (writable)
		add(data, 'W');
	else
		add(data, '-');
}

static void test_watch(void **state)
{
	struct trace t = {.loop = loop_new()};
	struct watch *w;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	w = loop_watch(t.loop, fds[0], true, false, on_watch, &t);
	unit_turn(t.loop);
	assert_string_equal(t.text, "");
	assert_int_equal(write(fds[1], "12", 2), 2);
	unit_turn(t.loop);
	assert_string_equal(t.text, "12");
	watch_set(w, false, false);
	assert_int_equal(write(fds[1], "3", 1), 1);
	unit_turn(t.loop);
	assert_string_equal(t.text, "12");
	t.stop_at = 4;
	watch_set(w, false, true);
	unit_run(t.loop);
	assert_int_equal(t.text[2], 'W');
	watch_set(w, true, false);
	unit_turn(t.loop);
	assert_non_null(strchr(t.text, '3'));
	watch_free(w);
	watch_free(NULL);
	close(fds[0]);
	close(fds[1]);
	loop_free(t.loop);
}

static void on_watch_free(int fd, bool readable, bool writable, void *data)
{
	struct trace *t = data;

	(void)fd;
	(void)readable;
	(void)writable;
	watch_free(t->watch);
	add(t, 'f');
}

static void test_watch_freed_by_its_own_call(void **state)
{
	struct trace t = {.loop = loop_new()};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	t.watch = loop_watch(t.loop, fds[0], true, false, on_watch_free, &t);
	assert_int_equal(write(fds[1], "x", 1), 1);
	unit_turn(t.loop);
	assert_string_equal(t.text, "f");
	close(fds[0]);
	close(fds[1]);
	loop_free(t.loop);
}

/* Half a hang-up and a whole one are told once each, and data in between is not. */
static void test_hangup(void **state)
{
	struct trace t = {.loop = loop_new()};
	struct watch *w;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	w = loop_watch(t.loop, fds[0], true, false, on_watch, &t);
	watch_hangup(w);
	assert_int_equal(write(fds[1], "x", 1), 1);
	unit_turn(t.loop);
	assert_string_equal(t.text, "");
	shutdown(fds[1], SHUT_WR);
	unit_turn(t.loop);
	assert_string_equal(t.text, "-");
	close(fds[1]);
	unit_turn(t.loop);
	assert_string_equal(t.text, "--");
	watch_free(w);
	close(fds[0]);
	loop_free(t.loop);
}

static void test_hangup_before_it_was_asked_for(void **state)
{
	struct trace t = {.loop = loop_new()};
	struct watch *w;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	w = loop_watch(t.loop, fds[0], false, false, on_watch, &t);
	close(fds[1]);
	watch_hangup(w);
	unit_turn(t.loop);
	assert_string_equal(t.text, "-");
	watch_free(w);
	close(fds[0]);
	loop_free(t.loop);
}

static void on_user_signal(int signum, void *data)
{
	add(data, signum == SIGUSR1 ? '1' : '2');
}

static void test_signals(void **state)
{
	struct trace t = {.loop = loop_new(), .stop_at = 3};

	(void)state;
	assert_int_equal(loop_signal(t.loop, SIGUSR1, on_user_signal, &t), 0);
	assert_int_equal(loop_signal(t.loop, SIGUSR2, on_user_signal, &t), 0);
	raise(SIGUSR1);
	unit_turn(t.loop);
	raise(SIGUSR2);
	unit_turn(t.loop);
	raise(SIGUSR1);
	unit_run(t.loop);
	assert_string_equal(t.text, "121");
	assert_true(loop_signal(t.loop, 9999, on_user_signal, &t) < 0);
	loop_free(t.loop);
}

static void test_gives_everything_back(void **state)
{
	int before = unit_count_fds();

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct loop *loop = loop_new();

		assert_int_equal(loop_signal(loop, SIGUSR1, on_user_signal, NULL), 0);
		loop_free(loop);
	}
	loop_free(NULL);
	assert_int_equal(unit_count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_once_in_order),
		cmocka_unit_test(test_timer_is_never_early),
		cmocka_unit_test(test_cancelled_timer_is_silent),
		cmocka_unit_test(test_timer_from_a_timer),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_watch_freed_by_its_own_call),
		cmocka_unit_test(test_hangup),
		cmocka_unit_test(test_hangup_before_it_was_asked_for),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_gives_everything_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
