#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define DEADLINE_MS 60000
#define NOBODY 65534

struct fake {
	char dir[64];
	char *path, *notes_path;
	int go[2];
	pid_t pid;
};

/* In the daemon's processes: where notes go, and what it waits on. */
static const char *notes;
static int go_fd = -1;

static void append_note(const char *line)
{
	int fd = open(notes, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	_cleanup_free_ char *whole = str_format("%s\n", line);

	(void)file_write_all(fd, whole, strlen(whole));
	(void)close(fd);
}

void fake_note(const char *format, ...)
{
	char line[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	append_note(line);
}

void fake_send(int conn_fd, const char *line, int fd)
{
	_cleanup_free_ char *whole = str_format("%s\n", line);
	size_t size = strlen(whole), sent = 0;

	while (sent < size) {
		ssize_t n = sock_send(conn_fd, whole + sent, size - sent, &fd,
				      fd >= 0 && sent == 0);

		if (n < 0)
			return;
		sent += (size_t)n;
	}
}

int fake_run_sh(const char *script, const int fds[3], bool controls_terminal)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			(void)dup2(fds[i], i);
		if (controls_terminal) {
			(void)setsid();
			(void)ioctl(0, TIOCSCTTY, 0);
		}
		for (int fd = 3; fd < 64; fd++)
			(void)close(fd);
		(void)signal(SIGPIPE, SIG_DFL);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 3; i++)
		(void)close(fds[i]);
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void fake_send_end(int conn_fd, int status)
{
	_cleanup_free_ char *line =
		status < 0
			? str_format("{\"version\":1,\"ok\":true,\"signal\":%d}", -status)
			: str_format("{\"version\":1,\"ok\":true,\"exit_status\":%d}", status);

	fake_send(conn_fd, line, -1);
}

void fake_wait(void)
{
	char byte;

	(void)!read(go_fd, &byte, 1);
}

void fake_go(const struct fake *fake)
{
	assert_int_equal(write(fake->go[1], "", 1), 1);
}

static void answer(int conn_fd, const struct fake_rule *rules, const char *line, const int *fds,
		   size_t n_fds)
{
	struct error err = {};
	json_auto_t *request = NULL;
	const char *cmd = "";

	append_note(line);
	if (json_parse(line, strlen(line), &request, &err) == 0)
		(void)json_get_str(request, "cmd", false, &cmd, &err);
	for (; rules->cmd; rules++) {
		if (strcmp(rules->cmd, cmd) != 0)
			continue;
		if (rules->fn)
			rules->fn(conn_fd, request, fds, n_fds);
		else
			fake_send(conn_fd, rules->answer, -1);
		return;
	}
	fake_send(conn_fd,
		  "{\"version\":1,\"ok\":false,\"error\":\"no such "
		  "cmd\",\"code\":\"unknown_cmd\"}",
		  -1);
}

/* One request per read is enough: the client never sends two at once. */
static _Noreturn void serve_connection(int conn_fd, const struct fake_rule *rules)
{
	char line[70000];
	int fds[SOCK_MAX_FDS];
	size_t n_fds = 0, size = 0;

	for (;;) {
		ssize_t n =
			sock_recv(conn_fd, line + size, sizeof(line) - 1 - size, fds, &n_fds);

		if (n <= 0)
			_exit(0);
		size += (size_t)n;
		if (line[size - 1] != '\n')
			continue;
		line[size - 1] = '\0';
		answer(conn_fd, rules, line, fds, n_fds);
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		size = 0;
	}
}

static _Noreturn void serve(int listen_fd, const struct fake_rule *rules)
{
	(void)signal(SIGCHLD, SIG_DFL);
	for (;;) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			_exit(1);
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			(void)close(listen_fd);
			serve_connection(fd, rules);
		}
		(void)close(fd);
	}
}

struct fake *fake_start(const struct fake_rule *rules)
{
	struct fake *fake = mem_new(1, sizeof(*fake));
	struct error err = {};
	int fd;

