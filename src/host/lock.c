#include "host/lock.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "model/names.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define WAKE_US                                                                       \
	100000 /* a signal that comes just before the wait is made up for by the next \
		*/

static int open_lock(const struct place *place, const char *name, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/exec/%s", place->runtime, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? error_set_errno(err, errno, "cannot open lock '%s'", path) : fd;
}

static void on_alarm(int signum)
{
	(void)signum;
}

/* The kernel tells of a released lock only who waits in a blocking call: a timer's signal ends
 * it. */
static int wait_until(int fd, struct flock *lock, int64_t end_ms)
{
	struct sigaction action = {.sa_handler = on_alarm}, old;
	struct itimerval timer = {{0, WAKE_US}, {0, WAKE_US}}, none = {};
	int r;

	(void)sigaction(SIGALRM, &action, &old);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	do
		r = fcntl(fd, F_OFD_SETLKW, lock) < 0 ? -errno : 0;
	while (r == -EINTR && clock_boot_ms() < end_ms);
	(void)setitimer(ITIMER_REAL, &none, NULL);
	(void)sigaction(SIGALRM, &old, NULL);
	return r;
}

int lock_hive(const struct place *place, int64_t timeout_ms, struct error *err)
{
	_cleanup_close_ int fd = open_lock(place, "lock", err);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int r;

	if (fd < 0)
		return fd;
	r = wait_until(fd, &lock, clock_boot_ms() + timeout_ms);
	if (r == -EINTR)
		return error_set(err, EBUSY, "another skep-exec serves '%s'", place->runtime);
	return r < 0 ? error_set_errno(err, r, "cannot take the lock of '%s'", place->runtime)
		     : TAKE_FD(fd);
}

int lock_agent(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_close_ int fd = open_lock(place, "agents.lock", err);
	/* A byte per agent. Two that share one only wait for each other. */
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)name_hash(agent),
		.l_len = 1,
	};
	int r;

	if (fd < 0)
		return fd;
	do
		r = fcntl(fd, F_OFD_SETLKW, &lock) < 0 ? -errno : 0;
	while (r == -EINTR);
	return r < 0 ? error_set_errno(err, r, "cannot take the lock of '%s'", agent)
		     : TAKE_FD(fd);
}
