#include "base/child.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/zygote.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FDS 8
/* Copies of descriptors live above every target number. */
#define LIFTED_FD 16

/* How long a grandchild may hold the output after the child ended. */
#define PIPE_GRACE_MS 500

static const char *const default_env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
					  NULL};

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		closep(&fds[i]);
}

static int add_fds(posix_spawn_file_actions_t *actions, const struct child_spec *spec,
		   int *lifted)
{
	bool taken[LIFTED_FD] = {};
	int r = 0;

	for (size_t i = 0; i < spec->n_fds && r == 0; i++) {
		lifted[i] = fcntl(spec->fds[i].fd, F_DUPFD_CLOEXEC, LIFTED_FD);
		if (lifted[i] < 0)
			return errno;
		taken[spec->fds[i].target] = true;
		r = posix_spawn_file_actions_adddup2(actions, lifted[i], spec->fds[i].target);
	}
	for (int fd = 0; fd < 3 && r == 0; fd++)
		if (!taken[fd])
			r = posix_spawn_file_actions_addopen(actions, fd, "/dev/null",
							     fd == 0 ? O_RDONLY : O_WRONLY, 0);
	/* what somebody opened without O_CLOEXEC, or handed to us, is not the child's */
	for (int fd = 3; fd < LIFTED_FD && r == 0; fd++)
		if (!taken[fd])
			r = posix_spawn_file_actions_addclose(actions, fd);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(actions, LIFTED_FD);
	return r;
}

int child_spawn(const struct child_spec *spec, pid_t *ret_pid, int *ret_pidfd,
		struct error *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int lifted[MAX_FDS];
	sigset_t none, all;
	pid_t pid;
	int r, fd;

	if (spec->zygote)
		return zygote_spawn(spec->zygote, spec, ret_pid, ret_pidfd, err);
	if (spec->n_fds > MAX_FDS)
		return error_set(err, EINVAL, "too many descriptors for '%s'", spec->path);
	for (size_t i = 0; i < spec->n_fds; i++)
		assert(spec->fds[i].target >= 0 && spec->fds[i].target < LIFTED_FD);
	for (size_t i = 0; i < MAX_FDS; i++)
		lifted[i] = -1;
	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						(spec->new_session ? POSIX_SPAWN_SETSID : 0)));
	r = add_fds(&actions, spec, lifted);
	if (r == 0)
		r = posix_spawn(&pid, spec->path, &actions, &attr, (char *const *)spec->argv,
				(char *const *)(spec->env ? spec->env : default_env));
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	close_all(lifted, MAX_FDS);
	if (r != 0)
		return error_set_errno(err, r, "cannot start '%s'", spec->path);
	fd = pidfd_open(pid, 0);
	if (fd < 0) {
		r = errno;
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return error_set_errno(err, r, "cannot watch '%s'", spec->path);
	}
	*ret_pid = pid;
	*ret_pidfd = fd;
	return 0;
}

static int reap(int pidfd, int options, struct child_exit *ret)
{
	siginfo_t info = {};

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | options) < 0)
		return -errno;
	if (info.si_pid == 0)
		return -EAGAIN;
	*ret = (struct child_exit){
		.signaled = info.si_code != CLD_EXITED,
		.status = info.si_status,
	};
	return 0;
}

int child_wait(int pidfd, int64_t timeout_ms, struct child_exit *ret)
{
	int64_t end = timeout_ms < 0 ? -1 : clock_boot_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = {.fd = pidfd, .events = POLLIN};
		int64_t left = end < 0 ? -1 : end - clock_boot_ms();
		int n;

		if (end >= 0 && left < 0)
			left = 0;
		n = poll(&p, 1, left > 3600000 ? 3600000 : (int)left);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			return reap(pidfd, 0, ret);
		if (n == 0 && end >= 0 && clock_boot_ms() >= end)
			return -ETIMEDOUT;
	}
}

