#include "host/notify.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DATAGRAM_MAX 8192
#define LEADER_KEY "X_NSPAWN_LEADER_PID="

int notify_listen(const char *path, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	if (fd < 0)
		return error_set_errno(err, errno, "cannot make a socket");
	if (strlen(path) >= sizeof(sa.sun_path))
		return error_set(err, ENAMETOOLONG, "socket path '%s' is too long", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "cannot remove '%s'", path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return error_set_errno(err, errno, "cannot bind '%s'", path);
	return TAKE_FD(fd);
}

void notify_parse(const char *text, bool *ready, pid_t *leader)
{
	while (*text) {
		const char *end = strchrnul(text, '\n');

		if (strncmp(text, "READY=1", strlen("READY=1")) == 0 &&
		    end - text == (ptrdiff_t)strlen("READY=1"))
			*ready = true;
		if (strncmp(text, LEADER_KEY, strlen(LEADER_KEY)) == 0) {
			char *stop = NULL;
			long pid = strtol(text + strlen(LEADER_KEY), &stop, 10);

			if (stop == end && pid > 1 && pid <= INT32_MAX)
				*leader = (pid_t)pid;
		}
		text = *end ? end + 1 : end;
	}
}

/* Everything that has arrived. */
static int receive(int fd, bool *ready, pid_t *leader)
{
	char text[DATAGRAM_MAX];
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text) - 1, 0)) >= 0) {
		text[n] = '\0';
		notify_parse(text, ready, leader);
	}
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int notify_wait(int fd, int pidfd, int64_t timeout_ms, pid_t *ret_leader, struct error *err)
{
	int64_t end = clock_boot_ms() + timeout_ms;
	pid_t leader = 0;
	bool ready = false;

	for (;;) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
				      {.fd = pidfd, .events = POLLIN}};
		int64_t left = end - clock_boot_ms();
		int n = poll(p, 2, left < 0 ? 0 : (int)left);
		int r = n < 0 && errno != EINTR ? -errno : 0;

		if (r == 0 && n > 0 && p[0].revents)
			r = receive(fd, &ready, &leader);
		if (r < 0)
			return error_set_errno(err, r, "cannot wait for the container");
		if (ready) {
			*ret_leader = leader;
			return 0;
		}
		if (n > 0 && p[1].revents)
			return -ECHILD;
		if (left <= 0)
			return error_set(err, ETIMEDOUT, "not ready after %.1f s",
					 (double)timeout_ms / 1000);
	}
}