	strcpy(fake->dir, "/tmp/skep-test-XXXXXX");
	assert_non_null(mkdtemp(fake->dir));
	fake->path = str_format("%s/operator.sock", fake->dir);
	fake->notes_path = str_format("%s/notes", fake->dir);
	fd = sock_listen(fake->path, SOCK_STREAM, 0600, getuid(), getgid(), &err);
	assert_true(fd >= 0);
	(void)fcntl(fd, F_SETFL, 0);
	assert_int_equal(pipe2(fake->go, O_CLOEXEC), 0);
	fake->pid = fork();
	assert_true(fake->pid >= 0);
	if (fake->pid == 0) {
		(void)setpgid(0, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not stop it */
		notes = fake->notes_path;
		go_fd = fake->go[0];
		(void)close(fake->go[1]);
		serve(fd, rules);
	}
	(void)setpgid(fake->pid, fake->pid);
	(void)close(fd);
	return fake;
}

const char *fake_path(const struct fake *fake)
{
	return fake->path;
}

char *fake_stop(struct fake *fake)
{
	_cleanup_buf_ struct buf text = {};
	struct error err = {};

	(void)kill(-fake->pid, SIGKILL);
	(void)waitpid(fake->pid, NULL, 0);
	(void)file_read(AT_FDCWD, fake->notes_path, 64 << 20, &text, &err);
	assert_int_equal(file_remove_tree(AT_FDCWD, fake->dir, &err), 0);
	(void)close(fake->go[0]);
	(void)close(fake->go[1]);
	free(fake->path);
	free(fake->notes_path);
	free(fake);
	return buf_take(&text);
}

/* The client beside the test programs: build/unit/skep/test_x and build/skep. */
static _Noreturn void exec_skep(const struct run *run, const char *const *argv)
{
	_cleanup_free_ char *dir = file_program_dir();
	_cleanup_free_ char *path = str_format("%s/../../skep", dir);
	_cleanup_free_ char *term = str_format("TERM=%s", run->term ? run->term : "xterm");
	const char *env[] = {term, "PATH=/usr/bin:/bin", run->variable, NULL};
	int fd = open(path, O_PATH | O_CLOEXEC); /* found before it may no longer be seen */

	(void)signal(SIGPIPE, SIG_DFL);
	if (run->unprivileged && geteuid() == 0 &&
	    (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		_exit(125);
	(void)execveat(fd, "", (char *const *)argv, (char *const *)env, AT_EMPTY_PATH);
	_exit(126);
}

static void cue(struct run *run)
{
	if (!run->cue || !run->on_cue)
		return;
	if (!strstr(buf_str(&run->out), run->cue) && !strstr(buf_str(&run->err), run->cue))
		return;
	run->cue = NULL;
	run->on_cue(run);
}

/* False at the end of the stream. */
static bool collect(int fd, struct buf *b)
{
	char chunk[65536];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	buf_add(b, chunk, (size_t)n);
	return true;
}

static void talk(struct run *run, int in, int out, int err)
{
	size_t given = 0;

	while (out >= 0 || err >= 0) {
		struct pollfd fds[] = {
			{.fd = in, .events = POLLOUT},
			{.fd = out, .events = POLLIN},
			{.fd = err, .events = POLLIN},
		};

		assert_true(poll(fds, 3, DEADLINE_MS) > 0);
		if (fds[0].revents && in >= 0) {
			ssize_t n = write(in, run->input + given, run->input_size - given);

			given += n > 0 ? (size_t)n : 0;
			if (given == run->input_size || (n < 0 && errno != EAGAIN)) {
				if (in != out)
					(void)close(in);
				in = -1;
			}
		}
		if (fds[1].revents && !collect(out, &run->out)) {
			(void)close(out);
			out = -1;
		}
		if (fds[2].revents && !collect(err, &run->err)) {
			(void)close(err);
			err = -1;
		}
		cue(run);
	}
	if (in >= 0)
		(void)close(in);
}

static void on_terminal(struct run *run, const char *const *argv)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	int fd;

	run->pid = forkpty(&fd, NULL, NULL, &size);
	assert_true(run->pid >= 0);
	if (run->pid == 0)
		exec_skep(run, argv);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	run->terminal_fd = fd;
	talk(run, run->input_size ? fd : -1, fd, -1);
}

static void on_pipes(struct run *run, const char *const *argv)
{
	int in[2], out[2], err[2];

	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC),
			 0);
	if (run->no_reader)
		(void)close(TAKE_FD(out[0]));
	run->pid = fork();
	assert_true(run->pid >= 0);
	if (run->pid == 0) {
		(void)dup2(in[0], STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(err[1], STDERR_FILENO);
		exec_skep(run, argv);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	(void)close(err[1]);
	(void)fcntl(in[1], F_SETFL, O_NONBLOCK);
	talk(run, in[1], out[0], err[0]);
}

void run_skep(struct run *run, const char *const *argv)
{
	int status;

	(void)signal(SIGPIPE, SIG_IGN);
	if (!run->input)
		run->input = "";
	if (run->input_size == 0)
		run->input_size = strlen(run->input);
	if (run->on_terminal)
		on_terminal(run, argv);
	else
		on_pipes(run, argv);
	assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
	run->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void run_release(struct run *run)
{
	buf_release(&run->out);
	buf_release(&run->err);
}
