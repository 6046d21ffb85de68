/*
 * Objects are written from the bytes given, never from the files, so that no attribute of the
 * template can change them on the way.
 */
#include "git/seed.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "git/checkout.h"
#include "git/internal.h"
#include "git/tag.h"
#include "git/treecheck.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BRANCH "main"
#define REMOTE "applied"
#define REMOTE_FETCH "+refs/tags/*:refs/tags/applied/*"
#define CONFIG_PATH ".git/config"
#define CONFIG_MAX_BYTES (1 << 20)
#define DIR_MODE 0755

DEFINE_CLEANUP(git_config *, git_config_free)
DEFINE_CLEANUP(git_index *, git_index_free)

/* but: the name of what may be there nevertheless; NULL: nothing */
static int check_empty(const char *but, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(".");
	const struct dirent *entry;

	if (!dir)
		return error_set_errno(err, errno,
				       "cannot list the new repository's directory");
	while ((errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    (!but || strcmp(entry->d_name, but) != 0))
			return error_set(err, ENOTEMPTY,
					 "the new repository's directory is not empty");
	if (errno != 0)
		return error_set_errno(err, errno,
				       "cannot list the new repository's directory");
	return 0;
}

/* Opens the directory that path's last component goes into, making what is missing on the way.
 */
static int open_parent(const char *path, const char **ret_name, struct error *err)
{
	_cleanup_close_ int dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return error_set_errno(err, errno,
				       "cannot open the new repository's directory");
	for (const char *p = path;;) {
		size_t n = strcspn(p, "/");
		const char *rule = treecheck_name(p, n);
		_cleanup_free_ char *name = NULL;
		int next;

		if (rule)
			return error_set(err, EINVAL, "'%s' %s", path, rule);
		if (p[n] == '\0') {
			*ret_name = p;
			return TAKE_FD(dir_fd);
		}
		name = str_format("%.*s", (int)n, p);
		if (mkdirat(dir_fd, name, DIR_MODE) < 0 && errno != EEXIST)
			return error_set_errno(err, errno, "cannot make '%s'", path);
		next = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return error_set_errno(err, errno, "cannot make '%s'", path);
		(void)close(dir_fd);
		dir_fd = next;
		p += n + 1;
	}
}

static int write_file(const struct seed_file *file, struct stat *ret, struct error *err)
{
	const char *name = file->path;
	_cleanup_close_ int dir_fd = open_parent(file->path, &name, err), fd = -1;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	if (file->symlink) {
		if (file->size == 0 || memchr(file->data, '\0', file->size))
			return error_set(err, EINVAL, "'%s' is a symlink to nothing",
					 file->path);
		if (symlinkat(file->data, dir_fd, name) < 0)
			return error_set_errno(err, errno, "cannot make '%s'", file->path);
	} else {
		fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    file->executable ? 0755 : 0644);
		if (fd < 0)
			return error_set_errno(err, errno, "cannot make '%s'", file->path);
		r = file_write_all(fd, file->data, file->size);
		if (r < 0)
			return error_set_errno(err, -r, "cannot write '%s'", file->path);
	}
	if (fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(err, errno, "cannot look at '%s'", file->path);
	return 0;
}

/* What the index remembers of a file, so that git sees at a glance that nothing changed. */
static git_index_entry index_entry(const struct seed_file *file, const struct stat *st)
{
	git_index_entry entry = {
		.ctime = {(int32_t)st->st_ctim.tv_sec, (uint32_t)st->st_ctim.tv_nsec},
		.mtime = {(int32_t)st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec},
		.dev = (uint32_t)st->st_dev,
		.ino = (uint32_t)st->st_ino,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.file_size = (uint32_t)st->st_size,
		.mode = GIT_FILEMODE_BLOB,
		.path = file->path,
	};

	if (file->symlink)
		entry.mode = GIT_FILEMODE_LINK;
	else if (file->executable)
		entry.mode = GIT_FILEMODE_BLOB_EXECUTABLE;
	return entry;
}

static int add_files(git_repository *git, git_index *index, const struct seed_file *files,
		     size_t n_files, struct error *err)
{
	for (size_t i = 0; i < n_files; i++) {
		git_index_entry entry;
		struct stat st;
		int r;

		r = write_file(&files[i], &st, err);
		if (r < 0)
			return r;
		entry = index_entry(&files[i], &st);
		r = git_blob_create_from_buffer(&entry.id, git, files[i].data, files[i].size);
		if (r == 0)
			r = git_index_add(index, &entry);
		if (r < 0)
			return git_fail(r, err, "cannot add '%s'", files[i].path);
	}
	return 0;
}

static int commit_index(git_repository *git, git_index *index, int64_t wall_s,
			struct error *err)
{
	_cleanup_(git_signature_freep) git_signature *who = NULL;
	_cleanup_(git_tree_freep) git_tree *tree = NULL;
	_cleanup_(git_reference_freep) git_reference *branch = NULL;
	git_oid tree_id, id;
	int r;

	r = git_index_write_tree(&tree_id, index);
	if (r == 0)
		r = git_index_write(index);
	if (r == 0)
		r = git_tree_lookup(&tree, git, &tree_id);
	if (r == 0)
		r = git_signature_new(&who, GIT_IDENTITY_NAME, GIT_IDENTITY_MAIL, wall_s, 0);
	if (r == 0)
		r = git_write_commit(&id, git, who, SEED_MESSAGE, tree, 0, NULL);
	if (r == 0)
		r = git_reference_create(&branch, git, "refs/heads/" BRANCH, &id, 0,
					 "commit (initial)");
	return r < 0 ? git_fail(r, err, "cannot make the first commit") : 0;
}

/* [remote "applied"] in the order people expect; tagOpt keeps its tags out of the agent's own.
 */
struct remote_line {
	const char *key, *value;
};

static void remote_lines(struct remote_line ret[3], const char *url)
{
	ret[0] = (struct remote_line){"remote." REMOTE ".url", url};
	ret[1] = (struct remote_line){"remote." REMOTE ".fetch", REMOTE_FETCH};
	ret[2] = (struct remote_line){"remote." REMOTE ".tagopt", "--no-tags"};
}

struct seen {
	const char *value;
	size_t same, other;
};

static int on_value(const git_config_entry *entry, void *data)
{
	struct seen *seen = data;

	if (entry->value && strcmp(entry->value, seen->value) == 0)
		seen->same++;
	else
		seen->other++;
	return 0;
}

/* Writes only where the file says something else. */
static int set_remote(git_config *config, const char *url, struct error *err)
{
	struct remote_line lines[3];

	remote_lines(lines, url);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct seen seen = {.value = lines[i].value};
		int r = git_config_get_multivar_foreach(config, lines[i].key, NULL, on_value,
							&seen);

		if (r < 0 && r != GIT_ENOTFOUND)
			return git_fail(r, err, "cannot read the repository's configuration");
		if (seen.same == 1 && seen.other == 0)
			continue;
		r = seen.same + seen.other > 1
			    ? git_config_delete_multivar(config, lines[i].key, ".*")
			    : 0;
		if (r == 0)
			r = git_config_set_string(config, lines[i].key, lines[i].value);
		if (r < 0)
			return git_fail(r, err, "cannot set the remote '" REMOTE "'");
	}
	return 0;
}

