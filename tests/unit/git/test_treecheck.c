#include "unit.h"

#include "base/cleanup.h"
#include "git/commitcheck.h"
#include "git/treecheck.h"

#include <errno.h>

#define MAX_ENTRIES 40

struct line {
	const char *mode, *name;
	size_t name_size; /* 0: strlen(name) */
};

static void add_entry(struct buf *tree, const char *mode, const char *name, size_t name_size)
{
	buf_addf(tree, "%s ", mode);
	buf_add(tree, name, name_size);
	buf_add(tree, "\0iiiiiiiiiiiiiiiiiiii", 1 + RAW_ID_SIZE);
}

static int check_lines(const struct line *lines, size_t n, struct error *err)
{
	_cleanup_(tree_entries_release) struct tree_entries entries = {};
	_cleanup_buf_ struct buf tree = {};

	for (size_t i = 0; i < n && lines[i].mode; i++)
		add_entry(&tree, lines[i].mode, lines[i].name,
			  lines[i].name_size ? lines[i].name_size : strlen(lines[i].name));
	return treecheck_tree("a", buf_str(&tree), tree.size, MAX_ENTRIES, &entries, err);
}

static void test_names(void **state)
{
	static char long_name[5001];
	static const struct {
		const char *name;
		const char *wanted; /* part of the rule; NULL: taken */
		size_t size;
	} cases[] = {
		{"a", NULL, 0},
		{"agent.json", NULL, 0},
		{" leading space", NULL, 0},
		{"...", NULL, 0},
		{"..a", NULL, 0},
		{".gitignore", NULL, 0},
		{".gitx", NULL, 0},
		{"git", NULL, 0},
		{"git~", NULL, 0},
		{"git~x", NULL, 0},
		{"x.git", NULL, 0},
		{"a:b", NULL, 0},
		{"a\\b", NULL, 0},
		{"gr\xc3\xbc\xc3\x9f", NULL, 0},
		{"gru\xcc\x88n", NULL, 0},
		{"\xe6\xbc\xa2\xe5\xad\x97", NULL, 0},
		{long_name, NULL, 255},
		{long_name, "longer than 255", 256},
		{long_name, "longer than 255", 5000},
		{"", "empty", 0},
		{".", "direction", 0},
		{"..", "direction", 0},
		{"a/b", "'/'", 0},
		{"/", "'/'", 0},
		{".git", "reserves", 0},
		{".GIT", "reserves", 0},
		{".gIt", "reserves", 0},
		{".git ", "reserves", 0},
		{".git.", "reserves", 0},
		{".git . .", "reserves", 0},
		{".git::$INDEX_ALLOCATION", "reserves", 0},
		{".git:x", "reserves", 0},
		{".git .:x", "reserves", 0},
		{".git\\x", "reserves", 0},
		{"a\\.git", "reserves", 0},
		{"a\\.git\\hooks", "reserves", 0},
		{"git~1", "reserves", 0},
		{"GIT~1", "reserves", 0},
		{"git~27", "reserves", 0},
		{"git~1 .", "reserves", 0},
		{"git~1:x", "reserves", 0},
		{"a\x1b[2J", "control", 0},
		{"a\nb", "control", 0},
		{"a\tb", "control", 0},
		{"a\x7f", "control", 0},
		{"a\xc2\x85", "control", 0},
		{"\xff", "UTF-8", 0},
		{"\xc0\xaf", "UTF-8", 0},
		{"\xed\xa0\x80", "UTF-8", 0},
		{"a\xe2\x80\xae", "invisible", 0},
		{".g\xe2\x80\x8cit", "invisible", 0},
		{"a\xef\xbb\xbf", "invisible", 0},
		{"a\xe2\x81\xa9", "invisible", 0},
		{"a\xf3\xa0\x81\x81", "invisible", 0},
	};

	(void)state;
	memset(long_name, 'n', sizeof(long_name) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = cases[i].size ? cases[i].size : strlen(cases[i].name);
		const char *rule = treecheck_name(cases[i].name, size);
		struct line line = {"100644", cases[i].name, size};
		struct error err = {};

		if (!cases[i].wanted != !rule || (rule && !strstr(rule, cases[i].wanted)))
			fail_msg("case %zu, '%.20s': %s", i, cases[i].name,
				 rule ? rule : "taken");
		if (size == 0)
			continue;
		/* the same within a tree, and the error says which */
		assert_int_equal(check_lines(&line, 1, &err), rule ? -EINVAL : 0);
		if (rule)
			assert_text(&err, "'a/");
	}
}

