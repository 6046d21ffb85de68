#include "skep-build/supervise.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "nix/report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define LOG_MAX_BYTES (64ull << 20)
#define STOP_MS 3000 /* from SIGTERM to SIGKILL */

struct run {
	int pidfd, out_fd;
	struct report report;
	uint64_t written;
	int64_t end_ms;
};

/* 1: there is more to come; 0: it has said everything. */
static int take(struct run *run, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	char chunk[16384];
	ssize_t n = read(run->out_fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	if (n > 0)
		report_take(&run->report, chunk, (size_t)n, &text);
	else
		report_end(&run->report, &text);
	run->written += text.size;
	if (run->written > LOG_MAX_BYTES)
		return error_set(err, E2BIG, "it has written more than %llu MiB to its log",
				 LOG_MAX_BYTES >> 20);
	/* a log that nobody reads any more is no reason to stop */
	(void)file_write_all(STDOUT_FILENO, text.data, text.size);
	return n > 0;
}

static int follow(struct run *run, int64_t timeout_s, struct error *err)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = run->out_fd, .events = POLLIN},
				       {.fd = STDIN_FILENO}};
		int64_t left = run->end_ms - clock_boot_ms();
		int r;

		if (left <= 0)
			return error_set(err, ETIMEDOUT, "it was not done within %lld s",
					 (long long)timeout_s);
		r = poll(fds, 2, left > 60000 ? 60000 : (int)left);
		if (r < 0 && errno != EINTR)
			return error_set_errno(err, errno, "cannot wait for Nix");
		if (r > 0 && (fds[1].revents & (POLLHUP | POLLERR | POLLNVAL)))
			return error_set(err, ECANCELED, "it was cancelled");
		r = r > 0 && fds[0].revents ? take(run, err) : 1;
		if (r <= 0)
			return r;
	}
}

static void end(struct run *run, struct child_exit *ret)
{
	(void)pidfd_send_signal(run->pidfd, SIGTERM, NULL, 0);
	if (child_wait(run->pidfd, STOP_MS, ret) == 0)
		return;
	child_kill(run->pidfd);
	*ret = (struct child_exit){.signaled = true, .status = SIGKILL};
}

static int judge(const struct run *run, const struct child_exit *exit, struct error *err)
{
	const char *why = report_error(&run->report);
	char how[64];

	if (!exit->signaled && exit->status == 0)
		return 0;
	if (exit->signaled && exit->status == SIGXCPU)
		return error_set(err, EIO, "the evaluation used up its processor time");
	if (*why)
		return error_set(err, EIO, "%s", why);
	return error_set(err, EIO, "Nix %s", child_exit_text(how, exit));
}

int supervise(char *const *argv, char *const *env, int out_fd, int64_t timeout_s,
	      struct error *err)
{
	_cleanup_close_ int out = -1, in = -1, pidfd = -1;
	struct run run = {.end_ms = clock_boot_ms() + timeout_s * 1000};
	struct child_exit exit = {};
	int pipe_fds[2], r;
	pid_t pid;

	(void)signal(SIGPIPE, SIG_IGN);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "cannot make a pipe");
	out = pipe_fds[0];
	in = pipe_fds[1];
	const struct child_fd fds[] = {{in, STDERR_FILENO}, {out_fd, STDOUT_FILENO}};

	r = child_spawn(&(struct child_spec){.path = argv[0],
					     .argv = (const char *const *)argv,
					     .env = (const char *const *)env,
					     .fds = fds,
					     .n_fds = out_fd < 0 ? 1 : 2},
			&pid, &pidfd, err);
	if (r < 0)
		return r;
	(void)close(TAKE_FD(in));
	run.pidfd = pidfd;
	run.out_fd = out;
	r = follow(&run, timeout_s, err);
	if (r < 0) {
		end(&run, &exit);
	} else {
		r = child_wait(pidfd, -1, &exit);
		r = r < 0 ? error_set_errno(err, r, "cannot wait for Nix")
			  : judge(&run, &exit, err);
	}
	report_release(&run.report);
	return r;
}
