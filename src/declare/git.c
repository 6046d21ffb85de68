/*
 * A repository at a revision, through git(1): the tree is listed and its blobs are printed, so
 * that no hook, filter or attribute of it has a say and its work tree does not matter.
 */
#include "declare/source.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIT "/usr/bin/git"
#define GIT_NIXOS "/run/current-system/sw/bin/git"
#define OID_DIGITS 40
#define LIST_MAX_BYTES (SOURCE_MAX_FILES * 1024u)
#define ENTRY_OVERHEAD 80 /* what --batch prints round a blob */

DEFINE_CLEANUP(struct source *, source_free)

static const char *git_path(void)
{
	return access(GIT, X_OK) == 0 ? GIT : GIT_NIXOS;
}

static int start(const char *const *argv, int in_fd, int out_fd, pid_t *ret)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin:/run/current-system/sw/bin",
					  "LC_ALL=C.UTF-8",
					  "GIT_TERMINAL_PROMPT=0",
					  "GIT_NO_REPLACE_OBJECTS=1",
					  "GIT_OPTIONAL_LOCKS=0",
					  "GIT_CONFIG_NOSYSTEM=1",
					  NULL};
	posix_spawn_file_actions_t files;
	int r;

	if ((r = posix_spawn_file_actions_init(&files)) != 0)
		return -r;
	if ((r = posix_spawn_file_actions_adddup2(&files, in_fd, STDIN_FILENO)) == 0 &&
	    (r = posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO)) == 0)
		r = posix_spawn(ret, git_path(), &files, NULL, (char *const *)argv,
				(char *const *)env);
	(void)posix_spawn_file_actions_destroy(&files);
	return -r;
}

static int drain(int fd, size_t max, struct buf *out)
{
	char bytes[65536];

	for (;;) {
		ssize_t n = read(fd, bytes, sizeof(bytes));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (out->size + (size_t)n > max)
			return -E2BIG;
		buf_add(out, bytes, (size_t)n);
	}
}

/* Runs git; what it says of a failure is on stderr already. */
static int run(const char *const *argv, int in_fd, size_t max, struct buf *out,
	       struct error *err)
{
	_cleanup_close_ int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int fds[2], status = 0, r;
	pid_t pid = 0;

	if (null_fd < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "cannot start git");
	r = start(argv, in_fd >= 0 ? in_fd : null_fd, fds[1], &pid);
	(void)close(fds[1]);
	if (r < 0) {
		(void)close(fds[0]);
		return error_set_errno(err, -r, "cannot start '%s'", git_path());
	}
	r = drain(fds[0], max, out);
	(void)close(fds[0]); /* one that still writes ends by it */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return error_set_errno(err, -r, "git printed more than it may");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(err, EIO, "git could not read the repository");
	return 0;
}

struct blob {
	char *path;
	char oid[OID_DIGITS + 1];
	bool executable, symlink;
};

struct listing {
	struct blob *blobs;
	size_t n, bytes;
};

static void listing_release(struct listing *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->blobs[i].path);
	free(list->blobs);
}

/* "100644 blob <oid> <size>\t<path>" */
static int add_entry(struct listing *list, const char *line, struct error *err)
{
	char mode[8], kind[8], oid[OID_DIGITS + 1], size[24];
	const char *path = strchr(line, '\t');
	int64_t bytes = 0;

	if (!path || sscanf(line, "%7s %7s %40s %23s", mode, kind, oid, size) != 4)
		return error_set(err, EBADMSG, "git listed something else than a tree");
	path++;
	if (source_is_hidden(path))
		return 0;
	if (strcmp(kind, "blob") != 0)
		return error_set(err, EINVAL, "'%.200s' is a submodule", path);
	if (list->n >= SOURCE_MAX_FILES)
		return error_set(err, E2BIG, "'%.200s': there are more than %d files", path,
				 SOURCE_MAX_FILES);
	if (!text_to_number(size, 0, SOURCE_MAX_FILE_BYTES, &bytes))
		return error_set(err, E2BIG, "'%.200s' has more than %u KiB", path,
				 SOURCE_MAX_FILE_BYTES >> 10);
	list->bytes += (size_t)bytes;
	if (list->bytes > SOURCE_MAX_BYTES)
		return error_set(err, E2BIG, "'%.200s': the files have more than %u MiB in all",
				 path, SOURCE_MAX_BYTES >> 20);
	list->blobs = mem_grow(list->blobs, list->n + 1, sizeof(*list->blobs));
	list->blobs[list->n] = (struct blob){
		.path = str_dup(path),
		.executable = strcmp(mode, "100755") == 0,
		.symlink = strcmp(mode, "120000") == 0,
	};
	memcpy(list->blobs[list->n++].oid, oid, sizeof(oid));
	return 0;
}

