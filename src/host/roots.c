#include "host/roots.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "host/copy.h"
#include "host/environment.h"
#include "host/skeleton.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_PREFIX ".new-"
#define SYSTEMS_FILE ".systems"
#define ENVIRONMENT_DIR "etc/systemd/system.conf.d"
#define ENVIRONMENT_FILE "10-skep.conf"
#define MACHINE_ID_FILE "machine-id"
#define MACHINE_ID_DIGITS 32
#define SMALL_FILE_MAX 4096
#define LD_CACHE_MAX (16u << 20)
#define ROOTFS_MAX_FILES 250000
#define ROOTFS_MAX_BYTES (2ull << 30)

char *root_path(const struct place *place, const char *agent, const char *system)
{
	return str_format("%s/roots/%s/%s", place->state, agent, system_name(system));
}

static int open_dir(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? error_set_errno(err, errno, "cannot open '%s'", path) : fd;
}

/* roots/<agent>, made when it is not there. */
static int open_roots(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/roots", place->state);
	_cleanup_close_ int roots_fd = open_dir(path, err);
	int r, fd;

	if (roots_fd < 0)
		return roots_fd;
	r = file_make_dir(roots_fd, agent, 0700, geteuid(), getegid(), err);
	if (r < 0)
		return r;
	fd = openat(roots_fd, agent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_set_errno(err, errno, "cannot open '%s/%s'", path, agent) : fd;
}

/* The agent's machine id: made once, kept with its state. */
static int machine_id(const struct place *place, const char *agent, char ret[33],
		      struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/agents/%s", place->state, agent);
	_cleanup_close_ int fd = open_dir(path, err);
	_cleanup_buf_ struct buf text = {};
	unsigned char random[MACHINE_ID_DIGITS / 2];
	int r;

	if (fd < 0)
		return fd;
	r = file_read(fd, MACHINE_ID_FILE, SMALL_FILE_MAX, &text, err);
	if (r == 0 && text.size >= MACHINE_ID_DIGITS) {
		buf_truncate(&text, MACHINE_ID_DIGITS);
		if (text_is_hex(text.data, MACHINE_ID_DIGITS)) {
			memcpy(ret, text.data, MACHINE_ID_DIGITS + 1);
			return 0;
		}
	}
	if (r < 0 && r != -ENOENT)
		return r;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_set_errno(err, errno, "cannot make a machine id");
	random[6] = (random[6] & 0x0f) | 0x40; /* a random UUID (man machine-id) */
	random[8] = (random[8] & 0x3f) | 0x80;
	text_hex(ret, random, sizeof(random));
	return file_write_atomic(fd, MACHINE_ID_FILE, ret, MACHINE_ID_DIGITS, 0444, err);
}

/* Whether a file that the container may have put there says just this. */
static bool says(int dir_fd, const char *name, const void *text, size_t size)
{
	_cleanup_close_ int fd =
		file_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, NULL);
	_cleanup_free_ char *found = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (st.st_mode & 07777) != 0644 || (size_t)st.st_size != size)
		return false;
	found = mem_new(size + 1, 1);
	return read(fd, found, size + 1) == (ssize_t)size && memcmp(found, text, size) == 0;
}

/* A write is two syncs of a file system that others use as well. */
static int put_file(int dir_fd, const char *name, const void *text, size_t size)
{
	if (says(dir_fd, name, text, size))
		return 0;
	return file_write_atomic(dir_fd, name, text, size, 0644, NULL);
}

/*
 * Writes what a start brings up to date. The root may have been in the hands of its container,
 * so directories are opened beneath it without following anything. -EUCLEAN: it cannot be, the
 * root is no good any more.
 */
static int refresh(int root_fd, const struct container_spec *spec, struct error *err)
{
	_cleanup_free_ char *environment = environment_render(spec);
	_cleanup_buf_ struct buf cache = {};
	_cleanup_close_ int etc_fd =
		file_open_beneath(root_fd, "etc", O_RDONLY | O_DIRECTORY, NULL);
	_cleanup_close_ int conf_fd =
		file_open_beneath(root_fd, ENVIRONMENT_DIR, O_RDONLY | O_DIRECTORY, NULL);

	/* A NixOS system brings its environment and its libraries itself. */
	if (system_is_store(spec->system))
		return 0;
	if (etc_fd < 0 || conf_fd < 0)
		return error_set(err, EUCLEAN, "the container has changed its own '/etc'");
	if (put_file(conf_fd, ENVIRONMENT_FILE, environment, strlen(environment)) < 0)
		return error_set(err, EUCLEAN, "the container has changed its own '/etc'");
	if (file_read(AT_FDCWD, "/etc/ld.so.cache", LD_CACHE_MAX, &cache, NULL) < 0)
		return 0;
	if (put_file(etc_fd, "ld.so.cache", cache.data, cache.size) < 0)
		return error_set(err, EUCLEAN, "the container has changed its own '/etc'");
	return 0;
}

