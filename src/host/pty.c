/*
 * A terminal made in the container's devpts. The container owns its mounts, so the way there is
 * walked without following links out of its root, and what is found must really be the ptmx of
 * a devpts before it is opened for use.
 */
#include "host/inside.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define PTMX_DEVICE makedev(5, 2)

static int find_ptmx(pid_t leader, int *ret_fd, struct error *err)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	_cleanup_close_ int root = -1, fd = -1;
	struct statfs fs;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)leader);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return error_set_errno(err, errno, "cannot enter the container's root");
	fd = (int)syscall(SYS_openat2, root, "dev/pts/ptmx", &how, sizeof(how));
	if (fd < 0)
		return error_set_errno(err, errno,
				       "the container has no '/dev/pts/ptmx' for a terminal");
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return error_set_errno(err, errno, "cannot look at '/dev/pts/ptmx'");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != PTMX_DEVICE ||
	    fs.f_type != DEVPTS_SUPER_MAGIC)
		return error_set(err, ENODEV,
				 "'/dev/pts/ptmx' of the container is not a terminal device");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The host's uid of the container's root: the first line of the leader's uid_map is "0 BASE
 * COUNT". */
static int root_uid(pid_t leader, uid_t *ret, struct error *err)
{
	_cleanup_buf_ struct buf b = {};
	unsigned inside, outside;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)leader);
	r = file_read(AT_FDCWD, path, 4096, &b, err);
	if (r < 0)
		return r;
	if (sscanf(buf_str(&b), "%u %u", &inside, &outside) != 2 || inside != 0)
		return error_set(err, EINVAL, "the container's ids are not understood");
	*ret = outside;
	return 0;
}

int inside_open_pty(pid_t leader, int rows, int cols, int *ret_master, char ret_name[32],
		    struct error *err)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
	_cleanup_close_ int ptmx = -1, master = -1, terminal = -1;
	char path[64];
	unsigned number;
	int unlock = 0, r;
	uid_t uid = 0;

	r = root_uid(leader, &uid, err);
	if (r >= 0)
		r = find_ptmx(leader, &ptmx, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ptmx);
	master = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0)
		return error_set_errno(err, errno, "cannot make a terminal in the container");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
		return error_set_errno(err, errno, "cannot unlock the container's terminal");
	terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	/* Made by us it belongs to the host's root, whom nobody in the container may stand in
	 * for. */
	if (terminal < 0 || fchown(terminal, uid, (gid_t)-1) < 0)
		return error_set_errno(err, errno,
				       "cannot hand the terminal to the container's root");
	if (ioctl(master, TIOCSWINSZ, &size) < 0)
		return error_set_errno(err, errno, "cannot set the terminal's size");
	snprintf(ret_name, 32, "/dev/pts/%u", number);
	*ret_master = TAKE_FD(master);
	return 0;
}
