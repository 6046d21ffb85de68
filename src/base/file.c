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

/* How many levels of a tree are held open while it is removed. */
#define MAX_DEPTH 64

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

/* Opens the directory that holds the last component of path, and finds that component. */
static int open_parent(int dir_fd, const char *path, const char **ret_base)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	_cleanup_free_ char *dir = NULL;
	int fd;

	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return -EINVAL;
	if (slash)
		dir = str_format("%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = openat(dir_fd, dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_base = base;
	return fd;
}

int file_write_atomic(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
		      struct error *err)
{
	const char *base = NULL;
	_cleanup_close_ int parent_fd = open_parent(dir_fd, path, &base), fd = -1;
	_cleanup_free_ char *temp = NULL;
	int r;

	if (parent_fd < 0)
		return error_set_errno(err, parent_fd, "cannot open the directory of '%s'",
				       path);
	temp = str_format("%s.new", base);
	if (unlinkat(parent_fd, temp, 0) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "cannot remove '%s.new'", path);
	fd = openat(parent_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    mode & 0777);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot create '%s.new'", path);
	r = file_write_all(fd, data, size);
	if (r == 0 && (fchmod(fd, mode & 0777) < 0 || fsync(fd) < 0))
		r = -errno;
	if (r == 0 && renameat(parent_fd, temp, parent_fd, base) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(parent_fd, temp, 0);
		return error_set_errno(err, r, "cannot write '%s'", path);
	}
	if (fsync(parent_fd) < 0)
		return error_set_errno(err, errno, "cannot sync the directory of '%s'", path);
	return 0;
}

static int open_beneath(int dir_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static bool has_dot_dot(const char *path)
{
	for (const char *p = path; *p; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += n;
	}
	return false;
}

int file_open_beneath(int dir_fd, const char *path, int flags, struct error *err)
{
	/* the kernel allows ".." that stays beneath; a caller who has one has not built the
	 * path */
	int fd = has_dot_dot(path) ? -EXDEV : open_beneath(dir_fd, path, flags);

	if (fd < 0)
		return error_set_errno(err, fd, "cannot open '%s'", path);
	return fd;
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

static int make_one(const char *path, mode_t mode, struct error *err)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno == EEXIST && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	if (errno != EEXIST)
		return error_set_errno(err, errno, "cannot make directory '%s'", path);
	return 0;
}

int file_make_path(const char *path, mode_t mode, struct error *err)
{
	_cleanup_free_ char *copy = str_dup(path);

	for (char *p = copy; *p; p++) {
		int r;

		if (*p != '/' || p == copy)
			continue;
		*p = '\0';
		r = make_one(copy, mode, err);
		if (r < 0)
			return r;
		*p = '/';
	}
	return make_one(copy, mode, err);
}

/*
 * A tree being removed. Directories deeper than MAX_DEPTH are moved up beside the first level
 * and removed from there, so that no depth makes a tree that cannot be removed, and none costs
 * more descriptors than that.
 */
struct removal {
	int top_fd;
	unsigned moved;
};

static int remove_contents(struct removal *removal, int fd, int depth);

static int move_up(struct removal *removal, int fd, const char *name)
{
	for (;;) {
		char up[32];

		snprintf(up, sizeof(up), ".removed-%u", removal->moved++);
		if (renameat2(fd, name, removal->top_fd, up, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
}

static int remove_entry(struct removal *removal, int fd, const char *name, int depth)
{
	int child, r;

	if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	r = -errno;
	if (r != -EISDIR && r != -EPERM)
		return r;
	if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	child = open_beneath(fd, name, O_RDONLY | O_DIRECTORY);
	if (child < 0)
		return child == -ENOTDIR ? r : child;
	if (depth >= MAX_DEPTH) {
		(void)close(child);
		return move_up(removal, fd, name);
	}
	r = remove_contents(removal, child, depth + 1);
	if (r == 0 && unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

/* Takes over fd. */
static int remove_contents(struct removal *removal, int fd, int depth)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	/* a read-only directory of our own is not in the way */
	(void)fchmod(fd, 0700);
	while (errno = 0, (entry = readdir(dir))) {
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = remove_entry(removal, fd, entry->d_name, depth);
		if (r < 0)
			return r;
	}
	return -errno;
}

static int remove_directory(int parent_fd, const char *name)
{
	_cleanup_close_ int top_fd = open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY);
	struct removal removal = {.top_fd = top_fd};

	if (top_fd < 0)
		return top_fd;
	for (;;) {
		unsigned moved = removal.moved;
		int fd = open_beneath(top_fd, ".", O_RDONLY | O_DIRECTORY);
		int r = fd < 0 ? fd : remove_contents(&removal, fd, 0);

		if (r < 0)
			return r;
		if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY || removal.moved == moved)
			return -errno;
	}
}

int file_remove_tree(int dir_fd, const char *name, struct error *err)
{
	const char *base = name;
	_cleanup_close_ int parent_fd = open_parent(dir_fd, name, &base);
	int r;

	if (parent_fd == -ENOENT)
		return 0;
	if (parent_fd < 0)
		return error_set_errno(err, parent_fd, "cannot remove '%s'", name);
	if (unlinkat(parent_fd, base, 0) == 0 || errno == ENOENT)
		return 0;
	r = errno == EISDIR ? remove_directory(parent_fd, base) : -errno;
	if (r < 0 && r != -ENOENT)
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
	if (slash)
		slash[slash == path] = '\0';
	return str_dup(path);
}
