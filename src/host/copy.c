#include "host/copy.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 128
#define SHOWN_MAX 200

struct level {
	const struct level *up;
	const char *name;
	int depth;
	bool lenient;     /* what is special or not for everybody is left out */
	const char *skip; /* entry that is left out */
};

static char *path_of(const struct level *level, const char *name)
{
	_cleanup_free_ char *path = str_dup(name), *shown = NULL;

	for (const struct level *l = level; l; l = l->up) {
		char *longer = str_format("%s/%s", l->name, path);

		free(path);
		path = longer;
	}
	shown = text_clean_dup(path, SHOWN_MAX, false);
	return TAKE_PTR(shown);
}

static int fail(const struct level *level, const char *name, int errnum, const char *what,
		struct error *err)
{
	_cleanup_free_ char *path = path_of(level, name);

	return error_set_errno(err, errnum, "cannot %s '%s'", what, path);
}

static int clash(const struct level *level, const char *name, const char *what,
		 struct error *err)
{
	_cleanup_free_ char *path = path_of(level, name);

	(void)error_set(err, EEXIST, "'%s' cannot be laid over %s", path, what);
	if (level && !level->up)
		error_hint(err, "programs and libraries of an agent go below usr/");
	return -EEXIST;
}

static int count(struct copy *copy, uint64_t bytes, const struct level *level, const char *name,
		 struct error *err)
{
	_cleanup_free_ char *path = NULL;

	copy->files++;
	copy->bytes += bytes;
	if (copy->files <= copy->max_files && copy->bytes <= copy->max_bytes)
		return 0;
	path = path_of(level, name);
	return error_set(err, E2BIG, "'%s' is past the limit of %llu files and %llu bytes",
			 path, (unsigned long long)copy->max_files,
			 (unsigned long long)copy->max_bytes);
}

/* Its buffer must not be in the frames of the recursion, where it would count once per level.
 */
__attribute__((noinline)) static int copy_data(int from, int into, uint64_t size)
{
	while (size > 0) {
		ssize_t n = copy_file_range(from, NULL, into, NULL, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP)) {
			char chunk[65536];

			n = read(from, chunk, sizeof(chunk));
			if (n > 0 && write(into, chunk, (size_t)n) != n)
				return errno ? -errno : -ENOSPC;
		}
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size -= (uint64_t)n < size ? (uint64_t)n : size;
	}
	return 0;
}

/* Makes room for a file or symlink: what is there may be one, too. */
static int make_room(int into_fd, const char *name, const struct level *level,
		     struct error *err)
{
	struct stat st;