static int read_listing(const struct buf *text, struct listing *list, struct error *err)
{
	const char *end = buf_str(text) + text->size;
	int r = 0;

	for (const char *line = buf_str(text); r == 0 && line < end; line += strlen(line) + 1)
		r = add_entry(list, line, err);
	return r;
}

/* The objects wanted, one per line, in memory for git to read. */
static int wanted_fd(const struct listing *list)
{
	_cleanup_close_ int fd = memfd_create("skep-objects", MFD_CLOEXEC);
	_cleanup_buf_ struct buf text = {};

	for (size_t i = 0; i < list->n; i++)
		buf_addf(&text, "%s\n", list->blobs[i].oid);
	if (fd < 0 || file_write_all(fd, buf_str(&text), text.size) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return TAKE_FD(fd);
}

/* "<oid> blob <size>\n<bytes>\n", in the order they were asked for. */
static int take_blobs(struct source *s, const struct listing *list, const struct buf *out,
		      struct error *err)
{
	const char *at = buf_str(out), *end = at + out->size;

	for (size_t i = 0; i < list->n; i++) {
		const struct blob *blob = &list->blobs[i];
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t size = 0;
		int r;

		if (!newline || strncmp(at, blob->oid, OID_DIGITS) != 0 ||
		    sscanf(at + OID_DIGITS, " blob %zu", &size) != 1 ||
		    size + 1 > (size_t)(end - newline - 1))
			return error_set(err, EBADMSG, "git did not print '%.200s'",
					 blob->path);
		r = source_add(s, blob->path, newline + 1, size, blob->executable,
			       blob->symlink, err);
		if (r < 0)
			return r;
		at = newline + 1 + size + 1;
	}
	return 0;
}

static int find_commit(const char *repository, const char *revision, char ret[OID_DIGITS + 1],
		       struct error *err)
{
	_cleanup_free_ char *wanted = str_format("%s^{commit}", revision);
	const char *const argv[] = {"git",       "-C",       repository,
				    "rev-parse", "--verify", "--end-of-options",
				    wanted,      NULL};
	_cleanup_buf_ struct buf out = {};
	int r = run(argv, -1, 256, &out, err);

	if (r < 0)
		return error_prefix(err, "'%s' at '%s'", repository, revision);
	/* --end-of-options is printed as well */
	if (out.size > OID_DIGITS && out.data[out.size - 1] == '\n') {
		out.data[out.size - 1] = '\0';
		snprintf(ret, OID_DIGITS + 1, "%s", out.data + out.size - 1 - OID_DIGITS);
		if (text_is_hex(ret, OID_DIGITS))
			return 0;
	}
	return error_set(err, EBADMSG, "'%s' is no commit of '%s'", revision, repository);
}

int source_read_git(const char *repository, const char *revision, struct source **ret,
		    struct error *err)
{
	_cleanup_(source_freep) struct source *s = source_new();
	_cleanup_(listing_release) struct listing list = {};
	_cleanup_buf_ struct buf tree = {}, blobs = {};
	char commit[OID_DIGITS + 1];
	const char *const ls[] = {"git", "-C", repository,    "ls-tree", "-r",
				  "-z",  "-l", "--full-tree", commit,    NULL};
	const char *const cat[] = {"git", "-C", repository, "cat-file", "--batch", NULL};
	_cleanup_close_ int fd = -1;
	int r = find_commit(repository, revision, commit, err);

	if (r < 0 || (r = run(ls, -1, LIST_MAX_BYTES, &tree, err)) < 0 ||
	    (r = read_listing(&tree, &list, err)) < 0)
		return r;
	fd = wanted_fd(&list);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot ask git for its files");
	r = run(cat, fd, list.bytes + list.n * ENTRY_OVERHEAD, &blobs, err);
	if (r < 0 || (r = take_blobs(s, &list, &blobs, err)) < 0)
		return r;
	source_finish(s);
	s->revision = str_dup(commit);
	*ret = TAKE_PTR(s);
	return 0;
}
