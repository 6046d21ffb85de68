#include "git/fixture.h"
#include "git/risk.h"
#include "git/risk_attributes.h"

#define MAX_FILES 6

struct risk_case {
	const char *what;
	struct file base[MAX_FILES]; /* path NULL ends; none: nothing is deployed */
	struct file new[MAX_FILES];
	const char *flags; /* "name place\n" in the order found */
};

/* As bytes, so that this file itself hides nothing. */
#define RLO "\xe2\x80\xae"
#define ZWSP "\xe2\x80\x8b"
#define BOM "\xef\xbb\xbf"
#define CYR_A "\xd0\xb0"
#define CYR_O "\xd0\xbe"
#define GREEK_OMICRON "\xce\xbf"
#define GREEK_MU "\xce\xbc"
#define NFC_E "\xc3\xa9"
#define NFD_E "e\xcc\x81"
#define SHARP_S "\xc3\x9f"

static size_t count_files(const struct file *files)
{
	size_t n = 0;

	while (n < MAX_FILES && files[n].path)
		n++;
	return n;
}

static void render(const struct flags *flags, struct buf *ret)
{
	for (size_t i = 0; i < flags->count; i++)
		buf_addf(ret, "%s %s\n", flag_name(flags->items[i].kind),
			 flags->items[i].place);
}

static void run_cases(struct fixture *f, const struct risk_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t n_base = count_files(cases[i].base);
		char base[OID_HEX_SIZE], commit[OID_HEX_SIZE];
		struct flags flags = {};
		_cleanup_buf_ struct buf text = {};
		struct error err = {};

		if (n_base)
			put_files(f, NULL, cases[i].base, n_base, base);
		put_files(f, n_base ? base : NULL, cases[i].new, count_files(cases[i].new),
			  commit);
		expect_ok(risk_scan(f->repo, n_base ? base : NULL, commit, NULL, &flags, &err),
			  &err);
		render(&flags, &text);
		if (strcmp(buf_str(&text), cases[i].flags) != 0)
			fail_msg("%s: wanted\n%sgot\n%s", cases[i].what, cases[i].flags,
				 buf_str(&text));
		flags_release(&flags);
	}
}

#define LINK(p, t)                                         \
	{                                                  \
		.path = (p), .data = (t), .mode = "120000" \
	}
#define TEXT(p, t)                       \
	{                                \
		.path = (p), .data = (t) \
	}

#define README TEXT("README", "same\n")

static void test_symlinks(void **state)
{
	static const struct risk_case cases[] = {
		{"inside, beside",
		 {},
		 {LINK("a/l", "x"), LINK("a/m", "../b/y"), LINK("t", "a/./b//c")},
		 ""},
		{"top, one up", {}, {LINK("l", "../x")}, "symlink-escape l\n"},
		{"deeper, two up", {}, {LINK("a/l", "../../x")}, "symlink-escape a/l\n"},
		{"up and back in by name",
		 {},
		 {LINK("a/l", "../../repo/a")},
		 "symlink-escape a/l\n"},
		{"through a name that is not there",
		 {},
		 {LINK("l", "no/../../x")},
		 "symlink-escape l\n"},
		{"through a name and back", {}, {LINK("l", "no/../x")}, ""},
		{"absolute", {}, {LINK("l", "/etc/shadow")}, "symlink-escape l\n"},
		{"absolute in rootfs",
		 {},
		 {LINK("rootfs/etc/l", "/etc/x"), LINK("rootfs/m", "/")},
		 ""},
		{"absolute in rootfs, then up",
		 {},
		 {LINK("rootfs/l", "/../x")},
		 "symlink-escape rootfs/l\n"},
		{"rootfs is the root of its links",
		 {},
		 {LINK("rootfs/etc/l", "../usr/x"), LINK("rootfs/etc/m", "../../agent.json")},
		 "symlink-escape rootfs/etc/m\n"},
		{"rootfs itself", {}, {LINK("rootfs", "other")}, "symlink-escape rootfs\n"},
		{"a name that only begins like rootfs",
		 {},
		 {LINK("rootfs2/l", "/x")},
		 "symlink-escape rootfs2/l\n"},
		{"into rootfs, whose link is absolute",
		 {},
		 {LINK("l", "rootfs/abs/x"), LINK("rootfs/abs", "/etc")},
		 "symlink-escape l\n"},
		/* word for word it stays inside; followed as the kernel does it leaves */
		{"through another link",
		 {},
		 {LINK("rootfs/a/b/up", "../.."), LINK("rootfs/l", "a/b/up/../x")},
		 "symlink-escape rootfs/l\n"},
		{"through another link that goes deeper",
		 {},
		 {LINK("short", "a/b/c"), LINK("l", "short/../../../x")},
		 ""},
		{"through a link made absolute",
		 {},
		 {LINK("rootfs/v", "/var"), LINK("rootfs/etc/l", "../v/../..")},
		 "symlink-escape rootfs/etc/l\n"},
		{"a loop leads nowhere",
		 {},
		 {LINK("a", "b"), LINK("b", "a"), LINK("c", "c/x")},
		 ""},
		{"no target", {}, {LINK("l", "")}, "symlink-escape l\n"},
		{"unchanged ones count as well",
		 {LINK("l", "../x"), TEXT("a", "1\n")},
		 {LINK("l", "../x"), TEXT("a", "2\n")},
		 "symlink-escape l\n"},
	};

	run_cases(*state, cases, ARRAY_SIZE(cases));
}

