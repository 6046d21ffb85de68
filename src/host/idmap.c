#include "host/idmap.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "host/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_map(pid_t pid, const char *file, uid_t base)
{
	char path[64], map[64];
	int fd, r;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	snprintf(map, sizeof(map), "0 %u %u\n", (unsigned)base, UID_RANGE);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = file_write_all(fd, map, strlen(map));
	(void)close(fd);
	return r;
}

/* A namespace exists while a process is in it or a descriptor of it is open: this one makes it
 * and waits. */
static pid_t start_holder(int ready_fd)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWUSER) == 0 && write(ready_fd, "", 1) == 1)
		for (;;)
			(void)pause();
	_exit(1);
}

int idmap_namespace(uid_t base, struct error *err)
{
	char path[64], byte;
	int ready[2], r = 0, fd = -1;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "cannot make a pipe");
	pid = start_holder(ready[1]);
	(void)close(ready[1]);
	if (pid < 0) {
		(void)close(ready[0]);
		return error_set_errno(err, pid, "cannot make a process");
	}
	if (read(ready[0], &byte, 1) != 1)
		r = error_set(err, EPERM, "this machine allows no user namespaces");
	(void)close(ready[0]);
	if (r == 0)
		r = write_map(pid, "uid_map", base);
	if (r == 0)
		r = write_map(pid, "gid_map", base);
	if (r == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : 0;
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	if (r < 0)
		return error_set_errno(err, r, "cannot map ids from %u on", (unsigned)base);
	return fd;
}

int idmap_clone(const char *path, int namespace_fd, struct error *err)
{
	_cleanup_close_ int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)namespace_fd,
	};

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open the mount of '%s'", path);
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_set_errno(err, errno,
				       "the file system of '%s' cannot show shifted owners",
				       path);
	return TAKE_FD(fd);
}

int idmap_attach(int mount_fd, const char *path, struct error *err)
{
	if (move_mount(mount_fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_set_errno(err, errno, "cannot mount at '%s'", path);
	return 0;
}

bool idmap_works(const char *path, int namespace_fd)
{
	_cleanup_close_ int fd = idmap_clone(path, namespace_fd, NULL);

	return fd >= 0;
}
