/* A repository of our own in a temporary directory, raw objects written into it, and git as the
 * second opinion. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "git/internal.h"
#include "git/repo.h"

#define WALL 1700000000

struct fixture {
	char top[64]; /* temporary directory */
	char dir[80]; /* the repository's directory, holding .git */
	struct repo *repo;
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));
	struct error err = {};

	umask(0027);
	strcpy(f->top, "/tmp/skep-test-XXXXXX");
	if (!mkdtemp(f->top))
		return -1;
	snprintf(f->dir, sizeof(f->dir), "%s/repo", f->top);
	if (git_setup(false, &err) < 0 || repo_create(f->dir, &err) < 0 ||
	    repo_open(f->dir, &f->repo, &err) < 0) {
		fprintf(stderr, "setup: %s\n", error_text(&err));
		return -1;
	}
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	struct error err = {};

	repo_free(f->repo);
	if (file_remove_tree(AT_FDCWD, f->top, &err) < 0)
		return -1;
	free(f);
	return 0;
}

/* Fails the test with the error's text. */
static inline void expect_ok(int r, const struct error *err)
{
	if (r < 0)
		fail_msg("failed: %s", error_text(err));
}

static inline void expect_error(int r, int errnum, const char *part, const struct error *err)
{
	if (r != -errnum)
		fail_msg("wanted -%d (%s), got %d: %s", errnum, strerror(errnum), r,
			 error_text(err));
	if (!strstr(error_text(err), part))
		fail_msg("wanted '%s' in '%s'", part, error_text(err));
}

static inline void write_file(const char *path, const char *data)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fputs(data, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
}

static inline bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* A raw object, whatever it holds: libgit2 checks nothing here. */
static inline void put_object(struct fixture *f, git_object_t type, const void *data,
			      size_t size, char ret[OID_HEX_SIZE])
{
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	git_oid oid;

	assert_int_equal(git_repository_odb(&odb, f->repo->git), 0);
	assert_int_equal(git_odb_write(&oid, odb, data, size, type), 0);
	oid_from_git(ret, &oid);
}

static inline void put_commit(struct fixture *f, const char *tree, const char *parent,
			      char ret[OID_HEX_SIZE])
{
	_cleanup_free_ char *text =
		str_format("tree %s\n%s%s%sauthor A <a@b> %d +0000\ncommitter A <a@b> %d "
			   "+0000\n\nTitle\n\nBody\n",
			   tree, parent ? "parent " : "", parent ? parent : "",
			   parent ? "\n" : "", WALL, WALL);

	put_object(f, GIT_OBJECT_COMMIT, text, strlen(text), ret);
}

/* Runs git on the repository with nothing of ours or the user's configuration; its exit status.
 */
static inline int run_git(struct fixture *f, const char *arguments)
{
	_cleanup_free_ char *command =
		str_format("cd %s && HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 "
			   "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory "
			   "GIT_CONFIG_VALUE_0='*' git --git-dir=.git %s",
			   f->dir, arguments);
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* One entry of a tree as bytes: "100644 name\0id". */
static inline void add_entry(struct buf *tree, const char *mode, const char *name,
			     const char *oid)
{
	git_oid raw;

	assert_int_equal(git_oid_fromstr(&raw, oid), 0);
	buf_addf(tree, "%s %s", mode, name);
	buf_add_char(tree, '\0');
	buf_add(tree, raw.id, GIT_OID_RAWSZ);
}

/* A commit whose tree holds one entry, however bad. */
static inline void put_single(struct fixture *f, const char *mode, const char *name,
			      const char *oid, char ret[OID_HEX_SIZE])
{
	_cleanup_buf_ struct buf tree = {};
	char hex[OID_HEX_SIZE];

	add_entry(&tree, mode, name, oid);
	put_object(f, GIT_OBJECT_TREE, tree.data, tree.size, hex);
	put_commit(f, hex, NULL, ret);
}

/* A file of a tree to be: mode NULL is "100644"; size 0 is strlen(data). */
struct file {
	const char *path, *data, *mode;
	size_t size;
};

/* A commit of files, directories made as needed. The files are in any order. */
static inline void put_files(struct fixture *f, const char *parent, const struct file *files,
			     size_t n, char ret[OID_HEX_SIZE])
{
	git_tree_update *updates = mem_new(n, sizeof(*updates));
	char tree[OID_HEX_SIZE];
	git_oid oid;

	for (size_t i = 0; i < n; i++) {
		char blob[OID_HEX_SIZE];

		put_object(f, GIT_OBJECT_BLOB, files[i].data,
			   files[i].size ? files[i].size : strlen(files[i].data), blob);
		updates[i] = (git_tree_update){
			.action = GIT_TREE_UPDATE_UPSERT,
			.filemode = (git_filemode_t)strtoul(files[i].mode ? files[i].mode
									  : "100644",
							    NULL, 8),
			.path = files[i].path,
		};
		assert_int_equal(git_oid_fromstr(&updates[i].id, blob), 0);
	}
	if (git_tree_create_updated(&oid, f->repo->git, NULL, n, updates) < 0)
		fail_msg("tree: %s", git_error_last()->message);
	free(updates);
	oid_from_git(tree, &oid);
	put_commit(f, tree, parent, ret);
}