/* A NixOS system has nothing to lay over a root: -ENOENT without an error text. */
static int check_store(const char *system, struct error *err)
{
	_cleanup_free_ char *init = str_format("%s/init", system);

	if (access(init, X_OK) < 0)
		return error_set(err, ENODATA, "'%s' is not there, or no system to boot",
				 system);
	return -ENOENT;
}

/* The agent's rootfs; -ENOENT without an error text when it has none. */
static int open_rootfs(const struct place *place, const char *system, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/systems/%s", place->state, system);
	_cleanup_close_ int system_fd =
		open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int fd;

	if (system_fd < 0 && errno == ENOENT)
		return error_set(err, ENODATA, "system %.12s has not been built", system);
	if (system_fd < 0 || fstat(system_fd, &st) < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	if (st.st_uid != geteuid())
		return error_set(err, EPERM, "'%s' does not belong to root", path);
	fd = openat(system_fd, "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 || errno == ENOENT)
		return fd >= 0 ? fd : -ENOENT;
	return error_set_errno(err, errno, "cannot open '%s/rootfs'", path);
}

static int fill(const struct place *place, const struct container_spec *spec, int root_fd,
		int rootfs_fd, struct error *err)
{
	struct copy copy = {
		.uid = spec->uid_base,
		.gid = spec->uid_base,
		.max_files = ROOTFS_MAX_FILES,
		.max_bytes = ROOTFS_MAX_BYTES,
	};
	char id[MACHINE_ID_DIGITS + 1];
	int r = machine_id(place, spec->agent, id, err);

	if (r == 0)
		r = system_is_store(spec->system) ? skeleton_make_bare(root_fd, spec, id, err)
						  : skeleton_make(root_fd, spec, id, err);
	if (r == 0 && rootfs_fd >= 0)
		r = copy_over(rootfs_fd, root_fd, "rootfs", "usr", &copy, err);
	if (r == 0)
		r = refresh(root_fd, spec, err);
	if (r == 0 && (fchown(root_fd, spec->uid_base, spec->uid_base) < 0 ||
		       fchmod(root_fd, 0755) < 0 || syncfs(root_fd) < 0))
		r = error_set_errno(err, errno, "cannot finish the root of '%s'", spec->agent);
	return r;
}

/* Removes the entries of roots/<agent> that keep() does not name. */
static int sweep(int fd, const char *keep, const char *keep_too, const char *prefix,
		 struct error *err)
{
	int list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;

	if (!dir)
		return error_set_errno(err, errno, "cannot list the roots of an agent");
	while (errno = 0, (entry = readdir(dir))) {
		const char *name = entry->d_name;
		int r;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    strcmp(name, SYSTEMS_FILE) == 0 ||
		    strncmp(name, ROOT_LOCK_PREFIX, strlen(ROOT_LOCK_PREFIX)) == 0)
			continue;
		if (strncmp(name, prefix, strlen(prefix)) != 0 || strcmp(name, keep) == 0 ||
		    strcmp(name, keep_too) == 0)
			continue;
		r = file_remove_tree(fd, name, err);
		if (r < 0)
			return r;
	}
	return errno ? error_set_errno(err, errno, "cannot list the roots of an agent") : 0;
}

/* 1: an existing root is good and up to date. */
static int reuse(int agent_fd, const struct container_spec *spec, struct error *err)
{
	_cleanup_close_ int fd = openat(agent_fd, system_name(spec->system),
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT
			       ? 0
			       : error_set_errno(err, errno, "cannot open a root of '%s'",
						 spec->agent);
	if (fstat(fd, &st) < 0)
		return error_set_errno(err, errno, "cannot look at a root of '%s'",
				       spec->agent);
	return st.st_uid == spec->uid_base && refresh(fd, spec, err) == 0;
}

static int make(const struct place *place, const struct container_spec *spec, int agent_fd,
		int rootfs_fd, struct error *err)
{
	_cleanup_free_ char *temp = str_format(NEW_PREFIX "%s", system_name(spec->system));
	_cleanup_close_ int fd = -1;
	int r = file_make_dir(agent_fd, temp, 0700, geteuid(), getegid(), err);

	if (r < 0)
		return r;
	fd = openat(agent_fd, temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 ? error_set_errno(err, errno, "cannot open '%s'", temp)
		   : fill(place, spec, fd, rootfs_fd, err);
	if (r == 0)
		r = file_remove_tree(agent_fd, system_name(spec->system), err);
	if (r == 0 && renameat(agent_fd, temp, agent_fd, system_name(spec->system)) < 0)
		r = error_set_errno(err, errno, "cannot name the root of '%s'", spec->agent);
	if (r == 0 && fsync(agent_fd) < 0)
		r = error_set_errno(err, errno, "cannot sync the roots of '%s'", spec->agent);
	if (r < 0)
		(void)file_remove_tree(agent_fd, temp, NULL);
	return r;
}

int root_prepare(const struct place *place, const struct container_spec *spec, bool *ret_usr,
		 struct error *err)
{
	_cleanup_close_ int rootfs_fd = system_is_store(spec->system)
						? check_store(spec->system, err)
						: open_rootfs(place, spec->system, err);
	_cleanup_close_ int agent_fd = -1;
	struct stat st;
	int r;

	if (rootfs_fd < 0 && rootfs_fd != -ENOENT)
		return rootfs_fd;
	agent_fd = open_roots(place, spec->agent, err);
	if (agent_fd < 0)
		return agent_fd;
	r = sweep(agent_fd, "", "", NEW_PREFIX, err);
	if (r == 0 && !spec->fresh)
		r = reuse(agent_fd, spec, err);
	if (r == 0)
		r = make(place, spec, agent_fd, rootfs_fd, err);
	if (r < 0)
		return r;
	if (ret_usr)
		*ret_usr = rootfs_fd >= 0 &&
			   fstatat(rootfs_fd, "usr", &st, AT_SYMLINK_NOFOLLOW) == 0;
	return 0;
}

/* Two lines, names of roots: the system that ran last, the one before; either may be empty. */
static int read_systems(int agent_fd, char current[SYSTEM_SIZE], char previous[SYSTEM_SIZE],
			struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	int r = file_read(agent_fd, SYSTEMS_FILE, SMALL_FILE_MAX, &text, err);
	char *line, *save = NULL, system[SYSTEM_SIZE];

	current[0] = previous[0] = '\0';
	if (r < 0 || !text.data)
		return r == -ENOENT ? 0 : r;
	line = strtok_r(text.data, "\n", &save);
	if (line && system_from_name(line, system))
		strcpy(current, line);
	line = line ? strtok_r(NULL, "\n", &save) : NULL;
	if (line && system_from_name(line, system))
		strcpy(previous, line);
	return 0;
}

int root_activate(const struct place *place, const char *agent, const char *system,
		  struct error *err)
{
	_cleanup_close_ int fd = open_roots(place, agent, err);
	char current[SYSTEM_SIZE], previous[SYSTEM_SIZE];
	_cleanup_free_ char *text = NULL;
	const char *name = system_name(system);
	int r;

	if (fd < 0)
		return fd;
	r = read_systems(fd, current, previous, err);
	if (r < 0)
		return r;
	if (strcmp(current, name) != 0) {
		strcpy(previous, current);
		text = str_format("%s\n%s\n", name, previous);
		r = file_write_atomic(fd, SYSTEMS_FILE, text, strlen(text), 0600, err);
	}
	return r < 0 ? r : sweep(fd, name, previous, "", err);
}

int root_open_current(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_close_ int fd = open_roots(place, agent, err);
	char current[SYSTEM_SIZE], previous[SYSTEM_SIZE];
	int root_fd, r;

	if (fd < 0)
		return fd;
	r = read_systems(fd, current, previous, err);
	if (r < 0)
		return r;
	root_fd = current[0]
			  ? openat(fd, current, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			  : -1;
	if (root_fd < 0)
		return error_set(err, ENOENT, "'%s' has no root that ran", agent);
	return root_fd;
}