static void test_trees(void **state)
{
	static const struct {
		const char *wanted; /* NULL: taken */
		struct line lines[4];
	} cases[] = {
		{NULL, {{}}},
		{NULL, {{"100644", "a", 0}, {"40000", "b", 0}, {"120000", "c", 0}}},
		{NULL, {{"100644", "x-y", 0}, {"40000", "x", 0}, {"100644", "x0", 0}}},
		{NULL, {{"100644", "x", 0}, {"100644", "x-y", 0}, {"100755", "x0", 0}}},
		{"'a/x' is there twice", {{"100644", "x", 0}, {"100644", "x", 0}}},
		{"'a/x' is there twice", {{"40000", "x", 0}, {"40000", "x", 0}}},
		{"'a/x' is there twice", {{"100644", "x", 0}, {"40000", "x", 0}}},
		{"'a/x' is there twice",
		 {{"100644", "x", 0}, {"100644", "x-y", 0}, {"40000", "x", 0}}},
		{"'a/x' is there twice",
		 {{"120000", "x", 0}, {"100644", "x-y", 0}, {"40000", "x", 0}}},
		{"'a/a' is out of order", {{"100644", "b", 0}, {"100644", "a", 0}}},
		{"'a/x' is out of order", {{"40000", "x", 0}, {"100644", "x", 0}}},
		{"'a/x-y' is out of order", {{"40000", "x", 0}, {"100644", "x-y", 0}}},
		{"mode '100664'", {{"100664", "x", 0}}},
		{"mode '100777'", {{"100777", "x", 0}}},
		{"mode '104755'", {{"104755", "x", 0}}},
		{"mode '040000'", {{"040000", "x", 0}}},
		{"mode '0100644'", {{"0100644", "x", 0}}},
		{"mode '100648'", {{"100648", "x", 0}}},
		{"mode '20000'", {{"20000", "x", 0}}},
		{"mode ''", {{"", "x", 0}}},
		{"mode '\\x1b[2J'", {{"\x1b[2J", "x", 0}}},
		{"'a/x' is a submodule", {{"160000", "x", 0}}},
		{"'a/.gitmodules' steers git", {{"120000", ".gitmodules", 0}}},
		{"'a/.GitAttributes' steers git", {{"120000", ".GitAttributes", 0}}},
		{"'a/.gitignore' steers git", {{"120000", ".gitignore", 0}}},
		{"'a/.mailmap' steers git", {{"120000", ".mailmap", 0}}},
		{"'a/GITMOD~1' steers git", {{"120000", "GITMOD~1", 0}}},
		{"'a/gi7eba~1' steers git", {{"120000", "gi7eba~1", 0}}},
		{NULL, {{"100644", ".gitmodules", 0}}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {};
		int r = check_lines(cases[i].lines, ARRAY_SIZE(cases[i].lines), &err);

		if (r != (cases[i].wanted ? -EINVAL : 0))
			fail_msg("case %zu: %d %s", i, r, error_text(&err));
		if (cases[i].wanted)
			assert_text(&err, cases[i].wanted);
	}
}

static void test_entries(void **state)
{
	static const char bytes[] =
		"40000 d\0ABCDEFGHIJKLMNOPQRST100755 e\0abcdefghijklmnopqrst";
	_cleanup_(tree_entries_release) struct tree_entries entries = {};
	struct error err = {};

	(void)state;
	assert_int_equal(treecheck_tree("", bytes, sizeof(bytes) - 1, 2, &entries, &err), 0);
	assert_int_equal(entries.count, 2);
	assert_int_equal(entries.items[0].mode, TREE_MODE_DIR);
	assert_int_equal(entries.items[1].mode, TREE_MODE_EXEC);
	assert_string_equal(entries.items[1].name, "e");
	assert_memory_equal(entries.items[0].id, "ABCDEFGHIJKLMNOPQRST", RAW_ID_SIZE);
	assert_memory_equal(entries.items[1].id, "abcdefghijklmnopqrst", RAW_ID_SIZE);
	tree_entries_release(&entries);

	/* every shorter run of bytes is refused, but for none at all and one whole entry */
	for (size_t n = 1; n < sizeof(bytes) - 1; n++) {
		/* of its exact size, so that a sanitizer sees a read beyond it */
		_cleanup_free_ char *part = mem_new(n, 1);
		int r;

		memcpy(part, bytes, n);
		r = treecheck_tree("", part, n, 2, &entries, &err);
		if (r != (n == 28 ? 0 : -EINVAL))
			fail_msg("%zu bytes: %d %s", n, r, error_text(&err));
		if (r < 0)
			assert_text(&err, "the top directory is cut short");
		tree_entries_release(&entries);
	}
	assert_int_equal(treecheck_tree("a/b", bytes, sizeof(bytes) - 1, 1, &entries, &err),
			 -E2BIG);
	assert_text(&err, "'a/b' has too many entries: ");
}

static void test_ids(void **state)
{
	static const char null_id[] = "100644 x\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	static const char empty_dir[] =
		"40000 x\0\x4b\x82\x5d\xc6\x42\xcb\x6e\xb9\xa0\x60\xe5\x4b\xf8\xd6"
		"\x92\x88\xfb\xee\x49\x04";
	_cleanup_(tree_entries_release) struct tree_entries entries = {};
	struct error err = {};

	(void)state;
	assert_int_equal(treecheck_tree("", null_id, sizeof(null_id), 9, &entries, &err),
			 -EINVAL);
	assert_text(&err, "'x' has the null id");
	assert_int_equal(treecheck_tree("", empty_dir, sizeof(empty_dir) - 1, 9, &entries,
					&err),
			 -EINVAL);
	assert_text(&err, "'x' is an empty directory");
}

#define TREE "tree 1111111111111111111111111111111111111111\n"
#define PARENT "parent 2222222222222222222222222222222222222222\n"
#define AUTHOR "author A U Thor <a@b> 1757000000 +0200\n"
#define COMMITTER "committer C <c@d> 1757000000 -0130\n"

static void test_commits(void **state)
{
	static const struct {
		const char *wanted; /* NULL: taken */
		const char *text;
	} cases[] = {
		{NULL, TREE AUTHOR COMMITTER "\nmessage\n"},
		{NULL, TREE AUTHOR COMMITTER "\n"},
		{NULL, TREE PARENT PARENT AUTHOR COMMITTER "\nmessage"},
		{NULL, TREE AUTHOR COMMITTER "encoding UTF-8\n\nmessage"},
		{NULL,
		 TREE AUTHOR COMMITTER "gpgsig -----BEGIN\n line\n \n -----END\n\nmessage"},
		{NULL,
		 TREE AUTHOR COMMITTER "mergetag object 1\n type commit\ngpgsig x\n\nmessage"},
		{NULL, TREE "author  <> 0 +0000\n" COMMITTER "\n"},
		{"tree line", ""},
		{"tree line", "\n"},
		{"tree line", "object 1111111111111111111111111111111111111111\ntype commit\n"},
		{"tree line",
		 "tree 111111111111111111111111111111111111111\n" AUTHOR COMMITTER "\n"},
		{"tree line",
		 "tree 11111111111111111111111111111111111111111\n" AUTHOR COMMITTER "\n"},
		{"tree line",
		 "tree 111111111111111111111111111111111111111G\n" AUTHOR COMMITTER "\n"},
		{"tree line",
		 "tree 111111111111111111111111111111111111111A\n" AUTHOR COMMITTER "\n"},
		{"tree line",
		 "tree 0000000000000000000000000000000000000000\n" AUTHOR COMMITTER "\n"},
		{"tree line", PARENT TREE AUTHOR COMMITTER "\n"},
		{"no author", TREE TREE AUTHOR COMMITTER "\n"},
		{"no author", TREE COMMITTER "\n"},
		{"no author", TREE COMMITTER AUTHOR "\n"},
		{"no author", TREE "\n" AUTHOR COMMITTER "\n"},
		{"no committer", TREE AUTHOR "\n"},
		{"no committer", TREE AUTHOR AUTHOR COMMITTER "\n"},
		{"no committer", TREE AUTHOR PARENT COMMITTER "\n"},
		{"parent line", TREE "parent 22222\n" AUTHOR COMMITTER "\n"},
		{"not known", TREE AUTHOR COMMITTER PARENT "\n"},
		{"not known", TREE AUTHOR COMMITTER AUTHOR "\n"},
		{"not known", TREE AUTHOR COMMITTER "HG:rename x\n\n"},
		{"not known", TREE AUTHOR COMMITTER " continued\n\n"},
		{"not known", TREE AUTHOR COMMITTER "encoding UTF-8\n continued\n\n"},
		{"UTF-8", TREE AUTHOR COMMITTER "encoding UTF-7\n\nmessage"},
		{"twice", TREE AUTHOR COMMITTER "encoding UTF-8\nencoding utf8\n\nmessage"},
		{"UTF-8", TREE AUTHOR COMMITTER "encoding ISO-8859-1\n\nmessage"},
		{"ends within", TREE AUTHOR COMMITTER},
		{"ends within", TREE AUTHOR COMMITTER "gpgsig x"},
		{"committer line", TREE AUTHOR "committer C <c@d> 1757000000 -0130"},
		{"author line", TREE "author A 1757000000 +0000\n" COMMITTER "\n"},
		{"author line", TREE "author <a@b> 1757000000 +0000\n" COMMITTER "\n"},
		{"author line", TREE "author A<a@b> 1757000000 +0000\n" COMMITTER "\n"},
		{"author line", TREE "author A <a@b>1757000000 +0000\n" COMMITTER "\n"},
		{"author line", TREE "author A <a@b> \n" COMMITTER "\n"},
		{"author line", TREE "author A <a@b> -1 +0000\n" COMMITTER "\n"},
		{"author line", TREE "author A <a@b> 01 +0000\n" COMMITTER "\n"},
		{"author line", TREE "author A <a@b> 253402300800 +0000\n" COMMITTER "\n"},
		{"author line",
		 TREE "author A <a@b> 99999999999999999999 +0000\n" COMMITTER "\n"},
		{"author line", TREE "author A <a@b> 1 +00000\n" COMMITTER "\n"},
		{"author line", TREE "author A <a@b> 1 0000\n" COMMITTER "\n"},
		{"author line", TREE "author A <a@b> 1 +000\n" COMMITTER "\n"},
		{"author line", TREE "author A <a<b> 1 +0000\n" COMMITTER "\n"},
		{"author line", TREE "author A> <a@b> 1 +0000\n" COMMITTER "\n"},
		{"author line", TREE "author A <a@b> 1 +0000 <x@y> 2 +0000\n" COMMITTER "\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = strlen(cases[i].text);
		_cleanup_free_ char *text = mem_new(size ? size : 1, 1);
		struct commit_ids ids;
		struct error err = {};
		int r;

		memcpy(text, cases[i].text, size);
		r = commitcheck("c0ffee", text, size, COMMIT_MAX_PARENTS, &ids, &err);
		if (r != (cases[i].wanted ? -EINVAL : 0))
			fail_msg("case %zu: %d %s", i, r, error_text(&err));
		if (cases[i].wanted)
			assert_text(&err, cases[i].wanted);
	}
}

static void test_commit_ids(void **state)
{
	static const char nul[] = TREE AUTHOR COMMITTER "\nmess\0age";
	static const char two[] = TREE PARENT PARENT AUTHOR COMMITTER "\n";
	_cleanup_buf_ struct buf many = {};
	struct commit_ids ids;
	struct error err = {};

	(void)state;
	assert_int_equal(commitcheck("c", two, strlen(two), 2, &ids, &err), 0);
	assert_int_equal(ids.n_parents, 2);
	assert_int_equal(ids.tree[0], 0x11);
	assert_int_equal(ids.tree[19], 0x11);
	assert_int_equal(ids.parents[1][19], 0x22);
	assert_int_equal(commitcheck("c", two, strlen(two), 1, &ids, &err), -E2BIG);
	assert_text(&err, "more than 1 parents");
	assert_int_equal(commitcheck("c", nul, sizeof(nul) - 1, 2, &ids, &err), -EINVAL);
	assert_text(&err, "NUL");
	buf_add_str(&many, TREE);
	for (int i = 0; i <= COMMIT_MAX_PARENTS; i++)
		buf_add_str(&many, PARENT);
	buf_add_str(&many, AUTHOR COMMITTER "\n");
	assert_int_equal(commitcheck("c", many.data, many.size, 1000, &ids, &err), -E2BIG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),   cmocka_unit_test(test_trees),
		cmocka_unit_test(test_entries), cmocka_unit_test(test_ids),
		cmocka_unit_test(test_commits), cmocka_unit_test(test_commit_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
