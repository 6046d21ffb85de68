#include "git/commit.h"
#include "git/fixture.h"

static void make(struct fixture *f, const char *parent, const char *path, const char *data,
		 char ret[OID_HEX_SIZE])
{
	struct commit_file file = {.path = path, .data = data, .size = data ? strlen(data) : 0};
	struct error err = {};

	expect_ok(commit_files(f->repo, parent, &file, 1, "change\n", WALL, ret, &err), &err);
}

static void expect_content(struct fixture *f, const char *commit, const char *path,
			   const char *wanted)
{
	_cleanup_buf_ struct buf got = {};
	struct error err = {};
	int r = commit_read_file(f->repo, commit, path, 100, &got, &err);

	if (!wanted) {
		expect_error(r, ENOENT, path, &err);
		return;
	}
	expect_ok(r, &err);
	assert_string_equal(buf_str(&got), wanted);
}

static void test_files(void **state)
{
	struct fixture *f = *state;
	static const struct commit_file first_files[] = {
		{.path = "agents.json", .data = "{}\n", .size = 3},
		{.path = "a/b/c", .data = "deep\n", .size = 5},
		{.path = "a/d", .data = "", .size = 0},
		{.path = "absent/file", .data = NULL, .size = 0},
	};
	char first[OID_HEX_SIZE], second[OID_HEX_SIZE], third[OID_HEX_SIZE],
		fourth[OID_HEX_SIZE];
	char tree[OID_HEX_SIZE], other[OID_HEX_SIZE], again[OID_HEX_SIZE];
	struct error err = {};

	expect_ok(commit_files(f->repo, NULL, first_files, ARRAY_SIZE(first_files), "spawn\n",
			       WALL, first, &err),
		  &err);
	make(f, first, "agents.json", "{\"a\":1}\n", second);
	make(f, second, "a/b/c", NULL, third);
	make(f, third, "a/b/c", NULL, fourth);
	expect_content(f, first, "agents.json", "{}\n");
	expect_content(f, first, "a/b/c", "deep\n");
	expect_content(f, first, "a/d", "");
	expect_content(f, first, "absent/file", NULL);
	expect_content(f, second, "agents.json", "{\"a\":1}\n");
	expect_content(f, second, "a/b/c", "deep\n");
	expect_content(f, third, "a/b/c", NULL);
	expect_content(f, third, "a/d", "");
	/* removing what is not there changes nothing, and no empty directory stays behind */
	expect_ok(repo_commit_tree(f->repo, third, tree, &err), &err);
	expect_ok(repo_commit_tree(f->repo, fourth, other, &err), &err);
	assert_string_equal(tree, other);
	assert_int_equal(run_git(f, "fsck --strict"), 0);
	/* same input, same id */
	expect_ok(commit_files(f->repo, NULL, first_files, ARRAY_SIZE(first_files), "spawn\n",
			       WALL, again, &err),
		  &err);
	assert_string_equal(again, first);

	expect_ok(commit_tree(f->repo, tree, second, "merge\n", WALL, again, &err), &err);
	expect_content(f, again, "a/d", "");
}

/* A commit only where there is a difference: content, mode, or a file more or less. */
/* The same commit as file by file, and not one object in a file of its own. */
static void test_root(void **state)
{
	struct fixture *f = *state;
	static const struct commit_file files[] = {
		{.path = "a/b/c", .data = "deep\n", .size = 5},
		{.path = "a/twice", .data = "deep\n", .size = 5},
		{.path = "run", .data = "#!/bin/sh\n", .size = 10, .executable = true},
	};
	char first[OID_HEX_SIZE], same[OID_HEX_SIZE];
	struct error err = {};

	expect_ok(commit_root(f->repo, files, ARRAY_SIZE(files), "spawn\n", WALL, first, &err),
		  &err);
	assert_int_equal(run_git(f, "count-objects | grep -q '^0 objects'"), 0);
	assert_int_equal(run_git(f, "fsck --strict"), 0);
	expect_content(f, first, "a/twice", "deep\n");
	/* asked for again: after a crash, before the first tag was written */
	expect_ok(commit_root(f->repo, files, ARRAY_SIZE(files), "spawn\n", WALL, same, &err),
		  &err);
	assert_string_equal(first, same);
	expect_ok(commit_files(f->repo, NULL, files, ARRAY_SIZE(files), "spawn\n", WALL, same,
			       &err),
		  &err);
	assert_string_equal(first, same);
}

static void test_changes(void **state)
{
	struct fixture *f = *state;
	const struct commit_file same = {.path = "a/b", .data = "x\n", .size = 2};
	const struct commit_file others[] = {
		{.path = "a/b", .data = "y\n", .size = 2},
		{.path = "a/b", .data = "x\n", .size = 2, .executable = true},
		{.path = "a/c", .data = "x\n", .size = 2},
		{.path = "a/b", .data = NULL},
	};
	const struct commit_file absent = {.path = "no/such", .data = NULL};
	char first[OID_HEX_SIZE], commit[OID_HEX_SIZE];
	struct error err = {};

	expect_ok(commit_changes(f->repo, NULL, &same, 1, "m", WALL, first, &err), &err);
	expect_ok(commit_changes(f->repo, first, &same, 1, "n", WALL, commit, &err), &err);
	assert_string_equal(commit, first);
	expect_ok(commit_changes(f->repo, first, &absent, 1, "n", WALL, commit, &err), &err);
	assert_string_equal(commit, first);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		expect_ok(commit_changes(f->repo, first, &others[i], 1, "n", WALL, commit,
					 &err),
			  &err);
		assert_string_not_equal(commit, first);
		expect_content(f, commit, others[i].path, others[i].data);
	}
	/* the other way to commit always makes one */
	expect_ok(commit_files(f->repo, first, &same, 1, "n", WALL, commit, &err), &err);
	assert_string_not_equal(commit, first);
	expect_content(f, commit, "a/b", "x\n");
}

