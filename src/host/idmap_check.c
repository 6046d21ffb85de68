/*
 * Only trying tells whether a file system can be mounted with its owners mapped: a detached
 * copy of the mount is given the ids of a throw-away user namespace, and both are gone with
 * their descriptors.
 */
#include "host/checks.h"

#include "base/cleanup.h"
#include "host/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#define CLONE_TREE 1u /* OPEN_TREE_CLONE */

static int write_map(pid_t pid, const char *which)
{
	_cleanup_close_ int fd = -1;
	char path[64], line[64];
	int n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, which);
	n = snprintf(line, sizeof(line), "0 %u %u\n", UID_BASE_FIRST, UID_RANGE);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		return -errno;
	return 0;
}

/* A user namespace with an agent's ids, held by its descriptor alone. */
static int make_userns(struct error *err)
{
	/* The child makes no call but pause(), so it may stay a copy of this process. */
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
	char path[64];
	int fd = -1, r;

	if (pid == 0)
		for (;;)
			(void)pause();
	if (pid < 0)
		return error_set_errno(err, errno, "cannot make a user namespace");
	r = write_map(pid, "uid_map");
	if (r >= 0)
		r = write_map(pid, "gid_map");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	if (r >= 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r >= 0 && fd < 0)
		r = -errno;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return r < 0 ? error_set_errno(err, r, "cannot set up a user namespace") : fd;
}

int checks_idmap(const char *path, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	_cleanup_close_ int tree = -1, userns = make_userns(err);

	if (userns < 0)
		return userns;
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, CLONE_TREE | O_CLOEXEC);
	if (tree < 0)
		return error_set_errno(err, errno, "cannot copy the mount of '%s'", path);
	attr.userns_fd = (uint64_t)userns;
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_set_errno(err, errno, "'%s' cannot be mounted with mapped ids",
				       path);
	return 0;
}
