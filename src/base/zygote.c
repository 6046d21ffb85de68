/* The asking end. A child can be lost by the death of the zygote between fork and answer alone:
 * then it runs to its end, and nobody hears of it. */
#include "base/zygote.h"

#include "base/cleanup.h"
#include "base/sock.h"
#include "base/zygote_wire.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MS 10000

struct zygote {
	char *path, *name;
	int fd, pidfd; /* -1: not started */
	pid_t pid;
};

struct zygote *zygote_new(const char *path, const char *name)
{
	struct zygote *z = mem_new(1, sizeof(*z));

	z->path = str_dup(path);
	z->name = str_dup(name);
	z->fd = z->pidfd = -1;
	return z;
}

static void stop(struct zygote *z)
{
	if (z->pidfd >= 0)
		child_kill(z->pidfd);
	closep(&z->pidfd);
	closep(&z->fd);
	z->fd = z->pidfd = -1;
	z->pid = 0;
}

void zygote_free(struct zygote *z)
{
	if (!z)
		return;
	stop(z);
	free(z->path);
	free(z->name);
	free(z);
}

bool zygote_own(const struct zygote *z, pid_t pid)
{
	return z && z->pidfd >= 0 && z->pid == pid;
}

static int start(struct zygote *z, struct error *err)
{
	const char *argv[] = {z->name, ZYGOTE_WORD, NULL};
	struct child_fd fds[] = {{.target = ZYGOTE_FD}};
	const struct child_spec spec = {.path = z->path, .argv = argv, .fds = fds, .n_fds = 1};
	int pair[2], r;

	r = sock_pair(SOCK_SEQPACKET, pair, err);
	if (r < 0)
		return r;
	fds[0].fd = pair[1];
	r = child_spawn(&spec, &z->pid, &z->pidfd, err);
	(void)close(pair[1]);
	if (r < 0)
		(void)close(pair[0]);
	else
		z->fd = pair[0];
	return r;
}

static int pack(const struct child_spec *spec, struct buf *out, int *fds, struct error *err)
{
	struct zygote_job head = {.new_session = spec->new_session,
				  .n_fds = (uint32_t)spec->n_fds};

	if (spec->n_fds > SOCK_MAX_FDS)
		return error_set(err, EINVAL, "too many descriptors for '%s'", spec->argv[0]);
	for (size_t i = 0; i < spec->n_fds; i++) {
		assert(spec->fds[i].target >= 0 && spec->fds[i].target < ZYGOTE_TARGET_MAX);
		head.targets[i] = spec->fds[i].target;
		fds[i] = spec->fds[i].fd;
	}
	while (spec->argv[head.argc])
		head.argc++;
	buf_add(out, &head, sizeof(head));
	for (uint32_t i = 0; i < head.argc; i++)
		buf_add(out, spec->argv[i], strlen(spec->argv[i]) + 1);
	if (out->size > ZYGOTE_MESSAGE_MAX)
		return error_set(err, E2BIG, "the command line of '%s' is too long",
				 spec->argv[0]);
	return 0;
}

/* One that died since the last job is started again; one that dies of this job is not. */
static int ask(struct zygote *z, const struct buf *job, const int *fds, size_t n_fds,
	       struct error *err)
{
	ssize_t n = z->fd < 0 ? -EPIPE : sock_send(z->fd, job->data, job->size, fds, n_fds);

	if (n == -EPIPE || n == -ECONNRESET) {
		int r;

		stop(z);
		r = start(z, err);
		if (r < 0)
			return r;
		n = sock_send(z->fd, job->data, job->size, fds, n_fds);
	}
	return n < 0 ? error_set_errno(err, (int)-n, "cannot ask for a child") : 0;
}

static int hear(const struct zygote *z, int32_t *ret, struct error *err)
{
	struct pollfd p = {.fd = z->fd, .events = POLLIN};
	int r;

	do
		r = poll(&p, 1, ANSWER_MS);
	while (r < 0 && errno == EINTR);
	if (r > 0 && recv(z->fd, ret, sizeof(*ret), MSG_DONTWAIT) == sizeof(*ret))
		return 0;
	return error_set(err, r == 0 ? ETIMEDOUT : EPIPE, "'%s' cannot start: its zygote %s",
			 z->name, r == 0 ? "does not answer" : "died");
}

int zygote_spawn(struct zygote *z, const struct child_spec *spec, pid_t *ret_pid,
		 int *ret_pidfd, struct error *err)
{
	_cleanup_buf_ struct buf job = {};
	int fds[SOCK_MAX_FDS], fd;
	int32_t answer = 0;
	int r = pack(spec, &job, fds, err);

	if (r == 0)
		r = ask(z, &job, fds, spec->n_fds, err);
	if (r < 0)
		return r;
	r = hear(z, &answer, err);
	if (r < 0) {
		stop(z);
		return r;
	}
	if (answer <= 0)
		return error_set_errno(err, answer, "cannot start '%s'", spec->argv[0]);
	/* nobody else waits for it: the number stays its own */
	fd = pidfd_open(answer, 0);
	if (fd < 0) {
		r = errno;
		(void)kill(answer, SIGKILL);
		(void)waitpid(answer, NULL, 0);
		return error_set_errno(err, r, "cannot watch '%s'", spec->argv[0]);
	}
	*ret_pid = answer;
	*ret_pidfd = fd;
	return 0;
}
