#include "skep/watch.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define DIRECTORIES_MAX 1024
#define DEPTH_MAX 16
#define QUIET_MS 300
#define RESTLESS_MS 5000 /* then what there is has to do */
#define EVENTS                                                                              \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct watching {
	int fd, n;
	struct error *err;
};

static int add(struct watching *w, const char *path, int depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;

	if (++w->n > DIRECTORIES_MAX || depth > DEPTH_MAX)
		return error_set(w->err, E2BIG,
				 "'%s': more than %d directories, or %d within each other",
				 path, DIRECTORIES_MAX, DEPTH_MAX);
	if (inotify_add_watch(w->fd, path, EVENTS | (depth > 0 ? IN_DONT_FOLLOW : 0)) < 0)
		return error_set_errno(w->err, errno, "cannot watch '%s'", path);
	dir = opendir(path);
	if (!dir)
		return error_set_errno(w->err, errno, "cannot list '%s'", path);
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;
		_cleanup_free_ char *below = str_format("%s/%s", path, name);
		struct stat st;
		int r;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    (depth == 0 && name[0] == '.') ||
		    fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		r = add(w, below, depth + 1);
		if (r < 0 && r != -ENOENT) /* one that went away meanwhile is a change */
			return r;
	}
	return 0;
}

int watch_open(const char *path, struct error *err)
{
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct watching w = {.fd = fd, .err = err};
	int r;

	if (fd < 0)
		return error_set_errno(err, errno, "cannot watch files");
	r = add(&w, path, 0);
	return r < 0 ? r : TAKE_FD(fd);
}

int watch_wait(int fd, int timeout_ms, struct error *err)
{
	struct pollfd wanted = {.fd = fd, .events = POLLIN};
	int64_t first = 0;
	char events[4096];
	int n;

	for (;;) {
		n = poll(&wanted, 1, first ? QUIET_MS : timeout_ms);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(err, errno, "cannot wait for a change");
		if (n == 0 || (first && clock_boot_ms() - first > RESTLESS_MS))
			return 0;
		if (!first)
			first = clock_boot_ms();
		while (read(fd, events, sizeof(events)) > 0)
			;
	}
}
