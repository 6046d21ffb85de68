#include "git/changes.h"
#include "git/diff.h"
#include "git/fixture.h"

#include "base/json.h"

static json_t *compare(struct fixture *f, const char *old, const char *new,
		       const struct diff_limits *limits)
{
	json_t *diff = NULL;
	struct error err = {};

	expect_ok(diff_compare(f->repo, old, new, limits ? limits : &diff_limits_default, &diff,
			       &err),
		  &err);
	return diff;
}

static json_t *file_at(json_t *diff, size_t i)
{
	json_t *file = json_array_get(json_object_get(diff, "files"), i);

	assert_non_null(file);
	return file;
}

static const char *str(json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_int_t num(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool is(json_t *object, const char *key)
{
	assert_true(json_is_boolean(json_object_get(object, key)));
	return json_is_true(json_object_get(object, key));
}

/* All lines of a file, one per line, mark first; "@" for each hunk. */
static char *lines_of(json_t *file)
{
	struct buf text = {};
	json_t *hunk, *line;
	size_t i, j;

	json_array_foreach (json_object_get(file, "hunks"), i, hunk) {
		buf_add_str(&text, "@\n");
		json_array_foreach (json_object_get(hunk, "lines"), j, line) {
			buf_addf(&text, "%s%s\n", json_string_value(json_array_get(line, 0)),
				 json_string_value(json_array_get(line, 1)));
		}
	}
	return buf_take(&text);
}

/* One file old → new, NULL for absent. */
static json_t *compare_texts(struct fixture *f, const char *old, size_t old_size,
			     const char *new, size_t new_size)
{
	struct file other = {.path = "unchanged", .data = "same"};
	struct file old_files[] = {other, {.path = "file", .data = old, .size = old_size}};
	struct file new_files[] = {other, {.path = "file", .data = new, .size = new_size}};
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE];

	put_files(f, NULL, old_files, old ? 2 : 1, a);
	put_files(f, NULL, new_files, new ? 2 : 1, b);
	return compare(f, a, b, NULL);
}

static void test_lines(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *old, *new, *status, *lines;
		int added, removed;
	} cases[] = {
		{"a\nb\nc\n", "a\nB\nc\n", "modified", "@\n a\n-b\n+B\n c\n", 1, 1},
		{NULL, "x\ny\n", "added", "@\n+x\n+y\n", 2, 0},
		{"x\n", NULL, "deleted", "@\n-x\n", 0, 1},
		{NULL, "x", "added", "@\n+x\n\\No newline at end of file\n", 1, 0},
		{"x", "x\n", "modified", "@\n-x\n\\No newline at end of file\n+x\n", 1, 1},
		{"x\n", "x\r\n", "modified", "@\n-x\n+x\\x0d\n", 1, 1},
		{"x\n", "\033[2Jx\n", "modified", "@\n-x\n+\\x1b[2Jx\n", 1, 1},
		{"x\n", "x\xe2\x80\xaey\n", "modified", "@\n-x\n+xU+202Ey\n", 1, 1},
		{"x\n", "\xff\n", "modified", "@\n-x\n+\\xff\n", 1, 1},
		{"x\n", "\tx\n", "modified", "@\n-x\n+\tx\n", 1, 1},
		{NULL, "", "added", "", 0, 0},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "0\n2\n3\n4\n5\n6\n7\n8\n0\n", "modified",
		 "@\n-1\n+0\n 2\n 3\n 4\n@\n 6\n 7\n 8\n-9\n+0\n", 2, 2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *diff = compare_texts(f, cases[i].old, 0, cases[i].new, 0);
		json_t *file = file_at(diff, 0);
		_cleanup_free_ char *lines = lines_of(file);

		assert_int_equal(num(diff, "files_total"), 1);
		assert_string_equal(str(file, "path"), "file");
		assert_string_equal(str(file, "status"), cases[i].status);
		assert_string_equal(lines, cases[i].lines);
		assert_int_equal(num(file, "added"), cases[i].added);
		assert_int_equal(num(file, "removed"), cases[i].removed);
		assert_int_equal(num(diff, "added"), cases[i].added);
		assert_int_equal(num(diff, "removed"), cases[i].removed);
		assert_string_equal(str(file, "old_mode"), cases[i].old ? "100644" : "000000");
		assert_string_equal(str(file, "new_mode"), cases[i].new ? "100644" : "000000");
		assert_false(is(file, "binary") || is(file, "too_large") ||
			     is(file, "truncated"));
		assert_false(is(diff, "truncated"));
		json_decref(diff);
	}
}

