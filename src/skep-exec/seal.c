#include "skep-exec/seal.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 128

static int seal_dir(int fd, int depth, struct error *err);

static int seal_entry(int dir_fd, const char *name, int depth, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(err, errno, "cannot look at what was built");
	if (S_ISLNK(st.st_mode)) {
		if (fchownat(dir_fd, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
			return error_set_errno(err, errno, "cannot own what was built");
		return 0;
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return error_set(err, EINVAL, "something that is no file was built");
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, errno, "cannot open what was built");
	if (S_ISDIR(st.st_mode))
		return seal_dir(fd, depth + 1, err);
	/* a second name of a file may lie anywhere on the file system */
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return error_set(err, EINVAL, "something that is no file was built");
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, st.st_mode & S_IXUSR ? 0555 : 0444) < 0)
		return error_set_errno(err, errno, "cannot own what was built");
	return 0;
}

static int seal_dir(int fd, int depth, struct error *err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	int list_fd;

	if (depth > MAX_DEPTH)
		return error_set(err, ELOOP, "what was built is deeper than %d directories",
				 MAX_DEPTH);
	/* First the directory: from here on its entries cannot be exchanged. */
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, 0555) < 0)
		return error_set_errno(err, errno, "cannot own what was built");
	list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	if (!dir)
		return error_set_errno(err, errno, "cannot list what was built");
	while (errno = 0, (entry = readdir(dir))) {
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = seal_entry(fd, entry->d_name, depth, err);
		if (r < 0)
			return r;
	}
	return errno ? error_set_errno(err, errno, "cannot list what was built") : 0;
}

int seal_tree(int dir_fd, struct error *err)
{
	return seal_dir(dir_fd, 0, err);
}
