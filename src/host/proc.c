#include "host/proc.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#define STAT_MAX 4096
#define STARTTIME_FIELD 22
#define WAIT_SLICE_MS 3600000

int proc_identify(pid_t pid, struct proc_id *ret, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	char path[64];
	char *p, *save = NULL, *field = NULL;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = file_read(AT_FDCWD, path, STAT_MAX, &text, err);
	if (r == -ENOENT || r == -ESRCH)
		return error_set(err, ESRCH, "there is no process %d", (int)pid);
	if (r < 0)
		return r;
	/* The second field, the program's name, may hold spaces and parentheses. */
	p = strrchr(text.data, ')');
	if (!p || p[1] != ' ')
		return error_set(err, EIO, "cannot understand '%s'", path);
	if (p[2] == 'Z' || p[2] == 'X')
		return error_set(err, ESRCH, "process %d has ended", (int)pid);
	p += 2;
	for (int i = 3; i <= STARTTIME_FIELD; i++, p = NULL)
		field = strtok_r(p, " ", &save);
	if (!field)
		return error_set(err, EIO, "cannot understand '%s'", path);
	*ret = (struct proc_id){.pid = pid, .start = strtoull(field, NULL, 10)};
	return 0;
}

int proc_open(const struct proc_id *id, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct proc_id now;
	int r;

	if (id->pid <= 0)
		return error_set(err, ESRCH, "there is no such process");
	fd = pidfd_open(id->pid, 0);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot watch process %d", (int)id->pid);
	/* Looked at after it was opened: the descriptor cannot have become another's. */
	r = proc_identify(id->pid, &now, err);
	if (r < 0)
		return r;
	if (now.start != id->start)
		return error_set(err, ESRCH, "process %d is another one by now", (int)id->pid);
	return TAKE_FD(fd);
}

bool proc_is_alive(const struct proc_id *id)
{
	_cleanup_close_ int fd = proc_open(id, NULL);

	return fd >= 0;
}

int proc_signal(const struct proc_id *id, int signum, struct error *err)
{
	_cleanup_close_ int fd = proc_open(id, err);

	if (fd == -ESRCH)
		return 0;
	if (fd < 0)
		return fd;
	if (pidfd_send_signal(fd, signum, NULL, 0) < 0 && errno != ESRCH)
		return error_set_errno(err, errno, "cannot signal process %d", (int)id->pid);
	return 0;
}

static int wait_one(const struct proc_id *id, int64_t end_ms, struct error *err)
{
	_cleanup_close_ int fd = proc_open(id, err);

	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = end_ms - clock_boot_ms();
		int n = poll(&p, 1,
			     left < 0               ? 0
			     : left > WAIT_SLICE_MS ? WAIT_SLICE_MS
						    : (int)left);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_set_errno(err, errno, "cannot wait for process %d",
					       (int)id->pid);
		if (clock_boot_ms() >= end_ms)
			return error_set(err, ETIMEDOUT, "process %d does not end",
					 (int)id->pid);
	}
}

int proc_wait(const struct proc_id *ids, size_t n, int64_t timeout_ms, struct error *err)
{
	int64_t end_ms = clock_boot_ms() + timeout_ms;

	for (size_t i = 0; i < n; i++) {
		int r = wait_one(&ids[i], end_ms, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int proc_boot_id(char ret[BOOT_ID_SIZE], struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	int r = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", STAT_MAX, &text, err);

	if (r < 0)
		return r;
	if (text.size < BOOT_ID_SIZE - 1)
		return error_set(err, EIO, "cannot understand the boot id");
	memcpy(ret, text.data, BOOT_ID_SIZE - 1);
	ret[BOOT_ID_SIZE - 1] = '\0';
	return 0;
}
