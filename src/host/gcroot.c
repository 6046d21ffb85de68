#include "host/gcroot.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMP_NAME ".new"
#define KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"

bool gcroot_key_is_valid(const char *key)
{
	size_t n = strlen(key);

	return n > 0 && n <= GCROOT_KEY_MAX && strspn(key, KEY_CHARACTERS) == n;
}

/* skep/<state directory with '-' for '/'>: two hives of one machine do not meet. */
static char *hive_dir(const struct place *place)
{
	char *path = str_format("%s/skep/%s", place->gcroots ? place->gcroots : GCROOT_DIR,
				place->state + 1);

	for (char *c = path + strlen(path) - strlen(place->state) + 1; *c; c++)
		if (*c == '/')
			*c = '-';
	return path;
}

/* -ENOENT without a text when the agent has no roots. */
static int open_agent(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_free_ char *dir = hive_dir(place);
	_cleanup_free_ char *path = str_format("%s/%s", dir, agent);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	return fd < 0 ? error_set_errno(err, errno, "cannot open '%s'", path) : fd;
}

/* Where a root leads; false when it is none or its system is gone. */
static bool read_root(int fd, const char *name, char ret[SYSTEM_SIZE])
{
	ssize_t n = readlinkat(fd, name, ret, SYSTEM_SIZE - 1);
	struct stat st;

	if (n <= 0)
		return false;
	ret[n] = '\0';
	return system_is_store(ret) && lstat(ret, &st) == 0;
}

static DIR *list(int fd)
{
	int list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return list_fd < 0 ? NULL : fdopendir(list_fd);
}

int gcroot_has(const struct place *place, const char *agent, const char *system,
	       struct error *err)
{
	_cleanup_close_ int fd = open_agent(place, agent, err);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? list(fd) : NULL;
	char target[SYSTEM_SIZE];
	struct dirent *entry;

	if (fd < 0 && fd != -ENOENT)
		return fd;
	while (dir && (entry = readdir(dir)))
		if (read_root(fd, entry->d_name, target) && strcmp(target, system) == 0)
			return 0;
	return error_set(err, ENOENT, "'%.80s' was not built for '%s'", system, agent);
}

int gcroot_find(const struct place *place, const char *agent, const char *key,
		char ret[SYSTEM_SIZE], struct error *err)
{
	_cleanup_close_ int fd = open_agent(place, agent, err);

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	return gcroot_key_is_valid(key) && read_root(fd, key, ret);
}

int gcroot_add(const struct place *place, const char *agent, const char *key,
	       const char *system, struct error *err)
{
	_cleanup_free_ char *dir = hive_dir(place);
	_cleanup_free_ char *path = str_format("%s/%s", dir, agent);
	_cleanup_close_ int fd = -1;
	int r;

	if (!gcroot_key_is_valid(key) || !system_is_store(system))
		return error_set(err, EINVAL, "'%.80s' cannot be rooted", system);
	r = file_make_path(path, 0755, err);
	if (r < 0)
		return r;
	fd = open_agent(place, agent, err);
	if (fd < 0)
		return error_set_errno(err, fd, "cannot open '%s'", path);
	(void)unlinkat(fd, TEMP_NAME, 0);
	if (symlinkat(system, fd, TEMP_NAME) < 0 || renameat(fd, TEMP_NAME, fd, key) < 0 ||
	    fsync(fd) < 0)
		return error_set_errno(err, errno, "cannot root '%s'", system);
	return 0;
}

/* Both names have roots, since a rename was cut short: those of one go to the other. */
static int merge(int hive_fd, const char *from, const char *to, struct error *err)
{
	_cleanup_close_ int from_fd =
		openat(hive_fd, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int to_fd =
		openat(hive_fd, to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = from_fd < 0 || to_fd < 0 ? NULL : list(from_fd);
	struct dirent *entry;

	if (!dir)
		return error_set_errno(err, errno, "cannot list the roots of '%s'", from);
	while (errno = 0, (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (renameat(from_fd, entry->d_name, to_fd, entry->d_name) < 0)
			return error_set_errno(err, errno, "cannot move a root of '%s'", from);
	}
	if (errno)
		return error_set_errno(err, errno, "cannot list the roots of '%s'", from);
	if (fsync(to_fd) < 0 || unlinkat(hive_fd, from, AT_REMOVEDIR) < 0)
		return error_set_errno(err, errno, "cannot remove the roots of '%s'", from);
	return 0;
}

int gcroot_rename(const struct place *place, const char *from, const char *to,
		  struct error *err)
{
	_cleanup_free_ char *path = hive_dir(place);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	if (renameat2(fd, from, fd, to, RENAME_NOREPLACE) < 0 && errno != ENOENT)
		r = errno == EEXIST ? merge(fd, from, to, err)
				    : error_set_errno(err, errno, "cannot call '%s/%s' '%s'",
						      path, from, to);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? error_set_errno(err, errno, "cannot sync '%s'", path) : 0;
}

int gcroot_keep(const struct place *place, const char *agent, const json_t *systems,
		struct error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int parent = -1;
	_cleanup_close_ int fd = open_agent(place, agent, err);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? list(fd) : NULL;
	struct dirent *entry;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (!dir)
		return error_set_errno(err, errno, "cannot list the roots of '%s'", agent);
	while (errno = 0, (entry = readdir(dir))) {
		char target[SYSTEM_SIZE];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    (read_root(fd, entry->d_name, target) && json_holds(systems, target)))
			continue;
		if (unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT)
			return error_set_errno(err, errno, "cannot remove a root of '%s'",
					       agent);
	}
	if (errno)
		return error_set_errno(err, errno, "cannot list the roots of '%s'", agent);
	path = hive_dir(place);
	parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent >= 0) /* unless there are some left */
		(void)unlinkat(parent, agent, AT_REMOVEDIR);
	return 0;
}
