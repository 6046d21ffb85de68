/* All references of a repository read from its files, broken ones reported instead of skipped.
 */
#include "git/refs.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/dirlist.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 16
#define MAX_LOOSE 1000000
#define MAX_PACKED_BYTES (256u << 20)
#define MAX_LOOSE_BYTES 1024
#define OID_DIGITS (OID_HEX_SIZE - 1)

struct loose {
	char *name;
	char oid[OID_HEX_SIZE]; /* "" when the file is broken */
};

struct scan {
	const char *prefix;
	int *removed; /* counts stale locks, which are removed; NULL: they are left */
	struct loose *loose;
	size_t n_loose, room;
	struct error broken; /* of the first broken file */
};

static void scan_release(struct scan *scan)
{
	for (size_t i = 0; i < scan->n_loose; i++)
		free(scan->loose[i].name);
	free(scan->loose);
}

static void report_broken(struct scan *scan, const char *name, const char *why)
{
	_cleanup_free_ char *shown = text_clean_dup(name, 200, false);

	if (scan->broken.err == 0)
		error_set(&scan->broken, EUCLEAN, "reference file '%s' is damaged: %s", shown,
			  why);
}

static bool parse_oid(const char *s, size_t size, char ret[OID_HEX_SIZE])
{
	if (size < OID_DIGITS)
		return false;
	memcpy(ret, s, OID_DIGITS);
	ret[OID_DIGITS] = '\0';
	return oid_is_valid(ret);
}

static int read_loose(struct scan *scan, int dir_fd, const char *file, const char *name,
		      struct error *err)
{
	_cleanup_buf_ struct buf content = {};
	char oid[OID_HEX_SIZE] = "";
	struct error why = {};
	bool sound = false;
	int r = file_read(dir_fd, file, MAX_LOOSE_BYTES, &content, &why);

	if (r == -ENOENT)
		return 0; /* packed or deleted since the listing */
	if (r < 0 && r != -EINVAL && r != -E2BIG)
		return error_set(err, r, "%s", error_text(&why));
	if (r < 0)
		report_broken(scan, name, error_text(&why));
	else if (content.size == 0)
		report_broken(scan, name, "it is empty");
	else if (!parse_oid(content.data, content.size, oid) ||
		 content.data[OID_DIGITS + strspn(content.data + OID_DIGITS, " \n")] != '\0')
		report_broken(scan, name, "it holds no object id");
	else
		sound = true;
	if (scan->n_loose >= MAX_LOOSE)
		return error_set(err, E2BIG, "more than %d loose references", MAX_LOOSE);
	if (scan->n_loose == scan->room) {
		scan->room = scan->room ? 2 * scan->room : 64;
		scan->loose = mem_grow(scan->loose, scan->room, sizeof(*scan->loose));
	}
	if (!sound)
		oid[0] = '\0';
	scan->loose[scan->n_loose].name = str_dup(name);
	memcpy(scan->loose[scan->n_loose++].oid, oid, sizeof(oid));
	return 0;
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool is_lock(const char *file)
{
	size_t n = strlen(file);

	return n > 5 && strcmp(file + n - 5, ".lock") == 0;
}

static int remove_lock(struct scan *scan, int fd, const char *file, struct error *err)
{
	if (!scan->removed)
		return 0;
	if (unlinkat(fd, file, 0) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "cannot remove '%s'", file);
	(*scan->removed)++;
	return 0;
}

static int entry_mode(int fd, const char *file, unsigned char type, mode_t *ret)
{
	struct stat st;

	if (type != DT_UNKNOWN) {
		*ret = DTTOIF(type);
		return 0;
	}
	if (fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret = st.st_mode & S_IFMT;
	return 0;
}

static int walk(struct scan *scan, int parent_fd, const char *file, const char *name, int depth,
		struct error *err);

/* One entry of the directory of this name. */
static int look(struct scan *scan, int fd, const char *file, unsigned char type,
		const char *name, int depth, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	mode_t mode = 0;
	int r = entry_mode(fd, file, type, &mode);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set_errno(err, r, "cannot look at '%s'", file);
	if (is_lock(file))
		return S_ISDIR(mode) ? 0 : remove_lock(scan, fd, file, err);
	path = str_format("%s/%s%s", name, file, S_ISDIR(mode) ? "/" : "");
	if (!starts_with(path, scan->prefix) &&
	    !(S_ISDIR(mode) && starts_with(scan->prefix, path)))
		return 0;
	if (S_ISDIR(mode)) {
		path[strlen(path) - 1] = '\0';
		return walk(scan, fd, file, path, depth + 1, err);
	}
	if (S_ISREG(mode))
		return read_loose(scan, fd, file, path, err);
	report_broken(scan, path, "it is not a regular file");
	return 0;
}

/* name is the directory's path as references have it: "refs", "refs/tags" */
static int walk(struct scan *scan, int parent_fd, const char *file, const char *name, int depth,
		struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct dirlist list;
	const char *entry;
	unsigned char type;
	int r;

	if (depth > MAX_DEPTH)
		return error_set(err, ELOOP, "references are nested too deep at '%s'", name);
	fd = openat(parent_fd, file, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", name);
	dirlist_begin(&list, fd);
	while ((r = dirlist_next(&list, &entry, &type)) > 0) {
		r = look(scan, fd, entry, type, name, depth, err);
		if (r < 0)
			return r;
	}
	return r < 0 ? error_set_errno(err, r, "cannot list '%s'", name) : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct loose *)a)->name, ((const struct loose *)b)->name);
}

