/* exec against real commands on the other side of the socket. */

#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <signal.h>
#include <string.h>

#define BIG (10u << 20)

/* argv[0] is the script. */
static void serve_exec(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	const char *script =
		json_string_value(json_array_get(json_object_get(request, "argv"), 0));

	fake_note("fds %zu", n_fds);
	for (size_t i = 0; i < n_fds; i++)
		if (isatty(fds[i]))
			fake_note("fd %zu is a terminal", i);
	if (n_fds == 3)
		fake_send_end(conn_fd, fake_run_sh(script, fds, false));
}

static const struct fake_rule exec_rules[] = {{"exec", NULL, serve_exec}, {}};

static void test_request(void **state)
{
	struct fake *fake = fake_start(exec_rules);
	_cleanup_free_ char *lines = NULL;
	struct run run = {};

	(void)state;
	run_skep(&run, SKEP(fake, "exec", "alice", "--user", "nobody", "--cwd=/tmp", "--env",
			    "A=b", "--env", "C=", "--", "true", "--json", "-x", ""));
	lines = fake_stop(fake);
	assert_int_equal(run.status, 0);
	assert_string_equal(
		lines,
		"{\"cmd\":\"exec\",\"name\":\"alice\",\"argv\":[\"true\",\"--json\",\"-x\","
		"\"\"],"
		"\"env\":[\"A=b\",\"C=\"],\"user\":\"nobody\",\"cwd\":\"/tmp\"}\nfds 3\n");
	run_release(&run);
}

