#include "base/file.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_DEPTH 512

int file_read(int dir_fd, const char *path, size_t max, struct buf *ret, struct error *err)
{
	_cleanup_close_ int fd =
		openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_buf_ struct buf b = {};
	char chunk[16384];
	struct stat st;

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return error_set_errno(err, errno, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "'%s' is not a regular file", path);
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, errno, "cannot read '%s'", path);
		if (n == 0)
			break;
		if (b.size + (size_t)n > max)
			return error_set(err, E2BIG, "'%s' is larger than %zu bytes", path,
					 max);
		buf_add(&b, chunk, (size_t)n);
	}
	buf_release(ret);
	*ret = b;
	b = (struct buf){};
	return 0;
}

int file_write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int file_write_atomic(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
		      struct error *err)
{
	_cleanup_free_ char *temp = str_format("%s.new", path);
	_cleanup_free_ char *dir = str_dup(path);
	char *slash = strrchr(dir, '/');
	_cleanup_close_ int parent_fd = -1, fd = -1;
	int r;

	if (slash)
		slash[slash == dir] = '\0';
	parent_fd = openat(dir_fd, slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd < 0)
		return error_set_errno(err, errno, "cannot open the directory of '%s'", path);
	if (unlinkat(dir_fd, temp, 0) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "cannot remove '%s'", temp);
	fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    mode & 0777);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot create '%s'", temp);
	r = file_write_all(fd, data, size);
	if (r == 0 && (fchmod(fd, mode & 0777) < 0 || fsync(fd) < 0))
		r = -errno;
	if (r == 0 && renameat(dir_fd, temp, dir_fd, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dir_fd, temp, 0);
		return error_set_errno(err, r, "cannot write '%s'", path);
	}
	if (fsync(parent_fd) < 0)
		return error_set_errno(err, errno, "cannot sync the directory of '%s'", path);
	return 0;
}

int file_open_beneath(int dir_fd, const char *path, int flags, struct error *err)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	return (int)fd;
}

int file_make_dir(int dir_fd, const char *name, mode_t mode, uid_t uid, gid_t gid,
		  struct error *err)
{
	_cleanup_close_ int fd = -1;

	if (mkdirat(dir_fd, name, mode & 07777) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "cannot make directory '%s'", name);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, errno, "'%s' is not a directory", name);
	if (fchown(fd, uid, gid) < 0)
		return error_set_errno(err, errno, "cannot give '%s' to uid %u", name,
				       (unsigned)uid);
	if (fchmod(fd, mode & 07777) < 0)
		return error_set_errno(err, errno, "cannot set the mode of '%s'", name);
	return 0;
}

int file_make_path(const char *path, mode_t mode, struct error *err)
{
	_cleanup_free_ char *copy = str_dup(path);

	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return error_set_errno(err, errno, "cannot make directory '%s'", copy);
		*p = '/';
	}
	if (mkdir(copy, mode) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "cannot make directory '%s'", copy);
	return 0;
}

static int remove_contents(int fd, dev_t dev, int depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;

	if (depth > MAX_DEPTH) {
		(void)close(fd);
		return -ELOOP;
	}
	dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	while (errno = 0, (entry = readdir(dir))) {
		struct stat st;
		int child, r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM)
			return -errno;
		child = openat(fd, entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			return -errno;
		if (fstat(child, &st) < 0 || st.st_dev != dev) {
			(void)close(child);
			return -EXDEV;
		}
		r = remove_contents(child, dev, depth + 1);
		if (r < 0)
			return r;
		if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0)
			return -errno;
	}
	return -errno;
}

int file_remove_tree(int dir_fd, const char *name, struct error *err)
{
	struct stat st;
	int fd, r;

	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0) {
		if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
			return 0;
		return error_set_errno(err, errno, "cannot remove '%s'", name);
	}
	if (fstat(fd, &st) < 0) {
		r = -errno;
		(void)close(fd);
		return error_set_errno(err, r, "cannot look at '%s'", name);
	}
	r = remove_contents(fd, st.st_dev, 0);
	if (r == 0 && unlinkat(dir_fd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	if (r < 0)
		return error_set_errno(err, r, "cannot remove '%s'", name);
	return 0;
}

int file_lock(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open lock '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return error_set(err, EBUSY, "another process holds '%s'", path);
		return error_set_errno(err, errno, "cannot lock '%s'", path);
	}
	return TAKE_FD(fd);
}

char *file_program_dir(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (n <= 0)
		return str_dup("/");
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash && slash != path)
		*slash = '\0';
	return str_dup(path);
}