static void test_control_files(void **state)
{
	static const struct risk_case cases[] = {
		{"modules", {}, {TEXT(".gitmodules", "x\n")}, "git-control-file .gitmodules\n"},
		{"deep, other case",
		 {},
		 {TEXT("a/.GitModules", "x\n")},
		 "git-control-file a/.GitModules\n"},
		{"lfs", {}, {TEXT(".lfsconfig", "x\n")}, "git-control-file .lfsconfig\n"},
		{"ignore is nothing",
		 {},
		 {TEXT(".gitignore", "x\n"), TEXT("a/.gitkeep", "")},
		 ""},
		{"pointer",
		 {},
		 {TEXT("model.bin",
		       "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")},
		 "lfs-pointer model.bin\n"},
		{"talk about pointers is none",
		 {},
		 {TEXT("doc", "see version https://git-lfs.github.com/spec/v1\n")},
		 ""},
		{"harmless attributes, new",
		 {},
		 {TEXT(".gitattributes", "*.nix -diff\n*.x -text\n")},
		 "attributes-changed .gitattributes\n"},
		{"harmless attributes, unchanged",
		 {TEXT("a/.gitattributes", "* -diff\n")},
		 {TEXT("a/.gitattributes", "* -diff\n"), README},
		 ""},
		{"attributes gone",
		 {TEXT("a/.gitattributes", "* -diff\n"), README},
		 {README},
		 "attributes-changed a/.gitattributes\n"},
		{"export attributes, unchanged all the same",
		 {TEXT("a/.gitattributes", "x export-ignore\n")},
		 {TEXT("a/.gitattributes", "x export-ignore\n"), README},
		 "export-attributes a/.gitattributes\n"},
		{"export attributes, new",
		 {},
		 {TEXT(".gitattributes", "x export-subst\n")},
		 "export-attributes .gitattributes\nattributes-changed .gitattributes\n"},
		{"flake, nothing deployed",
		 {},
		 {TEXT("flake.nix", "{}\n"), TEXT("flake.lock", "{}\n")},
		 ""},
		{"flake and lock",
		 {TEXT("flake.nix", "{}\n"), TEXT("flake.lock", "{}\n")},
		 {TEXT("flake.nix", "{ }\n"), TEXT("flake.lock", "{ }\n")},
		 "lock-moved flake.lock\nflake-changed flake.nix\n"},
		{"flake added",
		 {README},
		 {README, TEXT("flake.nix", "{}\n")},
		 "flake-changed flake.nix\n"},
		{"flake elsewhere", {README}, {README, TEXT("a/flake.nix", "{}\n")}, ""},
	};

	run_cases(*state, cases, ARRAY_SIZE(cases));
}