static int open_config(git_config **ret, struct error *err)
{
	_cleanup_(git_config_freep) git_config *config = NULL;
	int r;

	r = git_config_new(&config);
	if (r == 0)
		r = git_config_add_file_ondisk(config, CONFIG_PATH, GIT_CONFIG_LEVEL_LOCAL,
					       NULL, 0);
	if (r < 0)
		return git_fail(r, err, "cannot read the repository's configuration");
	*ret = TAKE_PTR(config);
	return 0;
}

static int init_repository(git_repository **ret, struct error *err)
{
	git_repository_init_options options = {
		.version = GIT_REPOSITORY_INIT_OPTIONS_VERSION,
		.flags = GIT_REPOSITORY_INIT_NO_REINIT,
		.initial_head = BRANCH,
	};
	_cleanup_(git_repository_freep) git_repository *git = NULL;
	int r;

	r = git_repository_init_ext(&git, ".", &options);
	if (r == 0)
		r = git_repository_set_ident(git, GIT_IDENTITY_NAME, GIT_IDENTITY_MAIL);
	if (r < 0)
		return git_fail(r, err, "cannot make the repository");
	*ret = TAKE_PTR(git);
	return 0;
}

int seed_repository(const struct seed_file *files, size_t n_files, const char *applied_url,
		    int64_t wall_s, struct error *err)
{
	_cleanup_(git_repository_freep) git_repository *git = NULL;
	_cleanup_(git_index_freep) git_index *index = NULL;
	_cleanup_(git_config_freep) git_config *config = NULL;
	int r;

	r = check_empty(NULL, err);
	if (r == 0)
		r = init_repository(&git, err);
	if (r < 0)
		return r;
	r = git_repository_index(&index, git);
	if (r < 0)
		return git_fail(r, err, "cannot make the repository");
	r = add_files(git, index, files, n_files, err);
	if (r == 0)
		r = commit_index(git, index, wall_s, err);
	if (r == 0)
		r = open_config(&config, err);
	if (r == 0)
		r = set_remote(config, applied_url, err);
	return r;
}