static void test_status(void **state)
{
	static const struct {
		const char *script, *out, *err;
		int status;
	} cases[] = {
		{"echo out; echo err >&2; exit 3", "out\n", "err\n", 3},
		{"kill -TERM $$", "", "", 128 + SIGTERM},
		{"kill -KILL $$", "", "", 128 + SIGKILL},
		{"exit 255", "", "", 255},
		{"cat", "", "", 0},
		/* what outlives the command keeps the pipes open; nobody waits for it */
		{"sleep 300 & echo $!", NULL, "", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake *fake = fake_start(exec_rules);
		struct run run = {};

		run_skep(&run, SKEP(fake, "exec", "alice", "--", cases[i].script));
		free(fake_stop(fake));
		assert_int_equal(run.status, cases[i].status);
		if (cases[i].out)
			assert_string_equal(buf_str(&run.out), cases[i].out);
		assert_string_equal(buf_str(&run.err), cases[i].err);
		run_release(&run);
	}
}

/* Nor does what it writes count, once the command is over. */
static void test_flood_after_end(void **state)
{
	struct fake *fake = fake_start(exec_rules);
	struct run run = {};

	(void)state;
	run_skep(&run,
		 SKEP(fake, "exec", "alice", "--", "yes & head -c 1000000 /dev/zero; exit 2"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 2);
	assert_true(run.out.size >= 1000000 && run.out.size < 64000000);
	run_release(&run);
}

static void fill(char *data, size_t size)
{
	uint32_t x = 1;

	for (size_t i = 0; i < size; i++) {
		x = x * 1664525u + 1013904223u;
		data[i] = (char)(x >> 24);
	}
}

/* Ten megabytes of every byte there is, both ways at once. */
static void test_big(void **state)
{
	struct fake *fake = fake_start(exec_rules);
	_cleanup_free_ char *data = mem_new(BIG, 1);
	struct run run = {.input = data, .input_size = BIG};

	(void)state;
	fill(data, BIG);
	run_skep(&run, SKEP(fake, "exec", "alice", "--", "cat; exit 5"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 5);
	assert_int_equal(run.out.size, BIG);
	assert_memory_equal(run.out.data, data, BIG);
	run_release(&run);
}

/* A command that does not read what it is given ends all the same. */
static void test_unread_input(void **state)
{
	struct fake *fake = fake_start(exec_rules);
	_cleanup_free_ char *data = mem_new(BIG, 1);
	struct run run = {.input = data, .input_size = BIG};

	(void)state;
	run_skep(&run, SKEP(fake, "exec", "alice", "--",
			    "exec <&-; head -c 3000000 /dev/zero; exit 4"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 4);
	assert_int_equal(run.out.size, 3000000);
	run_release(&run);
}

/* The reader of our output leaves: the command inside notices, and its end is still ours. */
static void test_broken_output(void **state)
{
	struct fake *fake = fake_start(exec_rules);
	struct run run = {.no_reader = true};

	(void)state;
	run_skep(&run, SKEP(fake, "exec", "alice", "--",
			    "trap '' PIPE; while echo y; do :; done 2>/dev/null; exit 9"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 9);
	run_release(&run);
}

/* On a terminal: never its descriptor, and what comes back is cleaned. */
static void test_on_terminal(void **state)
{
	struct fake *fake = fake_start(exec_rules);
	_cleanup_free_ char *lines = NULL;
	struct run run = {.on_terminal = true};

	(void)state;
	run_skep(&run, SKEP(fake, "exec", "alice", "--",
			    "printf '\\033]0;x\\007'; test ! -t 0 && test ! -t 1 && echo no"));
	lines = fake_stop(fake);
	assert_int_equal(run.status, 0);
	assert_string_equal(buf_str(&run.out), "\\x1b]0;x\\x07no\r\n");
	assert_null(strstr(lines, "is a terminal"));
	run_release(&run);
}

/* Says ready, waits for a signal to be passed on, and ends as if by it. */
static void serve_signal(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	json_auto_t *signal_request = NULL;
	char line[256];
	ssize_t n;

	(void)request;
	(void)n_fds;
	assert_int_equal(write(fds[1], "ready\n", 6), 6);
	n = read(conn_fd, line, sizeof(line) - 1);
	if (n <= 0)
		return;
	line[n] = '\0';
	fake_note("%.*s", (int)n - 1, line);
	signal_request = json_loadb(line, (size_t)n, JSON_DISABLE_EOF_CHECK, NULL);
	fake_send_end(conn_fd,
		      -(int)json_integer_value(json_object_get(signal_request, "signal")));
}

static void send_term(struct run *run)
{
	(void)kill(run->pid, SIGTERM);
}

static void send_hup(struct run *run)
{
	(void)kill(run->pid, SIGHUP);
}

static void type_interrupt(struct run *run)
{
	assert_int_equal(write(run->terminal_fd, "\x03", 1), 1);
}

static void test_signals(void **state)
{
	static const struct fake_rule rules[] = {{"exec", NULL, serve_signal}, {}};
	static const struct {
		int signum;
		bool on_terminal;
		void (*on_cue)(struct run *run);
	} cases[] = {{SIGTERM, false, send_term},
		     {SIGHUP, false, send_hup},
		     {SIGINT, true, type_interrupt}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake *fake = fake_start(rules);
		_cleanup_free_ char *lines = NULL,
				    *wanted = str_format("{\"cmd\":\"signal\",\"signal\":%d}",
							 cases[i].signum);
		struct run run = {.cue = "ready",
				  .on_cue = cases[i].on_cue,
				  .on_terminal = cases[i].on_terminal};

		run_skep(&run, SKEP(fake, "exec", "alice", "--", "x"));
		lines = fake_stop(fake);
		assert_int_equal(run.status, 128 + cases[i].signum);
		assert_non_null(strstr(lines, wanted));
		run_release(&run);
	}
}

static void test_refused(void **state)
{
	static const struct fake_rule rules[] = {
		{"exec",
		 "{\"version\":1,\"ok\":false,\"error\":\"not here\",\"code\":\"forbidden\"}",
		 NULL},
		{"shell",
		 "{\"version\":1,\"ok\":false,\"error\":\"not here\",\"code\":\"forbidden\"}",
		 NULL},
		{},
	};
	struct fake *fake = fake_start(rules);
	struct run run = {}, shell = {.on_terminal = true, .term = "dumb"};

	(void)state;
	run_skep(&run, SKEP(fake, "exec", "alice", "--", "ls"));
	run_skep(&shell, SKEP(fake, "shell", "alice"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 4);
	assert_string_equal(buf_str(&run.err), "skep: not here\n");
	assert_int_equal(shell.status, 4);
	run_release(&run);
	run_release(&shell);
}

/* A daemon that dies in the middle. */
static void serve_death(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	(void)conn_fd;
	(void)request;
	(void)n_fds;
	assert_int_equal(write(fds[1], "half", 4), 4);
	_exit(0);
}

static void test_daemon_dies(void **state)
{
	static const struct fake_rule rules[] = {{"exec", NULL, serve_death}, {}};
	struct fake *fake = fake_start(rules);
	struct run run = {};

	(void)state;
	run_skep(&run, SKEP(fake, "exec", "alice", "--", "x"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 75);
	run_release(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),         cmocka_unit_test(test_status),
		cmocka_unit_test(test_flood_after_end), cmocka_unit_test(test_big),
		cmocka_unit_test(test_unread_input),    cmocka_unit_test(test_broken_output),
		cmocka_unit_test(test_on_terminal),     cmocka_unit_test(test_signals),
		cmocka_unit_test(test_refused),         cmocka_unit_test(test_daemon_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
