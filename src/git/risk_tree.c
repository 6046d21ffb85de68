/* The rules that are about a whole tree: control files, attributes, names that collide, links.
 */
#include "git/risk_tree.h"

#include "base/buf.h"
#include "git/changes.h"
#include "git/checkout.h"
#include "git/risk_attributes.h"
#include "git/risk_links.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#define ATTRIBUTES_MAX_BYTES 65536

struct scan {
	struct repo *repo;
	git_odb *odb;
	struct flags *flags;
	struct risk_links links;
	struct buf path;
	size_t files;
};

static void scan_release(struct scan *s)
{
	git_odb_free(s->odb);
	risk_links_release(&s->links);
	buf_release(&s->path);
}

/* What a name is on a file system that ignores case and the encoding of accents. The caller
 * frees. */
static char *fold_name(const char *name)
{
	utf8proc_uint8_t *folded;
	char *copy;

	for (const char *p = name; *p; p++) {
		if ((unsigned char)*p < 0x80)
			continue;
		if (utf8proc_map((const utf8proc_uint8_t *)name, 0, &folded,
				 UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE |
					 UTF8PROC_CASEFOLD) >= 0)
			return (char *)folded;
		break;
	}
	copy = str_dup(name);
	for (char *p = copy; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return copy;
}

struct folded {
	char *folded;
	const char *name;
};

static int by_folded(const void *a, const void *b)
{
	return strcmp(((const struct folded *)a)->folded, ((const struct folded *)b)->folded);
}

static void check_collisions(struct scan *s, const git_tree *tree)
{
	size_t n = git_tree_entrycount(tree);
	struct folded *names = mem_new(n, sizeof(*names));

	for (size_t i = 0; i < n; i++) {
		names[i].name = git_tree_entry_name(git_tree_entry_byindex(tree, i));
		names[i].folded = fold_name(names[i].name);
	}
	if (n > 1)
		qsort(names, n, sizeof(*names), by_folded);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(names[i - 1].folded, names[i].folded) == 0) {
			_cleanup_free_ char *place =
				str_format("%s%s%s", buf_str(&s->path), s->path.size ? "/" : "",
					   names[i].name);

			flags_add(s->flags, FLAG_CASE_COLLISION, place);
		}
	}
	for (size_t i = 0; i < n; i++)
		free(names[i].folded);
	free(names);
}

/* A small blob's bytes; NULL in *ret when it is larger than max. */
static int read_small(struct scan *s, const git_oid *oid, size_t max, git_odb_object **ret,
		      struct error *err)
{
	git_object_t type;
	size_t size;
	int r = git_odb_read_header(&size, &type, s->odb, oid);

	if (r < 0)
		return git_fail(r, err, "cannot read '%s'", buf_str(&s->path));
	return change_read(s->repo, oid, size, max, ret, err);
}

static int check_link(struct scan *s, const git_oid *oid, struct error *err)
{
	_cleanup_(git_odb_object_freep) git_odb_object *blob = NULL;
	_cleanup_buf_ struct buf target = {};
	int r = read_small(s, oid, PATH_MAX - 1, &blob, err);

	if (r < 0)
		return r;
	if (blob)
		buf_add(&target, git_odb_object_data(blob), git_odb_object_size(blob));
	/* one that no file system holds is not weighed */
	if (!target.size || strlen(target.data) != target.size)
		flags_add(s->flags, FLAG_SYMLINK_ESCAPE, buf_str(&s->path));
	else
		risk_links_add(&s->links, buf_str(&s->path), target.data);
	return 0;
}

static int check_attributes(struct scan *s, const git_oid *oid, struct error *err)
{
	_cleanup_(git_odb_object_freep) git_odb_object *blob = NULL;
	int r = read_small(s, oid, ATTRIBUTES_MAX_BYTES, &blob, err);

	if (r < 0)
		return r;
	if (!blob ||
	    risk_attributes_convert(git_odb_object_data(blob), git_odb_object_size(blob)))
		flags_add(s->flags, FLAG_EXPORT_ATTRIBUTES, buf_str(&s->path));
	return 0;
}

static int check_tree(struct scan *s, const git_oid *oid, int depth, struct error *err);

static int check_entry(struct scan *s, const git_tree_entry *entry, int depth,
		       struct error *err)
{
	const char *name = git_tree_entry_name(entry);
	const git_oid *oid = git_tree_entry_id(entry);

	if (++s->files > 2 * TREE_MAX_FILES)
		return error_set(err, E2BIG, "the tree holds more than %d files",
				 TREE_MAX_FILES);
	if (strcasecmp(name, ".gitmodules") == 0 || strcasecmp(name, ".lfsconfig") == 0)
		flags_add(s->flags, FLAG_GIT_CONTROL_FILE, buf_str(&s->path));
	switch (git_tree_entry_filemode(entry)) {
	case GIT_FILEMODE_TREE:
		return check_tree(s, oid, depth + 1, err);
	case GIT_FILEMODE_LINK:
		return check_link(s, oid, err);
	case GIT_FILEMODE_COMMIT:
		flags_add(s->flags, FLAG_GIT_CONTROL_FILE, buf_str(&s->path));
		return 0;
	default:
		return strcasecmp(name, ".gitattributes") == 0 ? check_attributes(s, oid, err)
							       : 0;
	}
}

static int check_tree(struct scan *s, const git_oid *oid, int depth, struct error *err)
{
	_cleanup_(git_tree_freep) git_tree *tree = NULL;
	size_t base = s->path.size;
	int r;

	if (depth > TREE_MAX_DEPTH)
		return error_set(err, E2BIG, "the tree is nested deeper than %d",
				 TREE_MAX_DEPTH);
	r = git_tree_lookup(&tree, s->repo->git, oid);
	if (r < 0)
		return git_fail(r, err, "cannot read directory '%s'", buf_str(&s->path));
	check_collisions(s, tree);
	for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

		if (base)
			buf_add_char(&s->path, '/');
		buf_add_str(&s->path, git_tree_entry_name(entry));
		r = check_entry(s, entry, depth, err);
		if (r < 0)
			return r;
		buf_truncate(&s->path, base);
	}
	return 0;
}

int risk_tree(struct repo *repo, const git_oid *tree, struct flags *flags, struct error *err)
{
	_cleanup_(scan_release) struct scan s = {.repo = repo, .flags = flags};
	int r = git_repository_odb(&s.odb, repo->git);

	if (r < 0)
		return git_fail(r, err, "cannot read the objects of '%s'", repo->dir);
	r = check_tree(&s, tree, 0, err);
	if (r == 0)
		risk_links_check(&s.links, flags);
	return r;
}