/* The index with the tree's entries, and of each file what git remembers to see at a glance
 * that nothing changed. */
static int index_tree(git_repository *git, const git_oid *tree_id, struct error *err)
{
	_cleanup_(git_index_freep) git_index *index = NULL;
	_cleanup_(git_tree_freep) git_tree *tree = NULL;
	int r = git_repository_index(&index, git);

	if (r == 0)
		r = git_tree_lookup(&tree, git, tree_id);
	if (r == 0)
		r = git_index_read_tree(index, tree);
	for (size_t i = 0; r == 0 && i < git_index_entrycount(index); i++) {
		const git_index_entry *old = git_index_get_byindex(index, i);
		const struct seed_file file = {.path = old->path};
		git_index_entry entry;
		struct stat st;

		if (lstat(old->path, &st) < 0)
			return error_set_errno(err, errno, "cannot look at a file of the tree");
		entry = index_entry(&file, &st);
		entry.id = old->id;
		entry.mode = old->mode;
		r = git_index_add(index, &entry);
	}
	if (r == 0)
		r = git_index_write(index);
	return r < 0 ? git_fail(r, err, "cannot write the index") : 0;
}

static int check_out(const char *commit, struct error *err)
{
	_cleanup_close_ int dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct checkout_count count;
	int r;

	if (dir_fd < 0)
		return error_set_errno(err, errno,
				       "cannot open the new repository's directory");
	r = repo_open_as(".", geteuid(), &repo, err);
	return r < 0 ? r : checkout_tree(repo, commit, dir_fd, &count, err);
}

int seed_from_commit(const char *commit, const char *applied_url, struct error *err)
{
	_cleanup_(git_repository_freep) git_repository *git = NULL;
	_cleanup_(git_reference_freep) git_reference *branch = NULL;
	_cleanup_(git_config_freep) git_config *config = NULL;
	_cleanup_(git_commit_freep) git_commit *object = NULL;
	git_oid id;
	int r;

	if ((r = check_empty(".git", err)) < 0 || (r = init_repository(&git, err)) < 0 ||
	    (r = check_out(commit, err)) < 0)
		return r;
	r = git_oid_fromstr(&id, commit);
	if (r == 0)
		r = git_commit_lookup(&object, git, &id);
	if (r < 0)
		return git_fail(r, err, "cannot find the commit");
	r = index_tree(git, git_commit_tree_id(object), err);
	if (r < 0)
		return r;
	r = git_reference_create(&branch, git, "refs/heads/" BRANCH, &id, 0, "fork");
	if (r < 0)
		return git_fail(r, err, "cannot make the branch");
	r = open_config(&config, err);
	return r < 0 ? r : set_remote(config, applied_url, err);
}

int seed_repair_remote(const char *applied_url, struct error *err)
{
	_cleanup_(git_config_freep) git_config *config = NULL;
	struct stat st;
	int r;

	/* A FIFO would wait for ever, a huge file be read whole. Neither hurts anyone but its
	 * owner. */
	if (lstat(CONFIG_PATH, &st) < 0)
		return error_set_errno(err, errno, "no configuration in the repository");
	if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_MAX_BYTES)
		return error_set(
			err, EINVAL,
			"the repository's configuration is no file of reasonable size");
	r = open_config(&config, err);
	return r < 0 ? r : set_remote(config, applied_url, err);
}
