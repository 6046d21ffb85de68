/* A commit's tree written out as files, from raw objects and through descriptors only. */
#include "git/checkout.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "git/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

struct writer {
	git_odb *odb;
	struct repo *repo;
	struct checkout_count count;
	struct buf path; /* of the entry at hand, for what is told */
};

static int refuse(const struct writer *w, int errnum, const char *why, struct error *err)
{
	_cleanup_free_ char *shown = text_clean_dup(buf_str(&w->path), 200, false);

	return error_set(err, errnum, "'%s' %s", shown, why);
}

static int refuse_errno(const struct writer *w, const char *what, struct error *err)
{
	int errnum = errno;
	_cleanup_free_ char *shown = text_clean_dup(buf_str(&w->path), 200, false);

	return error_set_errno(err, errnum, "cannot %s '%s'", what, shown);
}

static int read_blob(struct writer *w, const git_oid *oid, git_odb_object **ret,
		     struct error *err)
{
	git_object_t type;
	size_t size;
	int r = git_odb_read_header(&size, &type, w->odb, oid);

	if (r < 0)
		return git_fail(r, err, "cannot read '%s'", buf_str(&w->path));
	if (type != GIT_OBJECT_BLOB)
		return refuse(w, EINVAL, "is no file in the repository", err);
	if (size > TREE_MAX_BLOB_BYTES || w->count.bytes + size > TREE_MAX_BYTES)
		return refuse(w, E2BIG, "makes the tree too large", err);
	if (w->count.files >= TREE_MAX_FILES)
		return refuse(w, E2BIG, "is one file too many", err);
	r = git_odb_read(ret, w->odb, oid);
	if (r < 0)
		return git_fail(r, err, "cannot read '%s'", buf_str(&w->path));
	w->count.files++;
	w->count.bytes += size;
	return 0;
}

static int write_blob(struct writer *w, int dir_fd, const char *name, const git_oid *oid,
		      mode_t mode, struct error *err)
{
	_cleanup_(git_odb_object_freep) git_odb_object *blob = NULL;
	_cleanup_close_ int fd = -1;
	int r = read_blob(w, oid, &blob, err);

	if (r < 0)
		return r;
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return refuse_errno(w, "create", err);
	r = file_write_all(fd, git_odb_object_data(blob), git_odb_object_size(blob));
	if (r < 0) {
		errno = -r;
		return refuse_errno(w, "write", err);
	}
	return 0;
}

static int write_link(struct writer *w, int dir_fd, const char *name, const git_oid *oid,
		      struct error *err)
{
	_cleanup_(git_odb_object_freep) git_odb_object *blob = NULL;
	char target[PATH_MAX];
	size_t size;
	int r = read_blob(w, oid, &blob, err);

	if (r < 0)
		return r;
	size = git_odb_object_size(blob);
	if (size == 0 || size >= sizeof(target))
		return refuse(w, EINVAL, "is a symbolic link with no usable target", err);
	memcpy(target, git_odb_object_data(blob), size);
	target[size] = '\0';
	if (strlen(target) != size)
		return refuse(w, EINVAL, "is a symbolic link with a NUL in its target", err);
	if (symlinkat(target, dir_fd, name) < 0)
		return refuse_errno(w, "create", err);
	return 0;
}

static int write_tree(struct writer *w, const git_oid *oid, int dir_fd, int depth,
		      struct error *err);

static int write_dir(struct writer *w, int dir_fd, const char *name, const git_oid *oid,
		     int depth, struct error *err)
{
	_cleanup_close_ int fd = -1;

	if (depth >= TREE_MAX_DEPTH)
		return refuse(w, E2BIG, "is nested too deep", err);
	if (mkdirat(dir_fd, name, 0755) < 0)
		return refuse_errno(w, "make", err);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return refuse_errno(w, "open", err);
	return write_tree(w, oid, fd, depth + 1, err);
}

static int write_entry(struct writer *w, const git_tree_entry *entry, int dir_fd, int depth,
		       struct error *err)
{
	const char *name = git_tree_entry_name(entry);
	const git_oid *oid = git_tree_entry_id(entry);

	if (w->path.size > TREE_MAX_PATH)
		return refuse(w, E2BIG, "is too long a path", err);
	/* an import lets none of these in; what writes files does not take its word for it */
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return refuse(w, EINVAL, "is not a file name", err);
	switch ((unsigned)git_tree_entry_filemode_raw(entry)) {
	case GIT_FILEMODE_TREE:
		return write_dir(w, dir_fd, name, oid, depth, err);
	case GIT_FILEMODE_BLOB:
		return write_blob(w, dir_fd, name, oid, 0644, err);
	case GIT_FILEMODE_BLOB_EXECUTABLE:
		return write_blob(w, dir_fd, name, oid, 0755, err);
	case GIT_FILEMODE_LINK:
		return write_link(w, dir_fd, name, oid, err);
	default:
		return refuse(w, EINVAL,
			      "has a mode that is not a file's, a link's or a directory's",
			      err);
	}
}

static int write_tree(struct writer *w, const git_oid *oid, int dir_fd, int depth,
		      struct error *err)
{
	_cleanup_(git_tree_freep) git_tree *tree = NULL;
	size_t base = w->path.size;
	int r = git_tree_lookup(&tree, w->repo->git, oid);

	if (r < 0)
		return git_fail(r, err, "cannot read directory '%s'", buf_str(&w->path));
	for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
		const git_tree_entry *entry = git_tree_entry_byindex(tree, i);

		if (base)
			buf_add_char(&w->path, '/');
		buf_add_str(&w->path, git_tree_entry_name(entry));
		r = write_entry(w, entry, dir_fd, depth, err);
		if (r < 0)
			return r;
		buf_truncate(&w->path, base);
	}
	return 0;
}

static void writer_release(struct writer *w)
{
	git_odb_free(w->odb);
	buf_release(&w->path);
}

int checkout_tree(struct repo *repo, const char *commit, int dir_fd, struct checkout_count *ret,
		  struct error *err)
{
	_cleanup_(writer_release) struct writer w = {.repo = repo};
	char hex[OID_HEX_SIZE];
	git_oid tree;
	int r = repo_commit_tree(repo, commit, hex, err);

	if (r == 0)
		r = oid_to_git(&tree, hex, err);
	if (r < 0)
		return r;
	r = git_repository_odb(&w.odb, repo->git);
	if (r < 0)
		return git_fail(r, err, "cannot read the objects of '%s'", repo->dir);
	r = write_tree(&w, &tree, dir_fd, 0, err);
	if (r < 0)
		return r;
	*ret = w.count;
	return 0;
}
