#include "host/copy_state.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "host/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 128

struct walk {
	struct copy_state *state;
	const char *name;
	dev_t dev;
	struct error *err;
};

static int fail(const struct walk *w, const char *what, const char *entry)
{
	int errnum = errno;
	_cleanup_free_ char *shown = text_clean_dup(entry, 100, false);

	return error_set_errno(w->err, errnum, "cannot %s '%s' of %s", what, shown, w->name);
}

static int count(const struct walk *w, uint64_t bytes)
{
	struct copy_state *s = w->state;

	s->files++;
	s->bytes += bytes;
	if (s->files <= s->max_files && s->bytes <= s->max_bytes)
		return 0;
	return error_set(w->err, E2BIG,
			 "%s has more than %llu files or %llu MiB: too much to copy", w->name,
			 (unsigned long long)s->max_files,
			 (unsigned long long)(s->max_bytes >> 20));
}

/* What is not in the range cannot have been made by the container; it becomes its root's. */
static uid_t shifted(const struct copy_state *s, uid_t id)
{
	return id >= s->from_base && id - s->from_base < UID_RANGE
		       ? s->to_base + (id - s->from_base)
		       : s->to_base;
}

static int set_meta(const struct walk *w, int fd, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	/* the mode last: a change of owner takes setuid bits away */
	if (fchown(fd, shifted(w->state, st->st_uid), shifted(w->state, st->st_gid)) < 0 ||
	    fchmod(fd, st->st_mode & 07777) < 0 || futimens(fd, times) < 0)
		return -errno;
	return 0;
}

__attribute__((noinline)) static int copy_some(int in, int out, off_t at, off_t end)
{
	char chunk[65536];

	while (at < end) {
		size_t want =
			(size_t)(end - at) < sizeof(chunk) ? (size_t)(end - at) : sizeof(chunk);
		off_t from = at, to = at;
		ssize_t n = copy_file_range(in, &from, out, &to, (size_t)(end - at), 0);

		if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP)) {
			n = pread(in, chunk, want, at);
			if (n > 0)
				n = pwrite(out, chunk, (size_t)n, at);
		}
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break; /* it was cut short meanwhile */
		at += n > 0 ? n : 0;
	}
	return 0;
}

/* Only what is there: a hole stays one, or a file of a terabyte that takes no room would. */
static int copy_data(int in, int out, const struct stat *st)
{
	off_t at = 0, end;

	while ((at = lseek(in, at, SEEK_DATA)) >= 0 && at < st->st_size) {
		int r;

		end = lseek(in, at, SEEK_HOLE);
		if (end < 0 || end > st->st_size)
			end = st->st_size;
		r = copy_some(in, out, at, end);
		if (r < 0)
			return r;
		at = end;
	}
	return ftruncate(out, st->st_size) < 0 ? -errno : 0;
}

static int copy_file(struct walk *w, int from, int into, const char *name)
{
	_cleanup_close_ int in =
		openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_close_ int out = -1;
	struct stat st;
	int r;

	if (in < 0 && errno == ENOENT)
		return 0; /* removed meanwhile */
	if (in < 0 || fstat(in, &st) < 0)
		return fail(w, "read", name);
	if (!S_ISREG(st.st_mode)) {
		w->state->left_out++;
		return 0;
	}
	r = count(w, (uint64_t)st.st_blocks * 512);
	if (r < 0)
		return r;
	out = openat(into, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return fail(w, "make", name);
	if (ioctl(out, FICLONE, in) == 0)
		w->state->shared_bytes += (uint64_t)st.st_size;
	else
		r = copy_data(in, out, &st);
	if (r == 0)
		r = set_meta(w, out, &st);
	errno = -r;
	return r < 0 ? fail(w, "write", name) : 0;
}

__attribute__((noinline)) static int copy_symlink(struct walk *w, int from, int into,
						  const char *name, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);
	int r;

	if (n < 0)
		return errno == ENOENT ? 0 : fail(w, "read", name);
	target[n] = '\0';
	r = count(w, (uint64_t)n);
	if (r < 0)
		return r;
	if (symlinkat(target, into, name) < 0 ||
	    fchownat(into, name, shifted(w->state, st->st_uid), shifted(w->state, st->st_gid),
		     AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(into, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(w, "make", name);
	return 0;
}

static int copy_contents(struct walk *w, int from, int into, const char *name, int depth);

static int copy_dir(struct walk *w, int from, int into, const char *name, int depth)
{
	_cleanup_close_ int in =
		openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int out = -1;
	struct stat st;
	int r;

	if (in < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (in < 0 || fstat(in, &st) < 0)
		return fail(w, "read", name);
	if (st.st_dev != w->dev) {
		w->state->left_out++;
		return 0;
	}
	r = count(w, 0);
	if (r < 0)
		return r;
	if (mkdirat(into, name, 0700) < 0)
		return fail(w, "make", name);
	out = openat(into, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return fail(w, "make", name);
	r = copy_contents(w, in, out, name, depth + 1);
	if (r < 0)
		return r;
	r = set_meta(w, out, &st);
	errno = -r;
	return r < 0 ? fail(w, "make", name) : 0;
}

static int copy_any(struct walk *w, int from, int into, const char *name, int depth)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(w, "look at", name);
	if (S_ISDIR(st.st_mode))
		return copy_dir(w, from, into, name, depth);
	if (S_ISREG(st.st_mode))
		return copy_file(w, from, into, name);
	if (S_ISLNK(st.st_mode))
		return copy_symlink(w, from, into, name, &st);
	w->state->left_out++;
	return 0;
}

static int copy_contents(struct walk *w, int from, int into, const char *name, int depth)
{
	int list_fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;

	if (!dir) {
		closep(&list_fd);
		return fail(w, "list", name);
	}
	if (depth > MAX_DEPTH) {
		errno = ELOOP;
		return fail(w, "copy", name);
	}
	while (errno = 0, (entry = readdir(dir))) {
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = copy_any(w, from, into, entry->d_name, depth);
		if (r < 0)
			return r;
	}
	return errno ? fail(w, "list", name) : 0;
}

int copy_state(int from_fd, int into_fd, const char *name, struct copy_state *state,
	       struct error *err)
{
	struct walk w = {.state = state, .name = name, .err = err};
	struct stat st;

	if (fstat(from_fd, &st) < 0)
		return error_set_errno(err, errno, "cannot look at %s", name);
	w.dev = st.st_dev;
	return copy_contents(&w, from_fd, into_fd, ".", 0);
}