void child_kill(int pidfd)
{
	struct child_exit ignored;

	(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	(void)reap(pidfd, 0, &ignored);
}

char *child_exit_text(char out[64], const struct child_exit *exit)
{
	if (exit->timed_out)
		snprintf(out, 64, "ran out of time");
	else if (exit->too_much)
		snprintf(out, 64, "wrote more than it may");
	else if (exit->signaled && exit->status == SIGSYS)
		snprintf(out, 64, "was ended at a system call that it may not make");
	else if (exit->signaled)
		snprintf(out, 64, "was killed by signal %d (%s)", exit->status,
			 strsignal(exit->status));
	else
		snprintf(out, 64, "exited with status %d", exit->status);
	return out;
}

struct child {
	struct loop *loop;
	pid_t pid;
	int pidfd, output_fd;
	struct watch *exit_watch, *output_watch;
	struct timer *deadline, *grace;
	struct buf output;
	size_t max_output;
	struct child_exit exit;
	bool exited;
	child_fn fn;
	void *data;
};

static void release(struct child *c)
{
	watch_free(c->exit_watch);
	watch_free(c->output_watch);
	timer_cancel(c->deadline);
	timer_cancel(c->grace);
	closep(&c->output_fd);
	closep(&c->pidfd);
	buf_release(&c->output);
	free(c);
}

static void finish(struct child *c)
{
	if (!c->exited || c->output_fd >= 0)
		return;
	c->fn(&c->exit, &c->output, c->data);
	release(c);
}

static void end_output(struct child *c)
{
	watch_free(c->output_watch);
	c->output_watch = NULL;
	closep(&c->output_fd);
	c->output_fd = -1;
}

static void on_output(int fd, bool readable, bool writable, void *data)
{
	struct child *c = data;
	char chunk[65536];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	(void)readable;
	(void)writable;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0 && c->output.size + (size_t)n > c->max_output) {
		c->exit.too_much = true;
		if (!c->exited)
			(void)pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
		n = 0;
	}
	if (n > 0) {
		buf_add(&c->output, chunk, (size_t)n);
		return;
	}
	end_output(c);
	finish(c);
}

static void on_grace(void *data)
{
	struct child *c = data;

	c->grace = NULL;
	end_output(c);
	finish(c);
}

static void on_exit_event(int fd, bool readable, bool writable, void *data)
{
	struct child *c = data;
	struct child_exit exit = {.signaled = true, .status = SIGKILL};

	(void)readable;
	(void)writable;
	/* a child somebody else reaped has not succeeded as far as we know */
	if (reap(fd, WNOHANG, &exit) == -EAGAIN)
		return;
	c->exit.signaled = exit.signaled;
	c->exit.status = exit.status;
	c->exited = true;
	watch_free(c->exit_watch);
	c->exit_watch = NULL;
	timer_cancel(c->deadline);
	c->deadline = NULL;
	if (c->output_fd >= 0)
		c->grace = loop_timer(c->loop, PIPE_GRACE_MS, on_grace, c);
	finish(c);
}

static void on_deadline(void *data)
{
	struct child *c = data;

	c->deadline = NULL;
	c->exit.timed_out = true;
	(void)pidfd_send_signal(c->pidfd, SIGKILL, NULL, 0);
}

int child_start(struct loop *loop, const struct child_spec *spec, int64_t deadline_ms,
		size_t max_output, child_fn fn, void *data, struct child **ret,
		struct error *err)
{
	struct child_spec full = *spec;
	struct child_fd fds[MAX_FDS + 1];
	int pipe_fds[2] = {-1, -1};
	struct child *c;
	int r;

	if (spec->n_fds >= MAX_FDS)
		return error_set(err, EINVAL, "too many descriptors for '%s'", spec->path);
	if (spec->n_fds)
		memcpy(fds, spec->fds, spec->n_fds * sizeof(*fds));
	if (max_output > 0) {
		if (pipe2(pipe_fds, O_CLOEXEC) < 0)
			return error_set_errno(err, errno, "cannot make a pipe");
		fds[spec->n_fds] =
			(struct child_fd){.fd = pipe_fds[1], .target = STDOUT_FILENO};
		full.n_fds = spec->n_fds + 1;
	}
	full.fds = fds;
	c = mem_new(1, sizeof(*c));
	c->loop = loop;
	c->output_fd = pipe_fds[0];
	c->max_output = max_output;
	c->fn = fn;
	c->data = data;
	c->pidfd = -1;
	r = child_spawn(&full, &c->pid, &c->pidfd, err);
	closep(&pipe_fds[1]);
	if (r < 0) {
		release(c);
		return r;
	}
	c->exit_watch = loop_watch(loop, c->pidfd, true, false, on_exit_event, c);
	if (c->output_fd >= 0) {
		(void)fcntl(c->output_fd, F_SETFL, O_NONBLOCK);
		c->output_watch = loop_watch(loop, c->output_fd, true, false, on_output, c);
	}
	if (deadline_ms > 0)
		c->deadline = loop_timer(loop, deadline_ms, on_deadline, c);
	if (ret)
		*ret = c;
	return 0;
}

void child_free(struct child *c)
{
	if (!c)
		return;
	if (!c->exited)
		child_kill(c->pidfd);
	release(c);
}

pid_t child_pid(const struct child *c)
{
	return c->pid;
}
