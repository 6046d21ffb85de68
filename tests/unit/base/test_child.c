#include "loop_unit.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SH "/bin/sh"

static int spawn(const char *script, const struct child_fd *fds, size_t n_fds)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	const struct child_spec spec = {.path = SH, .argv = argv, .fds = fds, .n_fds = n_fds};
	struct error err = {};
	pid_t pid;
	int pidfd = -1;

	if (child_spawn(&spec, &pid, &pidfd, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	return pidfd;
}

static struct child_exit run(const char *script)
{
	struct child_exit exit = {};
	int pidfd = spawn(script, NULL, 0);

	assert_int_equal(child_wait(pidfd, -1, &exit), 0);
	close(pidfd);
	return exit;
}

static void test_exits(void **state)
{
	char out[64];
	struct child_exit exit = run("exit 0");

	(void)state;
	assert_false(exit.signaled);
	assert_int_equal(exit.status, 0);
	exit = run("exit 7");
	assert_int_equal(exit.status, 7);
	assert_string_equal(child_exit_text(out, &exit), "exited with status 7");
	exit = run("kill -TERM $$");
	assert_true(exit.signaled);
	assert_int_equal(exit.status, SIGTERM);
	assert_string_equal(child_exit_text(out, &exit),
			    "was killed by signal 15 (Terminated)");
	exit = run("kill -SYS $$");
	assert_string_equal(child_exit_text(out, &exit),
			    "was ended at a system call that it may not make");
	exit = (struct child_exit){.timed_out = true, .signaled = true, .status = 9};
	assert_string_equal(child_exit_text(out, &exit), "ran out of time");
	exit = (struct child_exit){.too_much = true, .signaled = true, .status = 9};
	assert_string_equal(child_exit_text(out, &exit), "wrote more than it may");
}

static void test_exec_failures(void **state)
{
	const char *const argv[] = {"x", NULL};
	static const struct {
		const char *path;
		int r;
	} cases[] = {
		{"/nonexistent/program", -ENOENT},
		{"/etc/passwd", -EACCES},
		{"/", -EACCES},
		{"sh", -ENOENT}, /* never searched on PATH */
	};
	int before = unit_count_fds();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct child_spec spec = {.path = cases[i].path, .argv = argv};
		struct error err = {};
		pid_t pid = 0;
		int pidfd = -1;

		assert_int_equal(child_spawn(&spec, &pid, &pidfd, &err), cases[i].r);
		assert_text(&err, cases[i].path);
		assert_int_equal(pidfd, -1);
	}
	assert_int_equal(unit_count_fds(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_wait_times_out(void **state)
{
	struct child_exit exit = {};
	int pidfd = spawn("exec sleep 1000", NULL, 0);

	(void)state;
	assert_int_equal(child_wait(pidfd, 0, &exit), -ETIMEDOUT);
	assert_int_equal(child_wait(pidfd, 20, &exit), -ETIMEDOUT);
	child_kill(pidfd);
	close(pidfd);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Reads what a child wrote to its standard output until it ends. */
static char *output_of(const char *script, const struct child_fd *more, size_t n_more,
		       const char *const *env)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct child_fd fds[4];
	struct child_spec spec = {
		.path = SH, .argv = argv, .env = env, .fds = fds, .n_fds = n_more + 1};
	struct child_exit exit = {};
	struct error err = {};
	struct buf out = {};
	char chunk[4096];
	int pipe_fds[2], pidfd = -1;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	fds[0] = (struct child_fd){pipe_fds[1], 1};
	for (size_t i = 0; i < n_more; i++)
		fds[i + 1] = more[i];
	if (child_spawn(&spec, &pid, &pidfd, &err) < 0)
		fail_msg("%s", error_text(&err));
	close(pipe_fds[1]);
	while ((n = read(pipe_fds[0], chunk, sizeof(chunk))) > 0)
		buf_add(&out, chunk, (size_t)n);
	close(pipe_fds[0]);
	assert_int_equal(child_wait(pidfd, -1, &exit), 0);
	close(pidfd);
	return buf_take(&out);
}

static void test_environment(void **state)
{
	const char *const env[] = {"ONLY=this", NULL};
	_cleanup_free_ char *none = NULL, *own = NULL;

	(void)state;
	setenv("SECRET", "of the parent", 1);
	none = output_of("exec /usr/bin/env", NULL, 0, NULL);
	own = output_of("exec /usr/bin/env", NULL, 0, env);
	unsetenv("SECRET");
	assert_non_null(strstr(none, "PATH=/usr"));
	assert_non_null(strstr(none, "LANG=C.UTF-8"));
	assert_null(strstr(none, "SECRET"));
	assert_non_null(strstr(own, "ONLY=this"));
	assert_null(strstr(own, "SECRET"));
	assert_null(strstr(own, "LANG"));
}

/* A descriptor opened without O_CLOEXEC, low or high, does not reach the child; the named ones
 * do. */
static void test_descriptors(void **state)
{
	int low = dup(STDERR_FILENO), high = fcntl(STDERR_FILENO, F_DUPFD, 200), pipe_fds[2];
	struct child_fd fds[2];
	_cleanup_free_ char *script = NULL, *got = NULL, *want = NULL;

	(void)state;
	assert_true(low >= 0 && high >= 200);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	/* swapped numbers: each must survive the other's move */
	fds[0] = (struct child_fd){pipe_fds[0], pipe_fds[1]};
	fds[1] = (struct child_fd){pipe_fds[1], pipe_fds[0]};
	script = str_format("for i in %d %d %d %d; do [ -e /proc/self/fd/$i ] && echo $i; done;"
			    "readlink /proc/self/fd/0 /proc/self/fd/2; echo x >&%d",
			    low, high, pipe_fds[0], pipe_fds[1], pipe_fds[0]);
	want = str_format("%d\n%d\n/dev/null\n/dev/null\n", pipe_fds[0], pipe_fds[1]);
	got = output_of(script, fds, 2, NULL);
	assert_string_equal(got, want);
	assert_int_equal(read(pipe_fds[0], script, 1), 1);
	close(low);
	close(high);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void test_signals_are_reset(void **state)
{
	_cleanup_free_ char *status = NULL;
	const char *ignored;
	sigset_t set, old;
	struct sigaction ignore = {.sa_handler = SIG_IGN}, pipe_action, hup_action;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	sigaction(SIGPIPE, &ignore, &pipe_action);
	sigaction(SIGHUP, &ignore, &hup_action);
	status = output_of("exec grep -E '^Sig(Blk|Ign)' /proc/self/status", NULL, 0, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	sigaction(SIGPIPE, &pipe_action, NULL);
	sigaction(SIGHUP, &hup_action, NULL);
	assert_non_null(strstr(status, "SigBlk:\t0000000000000000"));
	/* 32 and 33 are the C library's own */
	ignored = strstr(status, "SigIgn:\t");
	assert_non_null(ignored);
	assert_int_equal(strtoull(ignored + 8, NULL, 16) & 0x7fffffff, 0);
}

static void test_new_session(void **state)
{
	const char *const argv[] = {"sh", "-c", "exec sleep 1000", NULL};
	struct child_spec spec = {.path = SH, .argv = argv, .new_session = true};
	struct error err = {};
	pid_t pid = 0;
	int pidfd = -1;

	(void)state;
	assert_int_equal(child_spawn(&spec, &pid, &pidfd, &err), 0);
	assert_int_equal(getsid(pid), pid);
	child_kill(pidfd);
	close(pidfd);
}

/* --- on a loop --- */

struct result {
	struct loop *loop;
	struct child_exit exit;
	struct buf output;
	int calls;
};

static void on_end(const struct child_exit *exit, const struct buf *output, void *data)
{
	struct result *r = data;

	r->exit = *exit;
	buf_add(&r->output, output->data, output->size);
	r->calls++;
	loop_stop(r->loop);
}

static struct child *begin(struct result *r, const char *script, int64_t deadline_ms,
			   size_t max_output)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	const struct child_spec spec = {.path = SH, .argv = argv};
	struct error err = {};
	struct child *child = NULL;

	if (!r->loop)
		r->loop = loop_new();
	if (child_start(r->loop, &spec, deadline_ms, max_output, on_end, r, &child, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_true(child_pid(child) > 0);
	return child;
}

static void end(struct result *r)
{
	buf_release(&r->output);
	loop_free(r->loop);
	/* nobody was left unreaped */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_start_collects_output(void **state)
{
	struct result r = {};
	int before = unit_count_fds();

	(void)state;
	begin(&r, "echo hello; echo never seen >&2; exit 3", 0, 100);
	unit_run(r.loop);
	assert_int_equal(r.calls, 1);
	assert_false(r.exit.signaled);
	assert_int_equal(r.exit.status, 3);
	assert_string_equal(r.output.data, "hello\n");
	end(&r);
	assert_int_equal(unit_count_fds(), before);
}

static void test_start_without_output(void **state)
{
	struct result r = {};

	(void)state;
	begin(&r, "echo hello", 0, 0);
	unit_run(r.loop);
	assert_int_equal(r.exit.status, 0);
	assert_int_equal(r.output.size, 0);
	end(&r);
}

static void test_output_exactly_at_its_limit(void **state)
{
	struct result r = {};

	(void)state;
	begin(&r, "head -c 1000000 /dev/zero | tr '\\0' x", 0, 1000000);
	unit_run(r.loop);
	assert_int_equal(r.exit.status, 0);
	assert_false(r.exit.signaled);
	assert_int_equal(r.output.size, 1000000);
	end(&r);
}

static void test_too_much_output_ends_it(void **state)
{
	struct result r = {};

	(void)state;
	begin(&r, "exec cat /dev/zero", 0, 100000);
	unit_run(r.loop);
	assert_int_equal(r.calls, 1);
	assert_true(r.exit.signaled);
	assert_int_equal(r.exit.status, SIGKILL);
	assert_true(r.exit.too_much);
	assert_true(r.output.size <= 100000);
	end(&r);
}

static void test_deadline(void **state)
{
	struct result r = {};
	int64_t start = clock_boot_ms();

	(void)state;
	begin(&r, "trap '' TERM INT HUP; while :; do sleep 1000; done", 50, 100);
	unit_run(r.loop);
	assert_true(r.exit.timed_out);
	assert_true(r.exit.signaled);
	assert_true(clock_boot_ms() - start < 15000);
	end(&r);
}

static void test_in_time(void **state)
{
	struct result r = {};

	(void)state;
	begin(&r, "echo done", 15000, 100);
	unit_run(r.loop);
	assert_false(r.exit.timed_out);
	assert_string_equal(r.output.data, "done\n");
	end(&r);
}

/* The child is gone, something it started still holds the pipe: the end must not wait for that.
 */
static void test_grandchild_holds_the_pipe(void **state)
{
	struct result r = {};
	int64_t start = clock_boot_ms();
	char *pid_text;

	(void)state;
	begin(&r, "sleep 1000 & echo $!", 0, 100);
	unit_run(r.loop);
	assert_int_equal(r.exit.status, 0);
	assert_true(clock_boot_ms() - start < 15000);
	pid_text = r.output.data;
	assert_non_null(pid_text);
	assert_true(atoi(pid_text) > 1);
	assert_int_equal(kill(atoi(pid_text), SIGKILL), 0);
	end(&r);
}

/* A grandchild that goes on writing after the child has ended is cut off all the same. */
static void test_grandchild_writes_on(void **state)
{
	struct result r = {};

	(void)state;
	begin(&r, "(while echo x; do :; done) & exit 4", 0, 1000);
	unit_run(r.loop);
	assert_int_equal(r.calls, 1);
	assert_true(r.output.size <= 1000);
	end(&r);
}

/* Output written before the end is all there, however the two events are ordered. */
static void test_output_is_complete(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		struct result r = {};

		begin(&r, "printf %s abcdefghij", 0, 100);
		unit_run(r.loop);
		assert_string_equal(buf_str(&r.output), "abcdefghij");
		end(&r);
	}
}

static void test_free_kills_and_is_silent(void **state)
{
	struct result r = {};
	int before = unit_count_fds();
	struct child *child = begin(&r, "exec sleep 1000", 15000, 100);

	(void)state;
	child_free(child);
	child_free(NULL);
	unit_turn(r.loop);
	assert_int_equal(r.calls, 0);
	end(&r);
	assert_int_equal(unit_count_fds(), before);
}

static void test_start_fails_clean(void **state)
{
	const char *const argv[] = {"x", NULL};
	const struct child_spec spec = {.path = "/nonexistent", .argv = argv};
	struct loop *loop = loop_new();
	struct child *child = NULL;
	struct error err = {};
	int before = unit_count_fds();

	(void)state;
	assert_int_equal(child_start(loop, &spec, 100, 100, on_end, NULL, &child, &err),
			 -ENOENT);
	assert_null(child);
	assert_int_equal(unit_count_fds(), before);
	loop_free(loop);
}

/* Somebody else took the exit status: that is not a success. */
static void test_reaped_by_somebody_else(void **state)
{
	struct result r = {};
	struct child *child = begin(&r, "exit 0", 0, 0);

	(void)state;
	assert_int_equal(waitpid(child_pid(child), NULL, 0), child_pid(child));
	unit_run(r.loop);
	assert_int_equal(r.calls, 1);
	assert_true(r.exit.signaled || r.exit.status != 0);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_exec_failures),
		cmocka_unit_test(test_wait_times_out),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_signals_are_reset),
		cmocka_unit_test(test_new_session),
		cmocka_unit_test(test_start_collects_output),
		cmocka_unit_test(test_start_without_output),
		cmocka_unit_test(test_output_exactly_at_its_limit),
		cmocka_unit_test(test_too_much_output_ends_it),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_in_time),
		cmocka_unit_test(test_grandchild_holds_the_pipe),
		cmocka_unit_test(test_grandchild_writes_on),
		cmocka_unit_test(test_output_is_complete),
		cmocka_unit_test(test_free_kills_and_is_silent),
		cmocka_unit_test(test_start_fails_clean),
		cmocka_unit_test(test_reaped_by_somebody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