	if (fstatat(into_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(level, name, errno, "look at", err);
	if (S_ISDIR(st.st_mode))
		return clash(level, name, "a directory", err);
	if (S_ISLNK(st.st_mode) && level && !level->up)
		return clash(level, name, "a symbolic link of the base system", err);
	if (unlinkat(into_fd, name, 0) < 0)
		return fail(level, name, errno, "replace", err);
	return 0;
}

static int copy_file(int from_fd, const char *from, int into_fd, const char *into,
		     struct copy *copy, const struct level *level, struct error *err)
{
	_cleanup_close_ int in =
		openat(from_fd, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_close_ int out = -1;
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0)
		return fail(level, from, errno, "read", err);
	if (!S_ISREG(st.st_mode))
		return fail(level, from, EINVAL, "copy", err);
	r = count(copy, (uint64_t)st.st_size, level, from, err);
	if (r == 0)
		r = make_room(into_fd, into, level, err);
	if (r < 0)
		return r;
	out = openat(into_fd, into, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return fail(level, into, errno, "make", err);
	r = copy_data(in, out, (uint64_t)st.st_size);
	if (r == 0 && (fchown(out, copy->uid, copy->gid) < 0 ||
		       fchmod(out, (st.st_mode & 0777) | S_IRUSR | S_IWUSR) < 0))
		r = -errno;
	return r < 0 ? fail(level, into, r, "write", err) : 0;
}

__attribute__((noinline)) static int copy_symlink(int from_fd, const char *from, int into_fd,
						  const char *into, struct copy *copy,
						  const struct level *level, struct error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from_fd, from, target, sizeof(target) - 1);
	int r;

	if (n < 0)
		return fail(level, from, errno, "read", err);
	target[n] = '\0';
	r = count(copy, (uint64_t)n, level, from, err);
	if (r == 0)
		r = make_room(into_fd, into, level, err);
	if (r < 0)
		return r;
	if (symlinkat(target, into_fd, into) < 0 ||
	    fchownat(into_fd, into, copy->uid, copy->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(level, into, errno, "make", err);
	return 0;
}

static int copy_contents(int from_fd, int into_fd, struct copy *copy, const struct level *level,
			 struct error *err);

static int copy_dir(int from_fd, const char *from, int into_fd, const char *into,
		    struct copy *copy, const struct level *level, struct error *err)
{
	struct level below = {.up = level, .name = from, .depth = level ? level->depth + 1 : 1};
	_cleanup_close_ int in = -1, out = -1;
	bool made;
	struct stat st;
	int r = count(copy, 0, level, from, err);

	below.lenient = level && level->lenient;
	if (r < 0)
		return r;
	if (below.depth > MAX_DEPTH)
		return fail(level, from, ELOOP, "copy", err);
	in = openat(from_fd, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0 || fstat(in, &st) < 0)
		return fail(level, from, errno, "read", err);
	made = mkdirat(into_fd, into, 0700) == 0;
	if (!made && errno != EEXIST)
		return fail(level, into, errno, "make", err);
	out = openat(into_fd, into, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return errno == ENOTDIR || errno == ELOOP
			       ? clash(level, from, "something that is not a directory", err)
			       : fail(level, into, errno, "open", err);
	/* A directory of the base system keeps its mode: /tmp stays open to all, /root closed.
	 */
	if (made && (fchown(out, copy->uid, copy->gid) < 0 ||
		     fchmod(out, (st.st_mode & 0777) | S_IRWXU) < 0))
		return fail(level, into, errno, "own", err);
	return copy_contents(in, out, copy, &below, err);
}

static int copy_any(int from_fd, const char *from, int into_fd, const char *into, mode_t mode,
		    struct copy *copy, const struct level *level, struct error *err)
{
	if (level && level->lenient && !S_ISLNK(mode) && !(mode & S_IROTH))
		return 0;
	if (S_ISDIR(mode))
		return copy_dir(from_fd, from, into_fd, into, copy, level, err);
	if (S_ISREG(mode))
		return copy_file(from_fd, from, into_fd, into, copy, level, err);
	if (S_ISLNK(mode))
		return copy_symlink(from_fd, from, into_fd, into, copy, level, err);
	return !level || level->lenient ? 0 : fail(level, from, EINVAL, "copy", err);
}

static int copy_contents(int from_fd, int into_fd, struct copy *copy, const struct level *level,
			 struct error *err)
{
	int list_fd = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;

	if (!dir) {
		closep(&list_fd);
		return fail(level->up, level->name, errno, "list", err);
	}
	while (errno = 0, (entry = readdir(dir))) {
		struct stat st;
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (level->skip && strcmp(entry->d_name, level->skip) == 0)
			continue;
		if (fstatat(from_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return fail(level, entry->d_name, errno, "look at", err);
		r = copy_any(from_fd, entry->d_name, into_fd, entry->d_name, st.st_mode, copy,
			     level, err);
		if (r < 0)
			return r;
	}
	return errno ? fail(level->up, level->name, errno, "list", err) : 0;
}

int copy_over(int from_fd, int into_fd, const char *name, const char *skip, struct copy *copy,
	      struct error *err)
{
	const struct level top = {.name = name, .skip = skip};

	return copy_contents(from_fd, into_fd, copy, &top, err);
}

int copy_entry(int from_fd, const char *from, int into_fd, const char *into, const char *name,
	       struct copy *copy, struct error *err)
{
	const struct level top = {.name = name, .lenient = true};
	struct stat st;

	if (fstatat(from_fd, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(&top, from, errno, "look at", err);
	return copy_any(from_fd, from, into_fd, into, st.st_mode, copy, &top, err);
}
