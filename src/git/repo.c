/* Repositories we own: made, opened, and what is asked of their commits. */
#include "git/repo.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "git/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TITLE_MAX 200
#define REPO_DIR_MODE 02750
#define REPO_FILE_MODE 0640

/* deltaCacheSize: libgit2's packbuilder takes it for core.bigFileThreshold, so 1 switches its
 * costly delta search off */
static const char config_text[] = "[core]\n"
				  "\trepositoryformatversion = 0\n"
				  "\tfilemode = true\n"
				  "\tbare = true\n"
				  "[pack]\n"
				  "\tdeltaCacheSize = 1\n"
				  "[gc]\n"
				  "\tauto = 0\n";

/* Returns the directory's descriptor. A set-group-id parent gives its group; chmod by a
 * non-member would drop the bit. */
static int make_dir(int parent_fd, const char *name, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (mkdirat(parent_fd, name, REPO_DIR_MODE & 0777) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "cannot make directory '%s'", name);
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open directory '%s'", name);
	if (fstat(fd, &st) < 0)
		return error_set_errno(err, errno, "cannot look at '%s'", name);
	if ((st.st_mode & 07777) != REPO_DIR_MODE && fchmod(fd, REPO_DIR_MODE) < 0)
		return error_set_errno(err, errno, "cannot set the mode of '%s'", name);
	return TAKE_FD(fd);
}

static int fill_git_dir(int git_fd, struct error *err)
{
	static const char *const dirs[] = {"objects", "objects/info", "objects/pack",
					   "refs",    "refs/heads",   "refs/tags"};
	static const char head[] = "ref: refs/heads/main\n";
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_close_ int fd = make_dir(git_fd, dirs[i], err);

		if (fd < 0)
			return fd;
		if (fsync(fd) < 0)
			return error_set_errno(err, errno, "cannot sync '%s'", dirs[i]);
	}
	r = file_write_atomic(git_fd, "config", config_text, sizeof(config_text) - 1,
			      REPO_FILE_MODE, err);
	if (r < 0)
		return r;
	return file_write_atomic(git_fd, "HEAD", head, sizeof(head) - 1, REPO_FILE_MODE, err);
}

int repo_create(const char *dir, struct error *err)
{
	_cleanup_close_ int dir_fd = make_dir(AT_FDCWD, dir, err), git_fd = -1;
	struct stat st;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	if (fstatat(dir_fd, ".git", &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISDIR(st.st_mode))
			return error_set(err, ENOTDIR, "'%s/.git' is not a directory", dir);
		return 0;
	}
	/* built beside its place and renamed, so that a .git that exists is whole */
	r = file_remove_tree(dir_fd, ".git.new", err);
	if (r < 0)
		return r;
	git_fd = make_dir(dir_fd, ".git.new", err);
	if (git_fd < 0)
		return git_fd;
	r = fill_git_dir(git_fd, err);
	if (r < 0)
		return error_prefix(err, "cannot make repository '%s'", dir);
	if (renameat(dir_fd, ".git.new", dir_fd, ".git") < 0 || fsync(dir_fd) < 0)
		return error_set_errno(err, errno, "cannot make repository '%s'", dir);
	return 0;
}