static void test_attributes(void **state)
{
	static const struct {
		const char *text;
		bool converts;
	} cases[] = {
		{"", false},
		{"* text\n", true},
		{"* text=auto", true},
		{"* -text\n", false},
		{"* !text\n", false},
		{"*\teol=lf\n", true},
		{"* crlf=input\n", true},
		{"* ident\n", true},
		{"* diff ident\r\n", true},
		{"*.bin filter=lfs diff=lfs merge=lfs -text\n", true},
		{"* working-tree-encoding=UTF-16\n", true},
		{"* export-ignore\n", true},
		{"a export-subst\n", true},
		{"# * export-ignore\n", false},
		{"   # * export-ignore\n", false},
		{"  a export-ignore\n", true},
		{"text diff\n", false},
		{"\"my text file\" diff\n", false},
		{"\"my \\\" text\" text\n", true},
		{"\"never closed text\n", false},
		{"[attr]mine text\n", true},
		{"* binary\n", false},
		{"* -diff linguist-generated\n", false},
		{"* texture textual eols\n", false},
		{"a diff\nb diff\nc text\n", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (risk_attributes_convert(cases[i].text, strlen(cases[i].text)) !=
		    cases[i].converts)
			fail_msg("'%s'", cases[i].text);
}

static void test_collisions(void **state)
{
	static const struct risk_case cases[] = {
		{"case",
		 {},
		 {TEXT("a/File", "1"), TEXT("a/file", "2")},
		 "case-collision a/file\n"},
		{"other directories", {}, {TEXT("a/File", "1"), TEXT("b/file", "2")}, ""},
		{"directory and file",
		 {},
		 {TEXT("Dir/x", "1"), TEXT("dir", "2")},
		 "case-collision dir\n"},
		{"encodings of an accent",
		 {},
		 {TEXT("caf" NFC_E, "1"), TEXT("caf" NFD_E, "2")},
		 "case-collision caf" NFC_E "\n"},
		{"sharp s",
		 {},
		 {TEXT("stra" SHARP_S "e", "1"), TEXT("STRASSE", "2")},
		 "case-collision stra" SHARP_S "e\n"},
		{"accent or none", {}, {TEXT("caf" NFC_E, "1"), TEXT("cafe", "2")}, ""},
	};

	run_cases(*state, cases, ARRAY_SIZE(cases));
}

static void test_text(void **state)
{
	static const struct risk_case cases[] = {
		{"bidi", {}, {TEXT("f", "a\nb" RLO "c\n")}, "invisible-characters f:2\n"},
		{"zero width", {}, {TEXT("f", "ab" ZWSP "cd\n")}, "invisible-characters f:1\n"},
		{"mark at the beginning",
		 {},
		 {TEXT("f", BOM "x\n")},
		 "invisible-characters f:1\n"},
		{"escape sequence",
		 {},
		 {TEXT("f", "x\n\033[8mhidden\n")},
		 "invisible-characters f:2\n"},
		{"carriage return over the line",
		 {},
		 {TEXT("f", "evil\rgood\n")},
		 "invisible-characters f:1\n"},
		{"lines of DOS", {}, {TEXT("f", "a\r\nb\r\n")}, ""},
		{"C1 control",
		 {},
		 {TEXT("f", "a\xc2\x9b"
			    "2J\n")},
		 "invisible-characters f:1\n"},
		{"Cyrillic in a Latin word",
		 {},
		 {TEXT("f", "x\np" CYR_A "ypal\n")},
		 "mixed-script f:2\n"},
		{"Cyrillic words among Latin ones",
		 {},
		 {TEXT("f", "a " CYR_A CYR_O " b-" CYR_A "\n")},
		 ""},
		{"parted by a digit", {}, {TEXT("f", "x1" CYR_A "\n")}, "mixed-script f:1\n"},
		{"parted by nothing visible",
		 {},
		 {TEXT("f", "x" ZWSP CYR_A "\n")},
		 "invisible-characters f:1\nmixed-script f:1\n"},
		{"Greek look-alike",
		 {},
		 {TEXT("f", "r" GREEK_OMICRON "ot\n")},
		 "mixed-script f:1\n"},
		{"Greek that is known as Greek", {}, {TEXT("f", "5 " GREEK_MU "s\n")}, ""},
		{"mathematical letters",
		 {},
		 {TEXT("f", "ro\xf0\x9d\x90\xa8t\n")},
		 "mixed-script f:1\n"},
		{"German",
		 {},
		 {TEXT("f", "gr\xc3\xb6\xc3\x9f"
			    "e\n")},
		 ""},
		{"not UTF-8",
		 {},
		 {TEXT("f", "gr\xf6\xdf"
			    "e\n")},
		 ""},
		{"seen before: only the new line",
		 {TEXT("f", "old" ZWSP "\nplain\n")},
		 {TEXT("f", "first\nold" ZWSP "\nnew" ZWSP "\n")},
		 "invisible-characters f:3\n"},
		{"a name",
		 {},
		 {TEXT("p" CYR_A "ypal", "x\n")},
		 "mixed-script p" CYR_A "ypal\n"},
		{"inside a link's target",
		 {},
		 {LINK("l", "p" CYR_A "ypal")},
		 "mixed-script l:1\n"},
	};

	run_cases(*state, cases, ARRAY_SIZE(cases));
}

static void test_files(void **state)
{
	static const struct risk_case cases[] = {
		{"nothing", {README}, {README}, ""},
		{"mode alone",
		 {{.path = "f", .data = "x"}},
		 {{.path = "f", .data = "x", .mode = "100755"}},
		 "mode-changed f\n"},
		{"mode and content",
		 {{.path = "f", .data = "x", .mode = "100755"}},
		 {{.path = "f", .data = "y"}},
		 "mode-changed f\n"},
		{"file becomes a link", {TEXT("f", "x")}, {LINK("f", "x")}, "mode-changed f\n"},
		{"a new program is no change",
		 {README},
		 {README, {.path = "f", .data = "x", .mode = "100755"}},
		 ""},
		{"binary", {}, {{.path = "f", .data = "a\0b", .size = 3}}, "binary-file f\n"},
		{"binary, unchanged",
		 {{.path = "f", .data = "a\0b", .size = 3}, README},
		 {{.path = "f", .data = "a\0b", .size = 3}},
		 ""},
	};

	run_cases(*state, cases, ARRAY_SIZE(cases));
}

static void test_manifest(void **state)
{
	static const struct risk_case cases[] = {
		{"none", {README}, {README}, ""},
		{"empty", {}, {TEXT("agent.json", "{}")}, ""},
		{"a link",
		 {},
		 {LINK("agent.json", "other")},
		 "manifest-invalid agent.json: 'agent.json' in commit"},
		{"more memory than the default",
		 {},
		 {TEXT("agent.json", "{\"limits\":{\"memory_max\":\"4G\"}}")},
		 "limits-up agent.json: memory_max from 2G to 4G\n"},
		{"less",
		 {},
		 {TEXT("agent.json",
		       "{\"limits\":{\"memory_max\":\"1G\",\"cpu_quota\":\"10%\"}}")},
		 ""},
		{"all",
		 {},
		 {TEXT("agent.json", "{\"limits\":{\"memory_max\":\"3G\",\"cpu_quota\":\"60%\","
				     "\"tasks_max\":5000}}")},
		 "limits-up agent.json: memory_max from 2G to 3G\n"
		 "limits-up agent.json: cpu_quota from 50% to 60%\n"
		 "limits-up agent.json: tasks_max from 4096 to 5000\n"},
		{"asked before, and what it has is the operator's",
		 {TEXT("agent.json", "{\"limits\":{\"memory_max\":\"4G\"}}")},
		 {TEXT("agent.json", "{\"limits\":{\"memory_max\":\"4G\"}}"), README},
		 ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].new[0].mode) {
			/* the text ends in the commit's id */
			struct flags flags = {};
			struct error err = {};
			char commit[OID_HEX_SIZE];

			put_files(*state, NULL, cases[i].new, 1, commit);
			expect_ok(risk_scan(((struct fixture *)*state)->repo, NULL, commit,
					    NULL, &flags, &err),
				  &err);
			assert_int_equal(flags.count, 1);
			assert_int_equal(flags.items[0].kind, FLAG_MANIFEST_INVALID);
			flags_release(&flags);
			continue;
		}
		run_cases(*state, &cases[i], 1);
	}
}

static void test_limits_against_current(void **state)
{
	struct fixture *f = *state;
	static const struct limits current = {512 << 20, 20, 100};
	static const struct file asking[] = {
		TEXT("agent.json", "{\"limits\":{\"memory_max\":\"512M\"}}")};
	static const struct file silent[] = {TEXT("agent.json", "{}")};
	char base[OID_HEX_SIZE], commit[OID_HEX_SIZE];
	struct flags flags = {};
	_cleanup_buf_ struct buf text = {};
	struct error err = {};

	put_files(f, NULL, asking, 1, base);
	put_files(f, base, silent, 1, commit);
	/* no request any more: the default comes back, and it is more; what was never asked for
	 * stays */
	expect_ok(risk_scan(f->repo, base, commit, &current, &flags, &err), &err);
	render(&flags, &text);
	assert_string_equal(buf_str(&text),
			    "limits-up agent.json: memory_max from 512M to 2G\n");
	flags_release(&flags);
}

static void test_invalid_manifest(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"", "{", "[]", "{\"nonsense\":1}",
					  "{\"limits\":{\"memory_max\":\"1Q\"}}"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct file file = TEXT("agent.json", bad[i]);
		struct flags flags = {};
		struct error err = {};
		char commit[OID_HEX_SIZE];

		put_files(f, NULL, &file, 1, commit);
		expect_ok(risk_scan(f->repo, NULL, commit, NULL, &flags, &err), &err);
		assert_int_equal(flags.count, 1);
		assert_int_equal(flags.items[0].kind, FLAG_MANIFEST_INVALID);
		assert_int_equal(strncmp(flags.items[0].place, "agent.json: ", 12), 0);
		assert_null(strstr(flags.items[0].place + 12, "agent.json: ")); /* said once */
		flags_release(&flags);
	}
}

