#include "git/checkout.h"
#include "git/fixture.h"

static int open_out(struct fixture *f, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s", f->top, name);
	int fd;

	assert_int_equal(mkdir(path, 0755), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void expect_mode(int dir_fd, const char *path, mode_t mode)
{
	struct stat st;

	assert_int_equal(fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode, mode);
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;
	/* names around '/' in git's order, attributes that must not count, content with CRLF
	 * and NUL */
	static const struct file files[] = {
		{.path = "agent.json", .data = "{}\n"},
		{.path = "rootfs/etc/a-b", .data = "1"},
		{.path = "rootfs/etc/a/x", .data = "2"},
		{.path = "rootfs/etc/a.b", .data = "3"},
		{.path = "rootfs/etc/a0", .data = "4"},
		{.path = "rootfs/bin/run", .data = "#!/bin/sh\n", .mode = "100755"},
		{.path = "rootfs/etc/link", .data = "/etc/a", .mode = "120000"},
		{.path = "rootfs/etc/broken", .data = "../../nowhere", .mode = "120000"},
		{.path = ".gitattributes",
		 .data = "* text eol=crlf ident\nhidden export-ignore\n*.sub export-subst\n"},
		{.path = "hidden", .data = "$Id$\n"},
		{.path = "x.sub", .data = "$Format:%H$\n"},
		{.path = "crlf", .data = "a\r\nb\nc"},
		{.path = "nul", .data = "a\0b", .size = 3},
		{.path = "empty", .data = ""},
		{.path = "ü", .data = "utf-8"},
	};
	_cleanup_close_ int out = open_out(f, "out");
	_cleanup_buf_ struct buf content = {};
	char commit[OID_HEX_SIZE], tree[OID_HEX_SIZE], hash[OID_HEX_SIZE], target[64];
	struct checkout_count written, hashed;
	struct error err = {};
	size_t bytes = 0;

	umask(022);
	put_files(f, NULL, files, ARRAY_SIZE(files), commit);
	expect_ok(repo_commit_tree(f->repo, commit, tree, &err), &err);
	expect_ok(checkout_tree(f->repo, commit, out, &written, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		bytes += files[i].size ? files[i].size : strlen(files[i].data);
	assert_int_equal(written.files, ARRAY_SIZE(files));
	assert_int_equal(written.bytes, bytes);
	expect_mode(out, "agent.json", S_IFREG | 0644);
	expect_mode(out, "rootfs/bin/run", S_IFREG | 0755);
	expect_mode(out, "rootfs/etc", S_IFDIR | 0755);
	expect_mode(out, "rootfs/etc/link", S_IFLNK | 0777);
	assert_int_equal(readlinkat(out, "rootfs/etc/link", target, sizeof(target)), 6);
	expect_ok(file_read(out, "hidden", 100, &content, &err), &err);
	assert_string_equal(buf_str(&content), "$Id$\n");

	expect_ok(checkout_hash(out, hash, &hashed, &err), &err);
	assert_string_equal(hash, tree);
	assert_int_equal(hashed.files, written.files);
	assert_int_equal(hashed.bytes, written.bytes);
	/* the descriptor can be used again */
	expect_ok(checkout_hash(out, hash, &hashed, &err), &err);
	assert_string_equal(hash, tree);
}

/* Each change of a written directory changes its hash. */
static void test_hash_sees_changes(void **state)
{
	struct fixture *f = *state;
	static const struct file files[] = {
		{.path = "a", .data = "1"},
		{.path = "b/c", .data = "2"},
		{.path = "l", .data = "a", .mode = "120000"},
	};
	_cleanup_close_ int out = open_out(f, "out");
	char commit[OID_HEX_SIZE], first[OID_HEX_SIZE], hash[OID_HEX_SIZE];
	struct checkout_count count;
	struct error err = {};

	put_files(f, NULL, files, ARRAY_SIZE(files), commit);
	expect_ok(checkout_tree(f->repo, commit, out, &count, &err), &err);
	expect_ok(checkout_hash(out, first, &count, &err), &err);

	assert_int_equal(fchmodat(out, "a", 0755, 0), 0);
	expect_ok(checkout_hash(out, hash, &count, &err), &err);
	assert_string_not_equal(hash, first);
	assert_int_equal(fchmodat(out, "a", 0444, 0), 0);
	expect_ok(checkout_hash(out, hash, &count, &err), &err);
	assert_string_equal(hash, first); /* read-only is no difference to git */

	assert_int_equal(unlinkat(out, "l", 0), 0);
	assert_int_equal(symlinkat("b", out, "l"), 0);
	expect_ok(checkout_hash(out, hash, &count, &err), &err);
	assert_string_not_equal(hash, first);
	assert_int_equal(unlinkat(out, "l", 0), 0);
	assert_int_equal(symlinkat("a", out, "l"), 0);

	assert_int_equal(renameat(out, "b/c", out, "b/d"), 0);
	expect_ok(checkout_hash(out, hash, &count, &err), &err);
	assert_string_not_equal(hash, first);
	assert_int_equal(renameat(out, "b/d", out, "b/c"), 0);
	expect_ok(checkout_hash(out, hash, &count, &err), &err);
	assert_string_equal(hash, first);

	assert_int_equal(mkdirat(out, "b/e", 0755), 0);
	expect_error(checkout_hash(out, hash, &count, &err), EINVAL,
		     "'b/e' is an empty directory", &err);
	assert_int_equal(unlinkat(out, "b/e", AT_REMOVEDIR), 0);
	assert_int_equal(mkfifoat(out, "b/fifo", 0644), 0);
	expect_error(checkout_hash(out, hash, &count, &err), EINVAL, "'b/fifo' is neither",
		     &err);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *mode, *name, *content, *words;
	} cases[] = {
		{"100644", "..", "x", "'..' is not a file name"},
		{"100644", ".", "x", "'.' is not a file name"},
		{"100644", "a/b", "x", "'a/b' is not a file name"},
		{"100644", "/etc/x", "x", "'/etc/x' is not a file name"},
		{"100644", "../../x", "x", "is not a file name"},
		{"100664", "a", "x", "'a' has a mode"},
		{"104755", "a", "x", "'a' has a mode"},
		{"160000", "a", "x", "'a' has a mode"},
		{"40000", "a", "x", ""},
		{"120000", "a", "", "no usable target"},
	};
	struct checkout_count count;
	struct error err = {};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *name = str_format("out%zu", i);
		_cleanup_close_ int out = open_out(f, name);
		char blob[OID_HEX_SIZE], commit[OID_HEX_SIZE];
		int r;

		put_object(f, GIT_OBJECT_BLOB, cases[i].content, strlen(cases[i].content),
			   blob);
		put_single(f, cases[i].mode, cases[i].name, blob, commit);
		r = checkout_tree(f->repo, commit, out, &count, &err);
		if (r >= 0 || !strstr(error_text(&err), cases[i].words))
			fail_msg("case %zu: %d, %s", i, r, error_text(&err));
	}
}

/* A symlink in the tree with the name of a directory that follows cannot lead the writer away.
 */
static void test_link_then_directory(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int out = open_out(f, "out");
	_cleanup_buf_ struct buf inner = {}, outer = {};
	_cleanup_free_ char *leak = str_format("%s/away/file", f->top);
	_cleanup_free_ char *target = str_format("%s/away", f->top);
	char blob[OID_HEX_SIZE], link[OID_HEX_SIZE], tree[OID_HEX_SIZE], commit[OID_HEX_SIZE];
	struct checkout_count count;
	struct error err = {};

	assert_int_equal(mkdir(target, 0755), 0);
	put_object(f, GIT_OBJECT_BLOB, "x", 1, blob);
	put_object(f, GIT_OBJECT_BLOB, target, strlen(target), link);
	add_entry(&inner, "100644", "file", blob);
	put_object(f, GIT_OBJECT_TREE, inner.data, inner.size, tree);
	add_entry(&outer, "120000", "dir", link);
	add_entry(&outer, "40000", "dir", tree);
	put_object(f, GIT_OBJECT_TREE, outer.data, outer.size, tree);
	put_commit(f, tree, NULL, commit);
	expect_error(checkout_tree(f->repo, commit, out, &count, &err), EEXIST, "'dir'", &err);
	assert_false(exists(leak));
}

static void put_bomb(struct fixture *f, int levels, char ret[OID_HEX_SIZE])
{
	char oid[OID_HEX_SIZE];

	put_object(f, GIT_OBJECT_BLOB, "x", 1, oid);
	for (int level = 0; level < levels; level++) {
		_cleanup_buf_ struct buf tree = {};

		for (int i = 0; i < 10; i++) {
			char name[2] = {(char)('0' + i), '\0'};

			add_entry(&tree, level ? "40000" : "100644", name, oid);
		}
		put_object(f, GIT_OBJECT_TREE, tree.data, tree.size, oid);
	}
	put_commit(f, oid, NULL, ret);
}

static void test_bounds(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int out = open_out(f, "out"), big_out = open_out(f, "big");
	char oid[OID_HEX_SIZE], commit[OID_HEX_SIZE];
	char *big = mem_new(1, TREE_MAX_BLOB_BYTES + 1);
	struct checkout_count count;
	struct error err = {};

	put_object(f, GIT_OBJECT_BLOB, "x", 1, oid);
	for (int i = 0; i < TREE_MAX_DEPTH + 2; i++) {
		_cleanup_buf_ struct buf tree = {};

		add_entry(&tree, i ? "40000" : "100644", "d", oid);
		put_object(f, GIT_OBJECT_TREE, tree.data, tree.size, oid);
	}
	put_commit(f, oid, NULL, commit);
	expect_error(checkout_tree(f->repo, commit, out, &count, &err), E2BIG,
		     "nested too deep", &err);

	put_object(f, GIT_OBJECT_BLOB, big, TREE_MAX_BLOB_BYTES + 1, oid);
	free(big);
	put_single(f, "100644", "big", oid, commit);
	expect_error(checkout_tree(f->repo, commit, big_out, &count, &err), E2BIG,
		     "'big' makes the tree", &err);
}

/* A tree of 10,000 files out of five objects. */
static void test_many_files(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int out = open_out(f, "out");
	char commit[OID_HEX_SIZE], tree[OID_HEX_SIZE], hash[OID_HEX_SIZE];
	struct checkout_count count;
	struct error err = {};

	put_bomb(f, 4, commit);
	expect_ok(checkout_tree(f->repo, commit, out, &count, &err), &err);
	assert_int_equal(count.files, 10000);
	expect_ok(repo_commit_tree(f->repo, commit, tree, &err), &err);
	expect_ok(checkout_hash(out, hash, &count, &err), &err);
	assert_string_equal(hash, tree);
	assert_int_equal(count.files, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_hash_sees_changes, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_link_then_directory, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_bounds, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_many_files, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