/* Delivers the loose references whose names sort before name (NULL: the rest). */
static int flush_loose(struct scan *scan, size_t *next, const char *name, refs_fn fn,
		       void *data)
{
	for (; *next < scan->n_loose; (*next)++) {
		const struct loose *loose = &scan->loose[*next];
		int r;

		if (name && strcmp(loose->name, name) >= 0)
			return 0;
		r = loose->oid[0] ? fn(loose->name, loose->oid, data) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* One line at a time: "# …" is the header, "^id" the commit of the tag above, else "id name".
 */
static int merge_packed(struct scan *scan, char *text, refs_fn fn, void *data,
			struct error *err)
{
	size_t next = 0;
	unsigned line_number = 0;
	int r;

	for (char *line = text, *end; *line; line = end + 1) {
		char oid[OID_HEX_SIZE];
		const char *name;

		line_number++;
		end = strchr(line, '\n');
		if (!end)
			return error_set(err, EUCLEAN,
					 "packed-refs is damaged: its end is missing");
		*end = '\0';
		if (*line == '#' || *line == '^')
			continue;
		if (!parse_oid(line, (size_t)(end - line), oid) || line[OID_DIGITS] != ' ' ||
		    !line[OID_HEX_SIZE])
			return error_set(err, EUCLEAN, "packed-refs is damaged at line %u",
					 line_number);
		name = line + OID_HEX_SIZE;
		if (!starts_with(name, scan->prefix))
			continue;
		r = flush_loose(scan, &next, name, fn, data);
		if (r)
			return r;
		if (next < scan->n_loose && strcmp(scan->loose[next].name, name) == 0)
			continue; /* the loose one is delivered in its turn, before the next
				     name */
		r = fn(name, oid, data);
		if (r)
			return r;
	}
	return flush_loose(scan, &next, NULL, fn, data);
}

static int scan_all(const char *dir, const char *prefix, int *removed, refs_fn fn, void *data,
		    struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/.git", dir);
	_cleanup_close_ int git_fd =
		open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_(scan_release) struct scan scan = {.prefix = prefix, .removed = removed};
	_cleanup_buf_ struct buf packed = {};
	_cleanup_free_ char *text = NULL;
	int r;

	if (git_fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	/* loose first: one that is packed meanwhile is then found in packed-refs */
	r = walk(&scan, git_fd, "refs", "refs", 0, err);
	if (r == 0 && faccessat(git_fd, "packed-refs", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = file_read(git_fd, "packed-refs", MAX_PACKED_BYTES, &packed, err);
	if (r < 0)
		return error_prefix(err, "cannot list the references of '%s'", dir);
	if (strlen(buf_str(&packed)) != packed.size)
		return error_set(err, EUCLEAN, "'%s/packed-refs' is damaged: it holds a NUL",
				 path);
	if (scan.n_loose > 1)
		qsort(scan.loose, scan.n_loose, sizeof(*scan.loose), by_name);
	text = buf_take(&packed);
	r = merge_packed(&scan, text, fn, data, err);
	if (r)
		return r;
	if (scan.broken.err) {
		if (err)
			*err = scan.broken;
		return -EUCLEAN;
	}
	return 0;
}

int refs_scan(const char *dir, const char *prefix, refs_fn fn, void *data, struct error *err)
{
	return scan_all(dir, prefix, NULL, fn, data, err);
}

int refs_scan_recovering(const char *dir, int *ret_removed, refs_fn fn, void *data,
			 struct error *err)
{
	return scan_all(dir, "refs/", ret_removed, fn, data, err);
}