static void test_commit(void **state)
{
	struct fixture *f = *state;
	static const struct file readme = README;
	char tree[OID_HEX_SIZE], base[OID_HEX_SIZE], sibling[OID_HEX_SIZE],
		commit[OID_HEX_SIZE];
	struct flags flags = {};
	_cleanup_buf_ struct buf text = {};
	_cleanup_free_ char *hidden = NULL;
	struct error err = {};

	put_files(f, NULL, &readme, 1, base);
	expect_ok(repo_commit_tree(f->repo, base, tree, &err), &err);
	put_commit(f, tree, base, sibling);
	hidden = str_format(
		"tree %s\nauthor A <a@b> %d +0000\ncommitter A <a@b> %d +0000\n\nTitle\n\nx" RLO
		"y\n",
		tree, WALL, WALL);
	put_object(f, GIT_OBJECT_COMMIT, hidden, strlen(hidden), commit);
	expect_ok(risk_scan(f->repo, sibling, commit, NULL, &flags, &err), &err);
	render(&flags, &text);
	assert_string_equal(buf_str(&text),
			    "invisible-characters commit message:3\nhistory-rewritten \n");
	flags_release(&flags);
	expect_error(risk_scan(f->repo, NULL, tree, NULL, &flags, &err), ENOENT, tree, &err);
}

