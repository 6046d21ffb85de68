#include "host/cgroup.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define TEXT_MAX (1u << 20)
#define MAX_DEPTH 64       /* of v1 groups that are searched for processes */
#define SETTLE_NS 5000000L /* between attempts where the kernel tells of no event */

static void add(struct cgroups *cgroups, char *dir, bool v2, bool cpuset)
{
	cgroups->items = mem_grow(cgroups->items, cgroups->count + 1, sizeof(*cgroups->items));
	cgroups->items[cgroups->count++] =
		(struct cgroup){.dir = dir, .v2 = v2, .cpuset = cpuset};
}

void cgroups_release(struct cgroups *cgroups)
{
	for (size_t i = 0; i < cgroups->count; i++)
		free(cgroups->items[i].dir);
	free(cgroups->items);
	*cgroups = (struct cgroups){};
}

static bool has_word(const char *list, const char *word, size_t size, char separator)
{
	while (list && *list) {
		const char *end = strchrnul(list, separator);

		if ((size_t)(end - list) == size && strncmp(list, word, size) == 0)
			return true;
		list = *end ? end + 1 : end;
	}
	return false;
}

struct mount_line {
	char *root, *point, *type, *options;
};

/* "ID PARENT MAJ:MIN ROOT POINT OPTIONS [TAGS...] - TYPE SOURCE SUPER-OPTIONS"; changes line.
 */
static bool split_mount_line(char *line, struct mount_line *ret)
{
	char *separator = strstr(line, " - "), *save = NULL;
	char *fields[5] = {}, *rest[3] = {};

	if (!separator)
		return false;
	*separator = '\0';
	for (int i = 0; i < 5; i++, line = NULL)
		fields[i] = strtok_r(line, " ", &save);
	line = separator + 3;
	for (int i = 0; i < 3; i++, line = NULL)
		rest[i] = strtok_r(line, " ", &save);
	*ret = (struct mount_line){fields[3], fields[4], rest[0], rest[2]};
	return ret->point && ret->options;
}

/* Whether a mount is the hierarchy with these controllers ("" is v2's). */
static bool is_hierarchy(const struct mount_line *m, const char *controllers)
{
	if (!*controllers)
		return strcmp(m->type, "cgroup2") == 0;
	if (strcmp(m->type, "cgroup") != 0)
		return false;
	while (*controllers) {
		const char *end = strchrnul(controllers, ',');

		if (!has_word(m->options, controllers, (size_t)(end - controllers), ','))
			return false;
		controllers = *end ? end + 1 : end;
	}
	return true;
}

/* Where path of a hierarchy is when root of it is mounted at point; NULL: not below that mount.
 */
static char *locate(const struct mount_line *m, const char *path)
{
	size_t root = strcmp(m->root, "/") == 0 ? 0 : strlen(m->root);

	if (strncmp(path, m->root, root) != 0 || (path[root] && path[root] != '/') ||
	    strncmp(path, "/..", 3) == 0)
		return NULL;
	path += root;
	return str_format("%s%s", m->point, strcmp(path, "/") == 0 ? "" : path);
}

static char *find_dir(const char *mountinfo, const char *controllers, const char *path)
{
	_cleanup_free_ char *copy = str_dup(mountinfo);
	char *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct mount_line m;
		char *dir;

		if (!split_mount_line(line, &m) || !is_hierarchy(&m, controllers))
			continue;
		dir = locate(&m, path);
		if (dir)
			return dir;
	}
	return NULL;
}

void cgroups_parse(const char *mountinfo, const char *proc_cgroup, struct cgroups *ret)
{
	_cleanup_free_ char *copy = str_dup(proc_cgroup);
	char *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		char *dir;

		if (!path)
			continue;
		controllers++;
		*path++ = '\0';
		dir = find_dir(mountinfo, controllers, path);
		if (dir)
			add(ret, dir, !*controllers, has_word(controllers, "cpuset", 6, ','));
	}
}

int cgroups_of_self(struct cgroups *ret, struct error *err)
{
	_cleanup_buf_ struct buf mounts = {}, own = {};
	int r = file_read(AT_FDCWD, "/proc/self/mountinfo", TEXT_MAX, &mounts, err);

	if (r == 0)
		r = file_read(AT_FDCWD, "/proc/self/cgroup", TEXT_MAX, &own, err);
	if (r < 0)
		return r;
	cgroups_parse(buf_str(&mounts), buf_str(&own), ret);
	if (ret->count == 0)
		return error_set(err, ENOSYS, "no control group hierarchy is mounted here");
	for (size_t i = 0; i < ret->count; i++) {
		char *last = strrchr(ret->items[i].dir, '/');

		if (last && strcmp(last, "/" CGROUP_SELF) == 0)
			*last = '\0';
	}
	return 0;
}

void cgroups_below(const struct cgroups *base, const char *name, struct cgroups *ret)
{
	for (size_t i = 0; i < base->count; i++)
		add(ret, str_format("%s/%s", base->items[i].dir, name), base->items[i].v2,
		    base->items[i].cpuset);
}

int cgroup_write(const char *dir, const char *file, const char *text)
{
	_cleanup_free_ char *path = str_format("%s/%s", dir, file);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : file_write_all(fd, text, strlen(text));
}

int cgroup_read(const char *dir, const char *file, struct buf *ret)
{
	_cleanup_free_ char *path = str_format("%s/%s", dir, file);

	return file_read(AT_FDCWD, path, TEXT_MAX, ret, NULL);
}