static void test_hunk_header(void **state)
{
	struct fixture *f = *state;
	json_t *diff = compare_texts(f, "int main(void)\n{\n1\n2\n3\n4\n5\n6\n", 0,
				     "int main(void)\n{\n1\n2\n3\n4\n5\nsix\n", 0);
	json_t *hunk = json_array_get(json_object_get(file_at(diff, 0), "hunks"), 0);

	assert_string_equal(str(hunk, "header"), "int main(void)");
	assert_int_equal(num(hunk, "old_start"), 5);
	assert_int_equal(num(hunk, "old_lines"), 4);
	assert_int_equal(num(hunk, "new_start"), 5);
	assert_int_equal(num(hunk, "new_lines"), 4);
	json_decref(diff);
}

static void test_binary(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *data;
		size_t size;
		bool binary;
	} cases[] = {
		{"text\n", 5, false},
		{"te\0xt\n", 6, true},
		{"\x7f"
		 "ELF\x02\x01\x01\0",
		 8, true},
		{"\xff\xfe\xfd\xfc\xfb\xfa", 6, true},
		{"latin-1: gr\xfc\xdf"
		 "e\n",
		 15, false},
		{"one \x01 control character in a line\n", 34, false},
		{"\033[1mbold\033[0m\n", 13, false},
		{"\x01\x02\x03\x04text", 8, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *diff = compare_texts(f, "old\n", 0, cases[i].data, cases[i].size);
		json_t *file = file_at(diff, 0);

		if (is(file, "binary") != cases[i].binary)
			fail_msg("case %zu", i);
		assert_int_equal(json_array_size(json_object_get(file, "hunks")) == 0,
				 cases[i].binary);
		json_decref(diff);
	}
}

/* What attributes in the tree, or planted beside the repository, say of a file changes nothing.
 */
static void test_attributes_hide_nothing(void **state)
{
	struct fixture *f = *state;
	static const struct file old[] = {{.path = ".gitattributes",
					   .data = "*.nix -diff\n* binary\n"},
					  {.path = "agent.nix", .data = "good\n"}};
	static const struct file new[] = {{.path = ".gitattributes",
					   .data = "*.nix -diff\n* binary\n"},
					  {.path = "agent.nix", .data = "evil\n"}};
	_cleanup_free_ char *info = str_format("%s/.git/info", f->dir);
	_cleanup_free_ char *planted = str_format("%s/.git/info/attributes", f->dir);
	_cleanup_free_ char *lines = NULL;
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE];
	json_t *diff;

	assert_int_equal(mkdir(info, 0750), 0);
	write_file(planted, "*.nix -diff\n");
	put_files(f, NULL, old, ARRAY_SIZE(old), a);
	put_files(f, NULL, new, ARRAY_SIZE(new), b);
	diff = compare(f, a, b, NULL);
	lines = lines_of(file_at(diff, 0));
	assert_string_equal(lines, "@\n-good\n+evil\n");
	json_decref(diff);
}

static void test_modes_and_types(void **state)
{
	struct fixture *f = *state;
	static const struct file old[] = {
		{.path = "exec", .data = "#!/bin/sh\n"},
		{.path = "link", .data = "target"},
		{.path = "dir/file", .data = "inside"},
	};
	static const struct file new[] = {
		{.path = "exec", .data = "#!/bin/sh\n", .mode = "100755"},
		{.path = "link", .data = "elsewhere", .mode = "120000"},
		{.path = "dir", .data = "now a file"},
	};
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE];
	_cleanup_free_ char *lines = NULL;
	json_t *diff;

	put_files(f, NULL, old, ARRAY_SIZE(old), a);
	put_files(f, NULL, new, ARRAY_SIZE(new), b);
	diff = compare(f, a, b, NULL);
	assert_int_equal(num(diff, "files_total"), 4);
	assert_string_equal(str(file_at(diff, 0), "path"), "dir");
	assert_string_equal(str(file_at(diff, 0), "status"), "added");
	assert_string_equal(str(file_at(diff, 1), "path"), "dir/file");
	assert_string_equal(str(file_at(diff, 1), "status"), "deleted");
	assert_string_equal(str(file_at(diff, 2), "path"), "exec");
	assert_string_equal(str(file_at(diff, 2), "status"), "mode");
	assert_string_equal(str(file_at(diff, 2), "old_mode"), "100644");
	assert_string_equal(str(file_at(diff, 2), "new_mode"), "100755");
	assert_string_equal(str(file_at(diff, 3), "path"), "link");
	assert_string_equal(str(file_at(diff, 3), "status"), "modified");
	assert_string_equal(str(file_at(diff, 3), "new_mode"), "120000");
	lines = lines_of(file_at(diff, 3));
	assert_string_equal(lines, "@\n-target\n\\No newline at end of file\n+elsewhere\n"
				   "\\No newline at end of file\n");
	json_decref(diff);
}

