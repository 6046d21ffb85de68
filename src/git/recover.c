/* What a killed process leaves in a repository, removed before the first open. */
#include "git/repo.h"

#include "base/cleanup.h"
#include "base/dirlist.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 32

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool is_lock(int dir_fd, const char *name)
{
	(void)dir_fd;
	return has_suffix(name, ".lock");
}

/* *.lock, and what git writes before it renames it to packed-refs */
static bool is_top_leftover(int dir_fd, const char *name)
{
	return is_lock(dir_fd, name) || strcmp(name, "packed-refs.new") == 0;
}

/* temporary files of libgit2 (tmp_object_git2_…, pack_git2_…) and of git (tmp_pack_…, .tmp-…),
 * unfinished *.idx */
static bool is_object_leftover(int dir_fd, const char *name)
{
	char pack[NAME_MAX + 1];
	struct stat st;

	if (is_lock(dir_fd, name) || strstr(name, "_git2_") || has_prefix(name, "tmp_") ||
	    has_prefix(name, ".tmp-"))
		return true;
	if (!has_suffix(name, ".idx"))
		return false;
	snprintf(pack, sizeof(pack), "%.*s.pack", (int)(strlen(name) - 4), name);
	return fstatat(dir_fd, pack, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static int sweep(int parent_fd, const char *name, bool recurse, int depth,
		 bool (*is_leftover)(int dir_fd, const char *name), int *removed,
		 struct error *err);

static int look(int fd, const char *name, unsigned char type, bool recurse, int depth,
		bool (*is_leftover)(int dir_fd, const char *name), int *removed,
		struct error *err)
{
	if (type == DT_DIR)
		return recurse ? sweep(fd, name, true, depth + 1, is_leftover, removed, err)
			       : 0;
	if (!is_leftover(fd, name))
		return 0;
	if (unlinkat(fd, name, 0) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "cannot remove '%s'", name);
	(*removed)++;
	return 0;
}

/* Unlinks the files of one directory that match; recurse: and of all below it. An absent
 * directory is fine. */
static int sweep(int parent_fd, const char *name, bool recurse, int depth,
		 bool (*is_leftover)(int dir_fd, const char *name), int *removed,
		 struct error *err)
{
	_cleanup_close_ int fd =
		openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirlist list;
	const char *entry;
	unsigned char type;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", name);
	if (depth > MAX_DEPTH)
		return error_set(err, ELOOP, "'%s' is nested too deep", name);
	dirlist_begin(&list, fd);
	while ((r = dirlist_next(&list, &entry, &type)) > 0) {
		r = look(fd, entry, type, recurse, depth, is_leftover, removed, err);
		if (r < 0)
			return r;
	}
	return r < 0 ? error_set_errno(err, r, "cannot list '%s'", name) : 0;
}

/* With the locks of references, or all but them. */
static int recover(const char *dir, bool refs, int *ret_removed, struct error *err)
{
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int removed = 0, r;

	if (dir_fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", dir);
	r = file_remove_tree(dir_fd, ".git.new", err);
	if (r == 0)
		r = sweep(dir_fd, ".git", false, 0, is_top_leftover, &removed, err);
	if (r == 0 && refs)
		r = sweep(dir_fd, ".git/refs", true, 0, is_lock, &removed, err);
	/* loose objects are written in objects/ itself and renamed: its 256 subdirectories need
	 * no look */
	if (r == 0)
		r = sweep(dir_fd, ".git/objects", false, 0, is_object_leftover, &removed, err);
	if (r == 0)
		r = sweep(dir_fd, ".git/objects/pack", false, 0, is_object_leftover, &removed,
			  err);
	if (r < 0)
		return error_prefix(err, "cannot clean up repository '%s'", dir);
	*ret_removed = removed;
	return 0;
}

int repo_recover(const char *dir, int *ret_removed, struct error *err)
{
	return recover(dir, true, ret_removed, err);
}

int repo_recover_objects(const char *dir, int *ret_removed, struct error *err)
{
	return recover(dir, false, ret_removed, err);
}
