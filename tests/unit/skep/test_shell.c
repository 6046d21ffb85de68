/* shell against a real terminal inside and a real terminal outside. */

#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <termios.h>

/* The script inside, on a terminal of its own of the size that was asked for. */
static void serve_shell_with(int conn_fd, const json_t *request, const char *script)
{
	struct winsize size = {
		.ws_row = (unsigned short)json_integer_value(json_object_get(request, "rows")),
		.ws_col = (unsigned short)json_integer_value(json_object_get(request, "cols")),
	};
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
	fake_send(conn_fd, "{\"version\":1,\"ok\":true,\"pty\":true}", master);
	(void)close(master);
	fake_send_end(conn_fd, fake_run_sh(script, (int[]){slave, slave, slave}, true));
}

static void serve_shell(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	(void)fds;
	(void)n_fds;
	serve_shell_with(conn_fd, request,
			 "stty size; echo ready; read x; echo got $x; printf "
			 "'\\033[1mbold\\033]0;t\\007.'; exit 7");
}

/* The other end of the client's terminal, kept to look at its modes afterwards. */
static int kept_fd = -1;

static void keep_terminal(struct run *run)
{
	kept_fd = dup(run->terminal_fd);
}

static void check_restored(void)
{
	struct termios modes;

	assert_true(kept_fd >= 0);
	assert_int_equal(tcgetattr(kept_fd, &modes), 0);
	assert_int_equal(modes.c_lflag & (ICANON | ECHO | ISIG), ICANON | ECHO | ISIG);
	assert_int_equal(modes.c_iflag & ICRNL, ICRNL);
	assert_int_equal(modes.c_oflag & OPOST, OPOST);
	(void)close(kept_fd);
	kept_fd = -1;
}

static void type_line(struct run *run)
{
	struct termios modes;

	keep_terminal(run);
	assert_int_equal(tcgetattr(run->terminal_fd, &modes), 0);
	assert_int_equal(modes.c_lflag & (ICANON | ECHO), 0);
	assert_int_equal(write(run->terminal_fd, "hello\r", 6), 6);
}

static void test_shell(void **state)
{
	static const struct fake_rule rules[] = {{"shell", NULL, serve_shell}, {}};
	struct fake *fake = fake_start(rules);
	_cleanup_free_ char *lines = NULL;
	struct run run = {.on_terminal = true, .cue = "ready", .on_cue = type_line};

	(void)state;
	run_skep(&run, SKEP(fake, "shell", "alice", "--", "sh", "-l"));
	lines = fake_stop(fake);
	assert_int_equal(run.status, 7);
	assert_string_equal(lines, "{\"cmd\":\"shell\",\"name\":\"alice\",\"argv\":[\"sh\",\"-"
				   "l\"],\"term\":\"xterm\","
				   "\"rows\":24,\"cols\":80}\n");
	assert_non_null(strstr(buf_str(&run.out), "24 80\r\n"));
	assert_non_null(strstr(buf_str(&run.out), "got hello\r\n\x1b[1mbold."));
	assert_null(strstr(buf_str(&run.out), "\x1b]0;"));
	check_restored();
	run_release(&run);
}

/* The terminal is passed on while nobody inside has it open yet, and reads as hung up. */
static void serve_late(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	int master, slave;
	char name[64];

	(void)request;
	(void)fds;
	(void)n_fds;
	assert_int_equal(openpty(&master, &slave, name, NULL, NULL), 0);
	(void)close(slave);
	fake_send(conn_fd, "{\"version\":1,\"ok\":true,\"pty\":true}", master);
	(void)close(master);
	(void)usleep(200000);
	slave = open(name, O_RDWR | O_NOCTTY);
	fake_send_end(conn_fd,
		      fake_run_sh("echo late; exit 6", (int[]){slave, slave, slave}, true));
}

static void test_shell_late(void **state)
{
	static const struct fake_rule rules[] = {{"shell", NULL, serve_late}, {}};
	struct fake *fake = fake_start(rules);
	struct run run = {.on_terminal = true};

	(void)state;
	run_skep(&run, SKEP(fake, "shell", "alice"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 6);
	assert_non_null(strstr(buf_str(&run.out), "late\r\n"));
	run_release(&run);
}

static void serve_resize(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	(void)fds;
	(void)n_fds;
	serve_shell_with(
		conn_fd, request,
		"trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done");
}

static void resize(struct run *run)
{
	struct winsize size = {.ws_row = 40, .ws_col = 100};

	keep_terminal(run);
	assert_int_equal(ioctl(run->terminal_fd, TIOCSWINSZ, &size), 0);
}

static void test_resize(void **state)
{
	static const struct fake_rule rules[] = {{"shell", NULL, serve_resize}, {}};
	struct fake *fake = fake_start(rules);
	struct run run = {.on_terminal = true, .cue = "ready", .on_cue = resize};

	(void)state;
	run_skep(&run, SKEP(fake, "shell", "alice"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 3);
	assert_non_null(strstr(buf_str(&run.out), "40 100\r\n"));
	check_restored();
	run_release(&run);
}

static void keep_and_end(struct run *run)
{
	keep_terminal(run);
	(void)kill(run->pid, SIGTERM);
}

/* Ended from outside, the terminal is put back first. */
static void test_shell_terminated(void **state)
{
	static const struct fake_rule rules[] = {{"shell", NULL, serve_resize}, {}};
	struct fake *fake = fake_start(rules);
	struct run run = {.on_terminal = true, .cue = "ready", .on_cue = keep_and_end};

	(void)state;
	run_skep(&run, SKEP(fake, "shell", "alice"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 128 + SIGTERM);
	check_restored();
	run_release(&run);
}

static void serve_shell_death(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	(void)fds;
	(void)n_fds;
	serve_shell_with(conn_fd, request, "echo ready; kill -9 $PPID");
}

static void test_shell_daemon_dies(void **state)
{
	static const struct fake_rule rules[] = {{"shell", NULL, serve_shell_death}, {}};
	struct fake *fake = fake_start(rules);
	struct run run = {.on_terminal = true, .cue = "ready", .on_cue = keep_terminal};

	(void)state;
	run_skep(&run, SKEP(fake, "shell", "alice"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 75);
	check_restored();
	run_release(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shell),
		cmocka_unit_test(test_shell_late),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_shell_terminated),
		cmocka_unit_test(test_shell_daemon_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