static void test_renames(void **state)
{
	struct fixture *f = *state;
	static const char text[] =
		"one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";
	static const char alike[] =
		"one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nTEN\n";
	static const struct file old[] = {
		{.path = "a/exact", .data = text},
		{.path = "b/twin", .data = "twin\n"},
		{.path = "b/twin2", .data = "twin\n"},
		{.path = "old-empty", .data = ""},
	};
	static const struct file new[] = {
		{.path = "c/renamed", .data = alike},
		{.path = "c/twin2", .data = "twin\n"},
		{.path = "c/zwin", .data = "twin\n"},
		{.path = "new-empty", .data = ""},
	};
	static const struct {
		const char *path, *old_path, *status;
	} wanted[] = {
		{"c/renamed", "a/exact", "renamed"},
		{"c/twin2", NULL, "renamed"},
		{"c/zwin", NULL, "renamed"},
		{"new-empty", "old-empty", "renamed"},
	};
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE];
	_cleanup_free_ char *lines = NULL;
	json_t *diff;

	put_files(f, NULL, old, ARRAY_SIZE(old), a);
	put_files(f, NULL, new, ARRAY_SIZE(new), b);
	diff = compare(f, a, b, NULL);
	assert_int_equal(num(diff, "files_total"), ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		json_t *file = file_at(diff, i);

		assert_string_equal(str(file, "path"), wanted[i].path);
		assert_string_equal(str(file, "status"), wanted[i].status);
		if (wanted[i].old_path)
			assert_string_equal(str(file, "old_path"), wanted[i].old_path);
	}
	lines = lines_of(file_at(diff, 0));
	assert_string_equal(lines, "@\n seven\n eight\n nine\n-ten\n+TEN\n");
	json_decref(diff);
}

/* Too many for libgit2's search: what is equal by content is still recognised, the same name
 * first. */