static int inherit(const char *dir, const char *file)
{
	_cleanup_free_ char *parent = str_format("%s/..", dir);
	_cleanup_buf_ struct buf value = {};
	int r = cgroup_read(parent, file, &value);

	return r < 0 ? r : cgroup_write(dir, file, buf_str(&value));
}

int cgroups_enter(const struct cgroups *cgroups, struct error *err)
{
	for (size_t i = 0; i < cgroups->count; i++) {
		const struct cgroup *g = &cgroups->items[i];
		int r = mkdir(g->dir, 0755) < 0 && errno != EEXIST ? -errno : 0;

		if (r == 0 && g->cpuset)
			r = inherit(g->dir, "cpuset.cpus");
		if (r == 0 && g->cpuset)
			r = inherit(g->dir, "cpuset.mems");
		if (r == 0)
			r = cgroup_write(g->dir, "cgroup.procs", "0");
		if (r < 0)
			return error_set_errno(err, r, "cannot use control group '%s'", g->dir);
	}
	return 0;
}

static const struct cgroup *find_v2(const struct cgroups *cgroups)
{
	for (size_t i = 0; i < cgroups->count; i++)
		if (cgroups->items[i].v2)
			return &cgroups->items[i];
	return NULL;
}

/* Signals every process of a v1 group and below (0 asks only). Returns how many, or -errno. */
static int signal_v1(int dir_fd, int signum, int depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_buf_ struct buf pids = {};
	struct dirent *entry;
	char *save = NULL;
	int count = 0, r = file_read(dir_fd, "cgroup.procs", TEXT_MAX, &pids, NULL);

	if (r < 0 || depth > MAX_DEPTH) {
		(void)close(dir_fd);
		return r < 0 ? r : -ELOOP;
	}
	for (char *p = pids.data ? strtok_r(pids.data, "\n", &save) : NULL; p;
	     p = strtok_r(NULL, "\n", &save)) {
		if (signum != 0)
			(void)kill((pid_t)strtol(p, NULL, 10), signum);
		count++;
	}
	dir = fdopendir(dir_fd);
	if (!dir) {
		r = -errno;
		(void)close(dir_fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		int fd;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = fd < 0 ? 0 : signal_v1(fd, signum, depth + 1);
		if (r < 0)
			return r;
		count += r;
	}
	return count;
}

/* Every process is in every hierarchy, so one tells of all: v2 where there is one. */
static int signal_all(const struct cgroups *cgroups, int signum)
{
	const struct cgroup *v2 = find_v2(cgroups);
	_cleanup_buf_ struct buf events = {};
	int r, fd;

	if (v2) {
		r = cgroup_read(v2->dir, "cgroup.events", &events);
		if (r < 0)
			return r == -ENOENT ? 0 : r;
		r = strstr(buf_str(&events), "populated 1") ? 1 : 0;
		if (r == 0 || signum == 0)
			return r;
		if (signum == SIGKILL && cgroup_write(v2->dir, "cgroup.kill", "1") == 0)
			return 1;
		fd = open(v2->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else if (cgroups->count > 0) {
		fd = open(cgroups->items[0].dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		return 0;
	}
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return signal_v1(fd, signum, 0);
}

int cgroups_populated(const struct cgroups *cgroups, bool *ret, struct error *err)
{
	int r = signal_all(cgroups, 0);

	if (r < 0)
		return error_set_errno(err, r, "cannot look into control group '%s'",
				       cgroups->items[0].dir);
	*ret = r > 0;
	return 0;
}

static void settle(void)
{
	const struct timespec moment = {.tv_nsec = SETTLE_NS};

	(void)nanosleep(&moment, NULL);
}

/* The first group below, into name; false when there is none. */
static bool first_child(int fd, char name[256])
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
			strcpy(name, entry->d_name);
			return true;
		}
	return false;
}

/* Removes a group and all below, however deep a container nested them: two descriptors at most.
 */
static int remove_group(const char *path)
{
	char **names = NULL;
	char name[256];
	size_t depth = 0;
	int r = 0, fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0) {
		int next;
		bool deeper =
			first_child(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), name);

		if (!deeper && depth == 0)
			break;
		next = openat(fd, deeper ? name : "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (next < 0) {
			r = -errno;
			break;
		}
		(void)close(fd);
		fd = next;
		if (deeper) {
			names = mem_grow(names, depth + 1, sizeof(*names));
			names[depth++] = str_dup(name);
			continue;
		}
		if (unlinkat(fd, names[--depth], AT_REMOVEDIR) < 0 && errno != ENOENT)
			r = -errno;
		free(names[depth]);
	}
	while (depth > 0)
		free(names[--depth]);
	free(names);
	(void)close(fd);
	if (r == 0 && rmdir(path) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int cgroups_destroy(const struct cgroups *cgroups, int64_t timeout_ms, struct error *err)
{
	int64_t end = clock_boot_ms() + timeout_ms;
	int r;

	while ((r = signal_all(cgroups, SIGKILL)) > 0) {
		if (clock_boot_ms() > end)
			return error_set(err, ETIMEDOUT, "processes in '%s' do not end",
					 cgroups->items[0].dir);
		settle();
	}
	if (r < 0)
		return error_set_errno(err, r, "cannot empty control group '%s'",
				       cgroups->items[0].dir);
	for (size_t i = 0; i < cgroups->count; i++) {
		/* A group stays busy for a moment after its last process was reaped. */
		while ((r = remove_group(cgroups->items[i].dir)) == -EBUSY &&
		       clock_boot_ms() < end)
			settle();
		if (r < 0)
			return error_set_errno(err, r, "cannot remove control group '%s'",
					       cgroups->items[i].dir);
	}
	return 0;
}
