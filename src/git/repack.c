/*
 * Every submission brings a pack and every tag and deploy some loose objects; readers look
 * through all of them. Other readers of the repository (git in the manager's container among
 * them) look again when a pack they know is gone.
 */
#include "git/repack.h"

#include "base/dirlist.h"
#include "base/file.h"
#include "git/internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKS_MAX 12
#define LOOSE_MAX 2000
#define SAMPLE "17" /* one of 256 directories; ids are evenly spread (git does the same) */
#define PACK_MODE 0444
#define FAN_OUT 256
#define MAX_DEPTH 16 /* of references */

DEFINE_CLEANUP(git_packbuilder *, git_packbuilder_free)

/* Names, each owned. */
struct names {
	char **items;
	size_t count;
};

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

static void names_add(struct names *names, char *name)
{
	names->items = mem_grow(names->items, names->count + 1, sizeof(*names->items));
	names->items[names->count++] = name;
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && strcmp(s + n - m, suffix) == 0;
}

/* *ret stays NULL where there is no such directory. */
static int open_list(const char *dir, const char *below, DIR **ret, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/.git/objects/%s", dir, below);

	*ret = opendir(path);
	if (!*ret && errno != ENOENT)
		return error_set_errno(err, errno, "cannot list '%s'", path);
	return 0;
}

/* Adds "pack-….pack" without its ending. */
static int list_packs(const char *dir, struct names *ret, struct error *err)
{
	_cleanup_closedir_ DIR *list = NULL;
	struct dirent *entry;
	int r = open_list(dir, "pack", &list, err);

	while (list && (entry = readdir(list)))
		if (has_suffix(entry->d_name, ".pack"))
			names_add(ret, str_format("%.*s", (int)strlen(entry->d_name) - 5,
						  entry->d_name));
	return r;
}

/* Adds "17/0123…" of one of the 256 directories. */
static int list_loose(const char *dir, const char *below, struct names *ret, struct error *err)
{
	_cleanup_closedir_ DIR *list = NULL;
	struct dirent *entry;
	int r = open_list(dir, below, &list, err);

	while (list && (entry = readdir(list)))
		if (strlen(entry->d_name) == OID_HEX_SIZE - 3)
			names_add(ret, str_format("%s/%s", below, entry->d_name));
	return r;
}

int repack_is_due(const char *dir, bool *ret, struct error *err)
{
	struct names packs = {}, sample = {};
	int r = list_packs(dir, &packs, err);

	if (r == 0)
		r = list_loose(dir, SAMPLE, &sample, err);
	if (r == 0)
		*ret = packs.count > PACKS_MAX || sample.count * FAN_OUT > LOOSE_MAX;
	names_release(&packs);
	names_release(&sample);
	return r;
}

static int on_object(const git_oid *id, void *data)
{
	return git_packbuilder_insert(data, id, NULL);
}

/* *ret_name is the new pack's, without ending; the caller frees it. */
static int write_pack(struct repo *repo, char **ret_name, struct error *err)
{
	_cleanup_(git_packbuilder_freep) git_packbuilder *builder = NULL;
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	_cleanup_free_ char *pack_dir = str_format("%s/.git/objects/pack", repo->dir);
	int r = git_repository_odb(&odb, repo->git);

	/* what was listed must be in it */
	if (r == 0)
		r = git_odb_refresh(odb);
	if (r == 0)
		r = git_packbuilder_new(&builder, repo->git);
	if (r < 0)
		return git_fail(r, err, "cannot prepare a pack of '%s'", repo->dir);
	(void)git_packbuilder_set_threads(builder, 1);
	r = git_odb_foreach(odb, on_object, builder);
	if (r == 0)
		r = git_packbuilder_write(builder, pack_dir, PACK_MODE, NULL, NULL);
	if (r < 0)
		return git_fail(r, err, "cannot repack '%s'", repo->dir);
	*ret_name = str_format("pack-%s", git_packbuilder_name(builder));
	return 0;
}

/* The index goes first: nobody looks for objects in a pack without one. */
static void remove_pack(int pack_fd, const char *name)
{
	static const char *const endings[] = {".idx", ".rev", ".bitmap", ".pack"};

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		_cleanup_free_ char *file = str_format("%s%s", name, endings[i]);

		(void)unlinkat(pack_fd, file, 0);
	}
}

static int remove_old(const char *dir, const struct names *packs, const struct names *loose,
		      const char *keep, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/.git/objects", dir);
	_cleanup_free_ char *index = str_format("pack/%s.idx", keep);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int pack_fd =
		fd < 0 ? -1 : openat(fd, "pack", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (pack_fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	/* Never without seeing what takes their place. */
	if (faccessat(fd, index, R_OK, 0) < 0)
		return error_set_errno(err, errno, "the new pack of '%s' is not there", dir);
	for (size_t i = 0; i < packs->count; i++)
		if (strcmp(packs->items[i], keep) != 0)
			remove_pack(pack_fd, packs->items[i]);
	for (size_t i = 0; i < loose->count; i++)
		(void)unlinkat(fd, loose->items[i], 0);
	return 0;
}

int repack_all(struct repo *repo, struct error *err)
{
	struct names packs = {}, loose = {};
	_cleanup_free_ char *keep = NULL;
	char below[3];
	int r = list_packs(repo->dir, &packs, err);

	for (int i = 0; r == 0 && i < FAN_OUT; i++) {
		snprintf(below, sizeof(below), "%02x", (unsigned)i);
		r = list_loose(repo->dir, below, &loose, err);
	}
	if (r == 0 && packs.count + loose.count > 0)
		r = write_pack(repo, &keep, err);
	if (r == 0 && keep)
		r = remove_old(repo->dir, &packs, &loose, keep, err);
	names_release(&packs);
	names_release(&loose);
	return r;
}

static bool is_fan_out(const char *name)
{
	return isxdigit(name[0]) && isxdigit(name[1]) && name[2] == '\0';
}

/*
 * Goes into what is below one directory, depth levels down at most, and removes it there where
 * it is empty. Only tries: what is in use or not empty stays.
 */
static int drop_below(int parent_fd, const char *name, int depth,
		      bool (*is_wanted)(const char *name), struct error *err)
{
	_cleanup_close_ int fd =
		openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirlist list;
	unsigned char type;
	const char *entry;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0
				       : error_set_errno(err, errno, "cannot open '%s'", name);
	dirlist_begin(&list, fd);
	while ((r = dirlist_next(&list, &entry, &type)) > 0) {
		if (type != DT_DIR || (is_wanted && !is_wanted(entry)))
			continue;
		if (depth > 1 && (r = drop_below(fd, entry, depth - 1, is_wanted, err)) < 0)
			return r;
		(void)unlinkat(fd, entry, AT_REMOVEDIR);
	}
	return r < 0 ? error_set_errno(err, r, "cannot list '%s'", name) : 0;
}

int repack_drop_empty(const char *dir, struct error *err)
{
	static const char *const kinds[] = {"refs/heads", "refs/tags", "refs/skep"};
	_cleanup_free_ char *path = str_format("%s/.git", dir);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	r = drop_below(fd, "objects", 1, is_fan_out, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++)
		r = drop_below(fd, kinds[i], MAX_DEPTH, NULL, err);
	return r < 0 ? error_prefix(err, "'%s'", path) : 0;
}