static void test_many_renames(void **state)
{
	struct fixture *f = *state;
	enum { N = 400 };
	struct file *old = mem_new(N, sizeof(*old)), *new = mem_new(N, sizeof(*new));
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE];
	json_t *diff;

	for (int i = 0; i < N; i++) {
		old[i].data = new[i].data =
			i % 2 ? str_format("content %d\n", i) : str_dup("twins\n");
		old[i].path = str_format("a/%03d", i);
		new[i].path = str_format("b%03d/%03d", N - 1 - i, i);
	}
	put_files(f, NULL, old, N, a);
	put_files(f, NULL, new, N, b);
	diff = compare(f, a, b, NULL);
	assert_int_equal(num(diff, "files_total"), N);
	for (int i = 0; i < N; i++) {
		json_t *file = file_at(diff, (size_t)i);

		assert_string_equal(str(file, "status"), "renamed");
		assert_string_equal(str(file, "path"), new[N - 1 - i].path);
		assert_string_equal(str(file, "old_path"), old[N - 1 - i].path);
	}
	json_decref(diff);
	for (int i = 0; i < N; i++) {
		free((char *)old[i].data);
		free((char *)old[i].path);
		free((char *)new[i].path);
	}
	free(old);
	free(new);
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	const struct diff_limits small = {.max_file_bytes = 100,
					  .max_file_lines = 3,
					  .max_total_bytes = 40,
					  .max_files = 4};
	char long_line[5001], big[102];
	struct file files[] = {
		{.path = "1-many", .data = "a\nb\nc\nd\ne\n"},
		{.path = "2-big", .data = big},
		{.path = "3-fits", .data = "x\n"},
		{.path = "4-room",
		 .data = "0123456789012345678901234567890123456789\nsecond\n"},
		{.path = "5-left-out", .data = "y\n"},
	};
	struct file line = {.path = "long", .data = long_line};
	char commit[OID_HEX_SIZE];
	_cleanup_free_ char *lines = NULL, *long_lines = NULL;
	json_t *diff;

	memset(big, 'b', 101);
	big[101] = '\0';
	memset(long_line, 'l', 5000);
	long_line[5000] = '\0';
	put_files(f, NULL, files, ARRAY_SIZE(files), commit);
	diff = compare(f, NULL, commit, &small);
	assert_int_equal(num(diff, "files_total"), 5);
	assert_int_equal(json_array_size(json_object_get(diff, "files")), 4);
	assert_true(is(diff, "truncated"));
	lines = lines_of(file_at(diff, 0));
	assert_string_equal(lines, "@\n+a\n+b\n+c\n");
	assert_int_equal(num(file_at(diff, 0), "added"), 5); /* counted, not shown */
	assert_true(is(file_at(diff, 0), "truncated"));
	assert_true(is(file_at(diff, 1), "too_large"));
	assert_int_equal(num(file_at(diff, 1), "new_bytes"), 101);
	assert_false(is(file_at(diff, 2), "truncated"));
	assert_true(is(file_at(diff, 3), "truncated"));
	json_decref(diff);

	put_files(f, NULL, &line, 1, commit);
	diff = compare(f, NULL, commit, NULL);
	assert_true(is(file_at(diff, 0), "truncated"));
	assert_true(is(diff, "truncated"));
	long_lines = lines_of(file_at(diff, 0));
	assert_non_null(strstr(long_lines, "ll…"));
	json_decref(diff);
}

/* The last line of a hunk that fills the room exactly is no truncation; one more line is. */
static void test_exact_room(void **state)
{
	struct fixture *f = *state;
	struct diff_limits limits = diff_limits_default;
	struct file file = {.path = "f", .data = "a\nb\nc\n"};
	char commit[OID_HEX_SIZE];
	json_t *diff;

	put_files(f, NULL, &file, 1, commit);
	limits.max_file_lines = 3;
	diff = compare(f, NULL, commit, &limits);
	assert_false(is(diff, "truncated"));
	json_decref(diff);
	limits.max_file_lines = 2;
	diff = compare(f, NULL, commit, &limits);
	assert_true(is(diff, "truncated"));
	json_decref(diff);
}

static void fill_with_few_lines(char *text, size_t lines, size_t width, unsigned seed)
{
	uint64_t x = seed;

	for (size_t line = 0; line < lines; line++, text += width) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		memset(text, (int)('a' + (x >> 33) % 4), width - 1);
		text[width - 1] = '\n';
	}
}

/* Texts of few different lines make the comparison's time explode: such a file is named, not
 * compared. */
static void test_pathological(void **state)
{
	struct fixture *f = *state;
	enum { LINES = 100000 };
	char *old = mem_new(2, LINES), *new = mem_new(2, LINES);
	json_t *diff;

	fill_with_few_lines(old, LINES, 2, 1);
	fill_with_few_lines(new, LINES, 2, 2);
	diff = compare_texts(f, old, 2 * LINES, new, 2 * LINES);
	assert_true(is(file_at(diff, 0), "too_large"));
	assert_true(is(diff, "truncated"));
	json_decref(diff);
	/* the same size is no trouble where one line is different */
	memcpy(new, old, 2 * LINES);
	new[LINES] = 'X';
	diff = compare_texts(f, old, 2 * LINES, new, 2 * LINES);
	assert_false(is(file_at(diff, 0), "too_large"));
	assert_int_equal(num(file_at(diff, 0), "added"), 1);
	json_decref(diff);
	free(old);
	free(new);
}