static void test_modes(void **state)
{
	struct fixture *f = *state;
	static const struct commit_file files[] = {
		{.path = "link", .data = "run", .size = 3, .symlink = true},
		{.path = "plain", .data = "x", .size = 1},
		{.path = "run", .data = "#!", .size = 2, .executable = true},
	};
	char commit[OID_HEX_SIZE];
	_cleanup_free_ char *check = NULL;
	struct error err = {};

	expect_ok(commit_files(f->repo, NULL, files, ARRAY_SIZE(files), "m", WALL, commit,
			       &err),
		  &err);
	check = str_format("ls-tree %s | cut -c1-6 | tr '\\n' ' ' | "
			   "grep -qx '120000 100644 100755 '",
			   commit);
	assert_int_equal(run_git(f, check), 0);
}

static void test_no_empty_directory(void **state)
{
	struct fixture *f = *state;
	char first[OID_HEX_SIZE], second[OID_HEX_SIZE], tree[OID_HEX_SIZE];
	_cleanup_free_ char *count = NULL;
	struct error err = {};

	make(f, NULL, "a/b/c", "x", first);
	make(f, first, "top", "y", second);
	make(f, second, "a/b/c", NULL, first);
	expect_ok(repo_commit_tree(f->repo, first, tree, &err), &err);
	count = str_format("ls-tree -rt %s | wc -l | grep -qx 1", tree);
	assert_int_equal(run_git(f, count), 0);
}

static void test_identity(void **state)
{
	struct fixture *f = *state;
	static const struct commit_file file = {.path = "a", .data = "b", .size = 1};
	char oid[OID_HEX_SIZE];
	_cleanup_free_ char *check = NULL, *path = str_format("%s/wanted", f->top),
			    *wanted = NULL;
	char tree[OID_HEX_SIZE];
	struct error err = {};

	setenv("GIT_AUTHOR_NAME", "Mallory", 1);
	setenv("GIT_COMMITTER_EMAIL", "m@x", 1);
	expect_ok(commit_files(f->repo, NULL, &file, 1, "# exactly\n\n\nthis\n\n", WALL, oid,
			       &err),
		  &err);
	expect_ok(repo_commit_tree(f->repo, oid, tree, &err), &err);
	wanted = str_format(
		"tree %s\nauthor skep <skep@localhost> %d +0000\n"
		"committer skep <skep@localhost> %d +0000\n\n# exactly\n\n\nthis\n\n",
		tree, WALL, WALL);
	write_file(path, wanted);
	check = str_format("cat-file commit %s | cmp - %s", oid, path);
	assert_int_equal(run_git(f, check), 0);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"",       "/a",      "a//b", ".git/config",
					  "a/../b", "a/.GIT/b"};
	char commit[OID_HEX_SIZE], oid[OID_HEX_SIZE], blob[OID_HEX_SIZE];
	_cleanup_buf_ struct buf got = {};
	struct error err = {};

	make(f, NULL, "dir/file", "twelve bytes", commit);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct commit_file file = {.path = bad[i], .data = "x", .size = 1};

		assert_true(commit_files(f->repo, commit, &file, 1, "m", WALL, oid, &err) < 0);
	}
	put_object(f, GIT_OBJECT_BLOB, "x", 1, blob);
	expect_error(commit_tree(f->repo, blob, commit, "m", WALL, oid, &err), ENOENT,
		     "no tree", &err);
	expect_error(commit_tree(f->repo, blob, blob, "m", WALL, oid, &err), ENOENT,
		     "no commit", &err);
	expect_error(commit_files(f->repo, commit, NULL, 0, "\xff", WALL, oid, &err), EINVAL,
		     "UTF-8", &err);
	expect_error(commit_read_file(f->repo, commit, "dir", 100, &got, &err), EINVAL,
		     "not a file", &err);
	expect_error(commit_read_file(f->repo, commit, "dir/file", 11, &got, &err), E2BIG,
		     "dir/file", &err);
	expect_ok(commit_read_file(f->repo, commit, "dir/file", 12, &got, &err), &err);
}

static int collect(const char *oid, int64_t wall_s, const char *message, void *data)
{
	(void)oid;
	assert_int_equal(wall_s, WALL);
	buf_add_str(data, message);
	return 0;
}

static int stop(const char *oid, int64_t wall_s, const char *message, void *data)
{
	(void)oid;
	(void)wall_s;
	(void)message;
	(void)data;
	return 5;
}

static void test_log(void **state)
{
	struct fixture *f = *state;
	static const char *const messages[] = {"one\n", "two\n", "three\033[2J\n"};
	char tip[OID_HEX_SIZE];
	_cleanup_buf_ struct buf text = {};
	struct error err = {};

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		expect_ok(commit_files(f->repo, i ? tip : NULL, NULL, 0, messages[i], WALL, tip,
				       &err),
			  &err);
	expect_ok(commit_log(f->repo, tip, 10, collect, &text, &err), &err);
	assert_string_equal(buf_str(&text), "three\\x1b[2J\ntwo\none\n");
	buf_truncate(&text, 0);
	expect_ok(commit_log(f->repo, tip, 2, collect, &text, &err), &err);
	assert_string_equal(buf_str(&text), "three\\x1b[2J\ntwo\n");
	assert_int_equal(commit_log(f->repo, tip, 10, stop, NULL, &err), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_root, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_changes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_modes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_no_empty_directory, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_identity, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_log, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