int repo_check(const char *dir, uid_t owner, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/.git", dir);
	struct stat st;

	if (lstat(path, &st) < 0)
		return error_set_errno(err, errno, "no repository '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "'%s' is not a directory", path);
	if (st.st_uid != owner)
		return error_set(err, EPERM, "repository '%s' belongs to uid %u, not %u", path,
				 (unsigned)st.st_uid, (unsigned)owner);
	if (st.st_mode & 022)
		return error_set(err, EPERM,
				 "repository '%s' can be written by others (mode %04o)", path,
				 (unsigned)st.st_mode & 07777);
	return 0;
}

int repo_open_as(const char *dir, uid_t owner, struct repo **ret, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/.git", dir);
	_cleanup_(git_repository_freep) git_repository *git = NULL;
	int r = repo_check(dir, owner, err);

	if (r < 0)
		return r;
	r = git_repository_open_bare(&git, path);
	if (r < 0)
		return git_fail(r, err, "cannot open repository '%s'", path);
	*ret = mem_new(1, sizeof(**ret));
	(*ret)->git = TAKE_PTR(git);
	(*ret)->dir = str_dup(dir);
	return 0;
}

int repo_open(const char *dir, struct repo **ret, struct error *err)
{
	return repo_open_as(dir, geteuid(), ret, err);
}

void repo_free(struct repo *repo)
{
	if (!repo)
		return;
	git_repository_free(repo->git);
	free(repo->dir);
	free(repo);
}

static int lookup_commit(struct repo *repo, const char *hex, git_commit **ret,
			 struct error *err)
{
	_cleanup_(git_object_freep) git_object *object = NULL;
	git_oid oid;
	int r = oid_to_git(&oid, hex, err);

	if (r < 0)
		return r;
	r = git_object_lookup(&object, repo->git, &oid, GIT_OBJECT_ANY);
	if (r == GIT_ENOTFOUND)
		return error_set(err, ENOENT, "no object %s in '%s'", hex, repo->dir);
	if (r < 0)
		return git_fail(r, err, "cannot read object %s", hex);
	r = git_object_peel((git_object **)ret, object, GIT_OBJECT_COMMIT);
	if (r == GIT_EPEEL || r == GIT_EINVALIDSPEC)
		return error_set(err, EINVAL, "object %s is a %s, not a commit", hex,
				 git_object_type2string(git_object_type(object)));
	if (r < 0)
		return git_fail(r, err, "cannot find the commit of %s", hex);
	return 0;
}

int repo_peel_commit(struct repo *repo, const char *oid, char ret[OID_HEX_SIZE],
		     struct error *err)
{
	_cleanup_(git_commit_freep) git_commit *commit = NULL;
	int r = lookup_commit(repo, oid, &commit, err);

	if (r < 0)
		return r;
	oid_from_git(ret, git_commit_id(commit));
	return 0;
}

int repo_commit_tree(struct repo *repo, const char *commit, char ret[OID_HEX_SIZE],
		     struct error *err)
{
	_cleanup_(git_commit_freep) git_commit *found = NULL;
	int r = lookup_commit(repo, commit, &found, err);

	if (r < 0)
		return r;
	oid_from_git(ret, git_commit_tree_id(found));
	return 0;
}

const char *repo_dir(const struct repo *repo)
{
	return repo->dir;
}

int repo_size(const char *dir, uint64_t *ret, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/.git/objects/pack", dir);
	_cleanup_closedir_ DIR *packs = opendir(path);
	struct dirent *entry;
	uint64_t bytes = 0;
	struct stat st;

	if (!packs && errno != ENOENT)
		return error_set_errno(err, errno, "cannot list '%s'", path);
	while (packs && (errno = 0, entry = readdir(packs))) {
		if (fstatat(dirfd(packs), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_size;
	}
	if (packs && errno)
		return error_set_errno(err, errno, "cannot list '%s'", path);
	*ret = bytes;
	return 0;
}

int repo_commit_summary(struct repo *repo, const char *commit, char **ret_title,
			char **ret_author, struct error *err)
{
	_cleanup_(git_commit_freep) git_commit *found = NULL;
	_cleanup_free_ char *author = NULL;
	const git_signature *signature;
	const char *title;
	int r = lookup_commit(repo, commit, &found, err);

	if (r < 0)
		return r;
	title = git_commit_summary(found);
	signature = git_commit_author(found);
	author = str_format("%s <%s>", signature ? signature->name : "",
			    signature ? signature->email : "");
	*ret_title = text_clean_dup(title ? title : "", TITLE_MAX, false);
	*ret_author = text_clean_dup(author, TITLE_MAX, false);
	return 0;
}

int repo_is_ancestor(struct repo *repo, const char *ancestor, const char *commit, bool *ret,
		     struct error *err)
{
	_cleanup_(git_commit_freep) git_commit *old = NULL, *new = NULL;
	int r = lookup_commit(repo, ancestor, &old, err);

	if (r == 0)
		r = lookup_commit(repo, commit, &new, err);
	if (r < 0)
		return r;
	if (git_oid_equal(git_commit_id(old), git_commit_id(new))) {
		*ret = true;
		return 0;
	}
	r = git_graph_descendant_of(repo->git, git_commit_id(new), git_commit_id(old));
	if (r < 0)
		return git_fail(r, err, "cannot compare the history of %s with %s", commit,
				ancestor);
	*ret = r == 1;
	return 0;
}