/* How many of so many rewritten files are not compared. */
static size_t count_left_out(struct fixture *f, size_t files, size_t lines, size_t width)
{
	struct file *old_files = mem_new(files, sizeof(*old_files));
	struct file *new_files = mem_new(files, sizeof(*new_files));
	char *old = mem_new(lines, width), *new = mem_new(lines, width);
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE];
	size_t left_out = 0, i;
	json_t *diff, *file;

	fill_with_few_lines(old, lines, width, 1);
	fill_with_few_lines(new, lines, width, 2);
	new[0] = '<';
	new[lines * width - 2] = '>';
	for (i = 0; i < files; i++) {
		char *path = str_format("f%03zu", i);

		old_files[i] = (struct file){.path = path, .data = old, .size = lines * width};
		new_files[i] = (struct file){.path = path, .data = new, .size = lines *width};
	}
	put_files(f, NULL, old_files, files, a);
	put_files(f, NULL, new_files, files, b);
	diff = compare(f, a, b, NULL);
	json_array_foreach (json_object_get(diff, "files"), i, file) {
		left_out += is(file, "too_large");
	}
	assert_true(is(diff, "truncated"));
	json_decref(diff);
	for (i = 0; i < files; i++)
		free((char *)old_files[i].path);
	free(old_files);
	free(new_files);
	free(old);
	free(new);
	return left_out;
}

/* Files that are small enough one by one are bounded in their sum as well: 8 MiB, 200,000
 * lines. */
static void test_many_rewritten(void **state)
{
	assert_int_equal(count_left_out(*state, 100, 1000, 50),
			 100 - (8 << 20) / (2 * 1000 * 50));
	assert_int_equal(count_left_out(*state, 30, 5000, 2), 30 - 200000 / (2 * 5000));
}

static void test_ten_thousand_files(void **state)
{
	struct fixture *f = *state;
	enum { N = 10000 };
	_cleanup_buf_ struct buf top = {};
	char blob[OID_HEX_SIZE], tree[OID_HEX_SIZE], commit[OID_HEX_SIZE];
	json_t *diff;

	put_object(f, GIT_OBJECT_BLOB, "line\n", 5, blob);
	for (int d = 0; d < 100; d++) {
		_cleanup_buf_ struct buf inner = {};
		char name[8];

		for (int i = 0; i < N / 100; i++) {
			snprintf(name, sizeof(name), "f%02d", i);
			add_entry(&inner, "100644", name, blob);
		}
		put_object(f, GIT_OBJECT_TREE, inner.data, inner.size, tree);
		snprintf(name, sizeof(name), "d%02d", d);
		add_entry(&top, "40000", name, tree);
	}
	put_object(f, GIT_OBJECT_TREE, top.data, top.size, tree);
	put_commit(f, tree, NULL, commit);
	diff = compare(f, NULL, commit, NULL);
	assert_int_equal(num(diff, "files_total"), N);
	assert_int_equal(json_array_size(json_object_get(diff, "files")),
			 diff_limits_default.max_files);
	assert_true(is(diff, "truncated"));
	json_decref(diff);
	/* ids of trees will do as well, and nothing changed is an empty list */
	diff = compare(f, tree, commit, NULL);
	assert_int_equal(num(diff, "files_total"), 0);
	assert_false(is(diff, "truncated"));
	json_decref(diff);
}

static void test_hostile_names(void **state)
{
	struct fixture *f = *state;
	char blob[OID_HEX_SIZE], commit[OID_HEX_SIZE];
	json_t *diff;

	put_object(f, GIT_OBJECT_BLOB, "x\n", 2, blob);
	put_single(f, "100644", "a\033[31m\xe2\x80\xae\nb", blob, commit);
	diff = compare(f, NULL, commit, NULL);
	assert_string_equal(str(file_at(diff, 0), "path"), "a\\x1b[31mU+202E b");
	json_decref(diff);
}

static void test_absent(void **state)
{
	struct fixture *f = *state;
	json_t *diff = NULL;
	struct error err = {};

	expect_error(diff_compare(f->repo, NULL, "00000000000000000000000000000000000000aa",
				  &diff_limits_default, &diff, &err),
		     ENOENT, "00aa", &err);
	assert_null(diff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_hunk_header, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_binary, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_attributes_hide_nothing, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_modes_and_types, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_renames, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_many_renames, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_limits, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_exact_room, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_pathological, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_many_rewritten, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_ten_thousand_files, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_hostile_names, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_absent, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