static void test_large(void **state)
{
	struct fixture *f = *state;
	char *big = mem_new(1, (256 << 10) + 2);
	struct file files[] = {{.path = "big", .data = big}, {.path = "long", .data = NULL}};
	_cleanup_buf_ struct buf many = {}, text = {};
	struct flags flags = {};
	struct error err = {};
	char commit[OID_HEX_SIZE];

	memset(big, 'b', (256 << 10) + 1);
	for (int i = 0; i < 2001; i++)
		buf_add_str(&many, "line\n");
	files[1].data = many.data;
	put_files(f, NULL, files, 2, commit);
	expect_ok(risk_scan(f->repo, NULL, commit, NULL, &flags, &err), &err);
	render(&flags, &text);
	assert_string_equal(buf_str(&text), "large-diff big\nlarge-diff long\n");
	flags_release(&flags);
	free(big);
}

/* Whatever there is too much of, the scan ends and says so. */
static void test_bounded(void **state)
{
	struct fixture *f = *state;
	enum { LINKS = 2000 };
	_cleanup_buf_ struct buf tree = {}, target = {};
	char oid[OID_HEX_SIZE], commit[OID_HEX_SIZE], last[OID_HEX_SIZE];
	struct flags flags = {};
	struct error err = {};

	/* 10^10 files */
	put_object(f, GIT_OBJECT_BLOB, "x", 1, oid);
	for (int level = 0; level < 10; level++) {
		_cleanup_buf_ struct buf bomb = {};

		for (int i = 0; i < 10; i++) {
			char name[2] = {(char)('0' + i), '\0'};

			add_entry(&bomb, level ? "40000" : "100644", name, oid);
		}
		put_object(f, GIT_OBJECT_TREE, bomb.data, bomb.size, oid);
	}
	put_commit(f, oid, NULL, commit);
	expect_error(risk_scan(f->repo, NULL, commit, NULL, &flags, &err), E2BIG, "more than",
		     &err);
	flags_release(&flags);

	/* links that are followed again and again: past a bound they count as leading out */
	for (int i = 0; i < 2000; i++)
		buf_add_str(&target, "l/");
	put_object(f, GIT_OBJECT_BLOB, target.data, target.size, oid);
	put_object(f, GIT_OBJECT_BLOB, ".", 1, last);
	for (int i = 0; i < LINKS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "k%05d", i);
		add_entry(&tree, "120000", name, oid);
	}
	add_entry(&tree, "120000", "l", last);
	put_object(f, GIT_OBJECT_TREE, tree.data, tree.size, oid);
	put_commit(f, oid, NULL, commit);
	expect_ok(risk_scan(f->repo, NULL, commit, NULL, &flags, &err), &err);
	assert_true(flags_has(&flags, FLAG_SYMLINK_ESCAPE));
	assert_string_not_equal(flags.items[0].place, "k00000");
	flags_release(&flags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_symlinks, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_control_files, fixture_setup,
						fixture_teardown),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test_setup_teardown(test_collisions, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_text, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_files, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_manifest, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_limits_against_current, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_invalid_manifest, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_commit, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_large, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_bounded, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
