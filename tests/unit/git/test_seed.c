#include "git/fixture.h"

#include "git/repo.h"
#include "git/seed.h"

#define URL "/applied/alice/.git"
#define FETCH "+refs/tags/*:refs/tags/applied/*"

struct seed_fixture {
	char dir[64];
};

static int seed_setup(void **state)
{
	struct seed_fixture *f = mem_new(1, sizeof(*f));

	umask(0022);
	strcpy(f->dir, "/tmp/skep-seed-XXXXXX");
	*state = f;
	return mkdtemp(f->dir) ? chdir(f->dir) : -1;
}

static int seed_teardown(void **state)
{
	struct seed_fixture *f = *state;
	struct error err = {};
	int r = chdir("/");

	if (r == 0)
		r = file_remove_tree(AT_FDCWD, f->dir, &err);
	free(f);
	return r;
}

/* What a command prints; the caller frees. */
static char *output_of(const char *command)
{
	_cleanup_free_ char *line =
		str_format("export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1; "
			   "{ %s; } 2>&1",
			   command);
	struct buf out = {};
	FILE *p = popen(line, "re");
	int c;

	assert_non_null(p);
	while ((c = fgetc(p)) != EOF)
		buf_add_char(&out, (char)c);
	if (pclose(p) != 0)
		fail_msg("%s: %s", command, buf_str(&out));
	return buf_take(&out);
}

static void expect_output(const char *command, const char *wanted)
{
	_cleanup_free_ char *out = output_of(command);

	if (strcmp(out ? out : "", wanted) != 0)
		fail_msg("%s: '%s', not '%s'", command, out ? out : "", wanted);
}

static int seed_one(const char *path, const char *data, bool symlink, struct error *err)
{
	const struct seed_file file = {path, data, strlen(data), symlink, false};

	return seed_repository(&file, 1, URL, WALL, err);
}

static void test_seed(void **state)
{
	static const struct seed_file files[] = {
		{"agent.json", "{}\n", 3, false, false},
		{"rootfs/etc/run", "#!/bin/sh\n", 10, false, true},
		{"rootfs/etc/link", "run", 3, true, false},
		{"empty", "", 0, false, false},
		/* which would have the next one stored differently */
		{".gitattributes", "* text eol=crlf\n*.bin filter=x\n", 31, false, false},
		{"crlf.bin", "a\r\nb\n", 5, false, false},
		{"\xc3\xbc/\xe6\xbc\xa2", "x", 1, false, false},
	};
	struct error err = {};

	(void)state;
	assert_int_equal(seed_repository(files, ARRAY_SIZE(files), URL, WALL, &err), 0);
	expect_output("git fsck --strict --no-dangling --no-progress", "");
	expect_output("git symbolic-ref HEAD", "refs/heads/main\n");
	expect_output("git log --format='%an <%ae> %cn <%ce> %at %P|%s'",
		      "skep <skep@localhost> skep <skep@localhost> 1700000000 |First state\n");
	expect_output("git config --get-all remote.applied.url", URL "\n");
	expect_output("git config --get-all remote.applied.fetch", FETCH "\n");
	expect_output("git config --get-all remote.applied.tagOpt", "--no-tags\n");
	expect_output("git config core.bare", "false\n");
	expect_output("git cat-file blob HEAD:crlf.bin | od -An -c",
		      "   a  \\r  \\n   b  \\n\n");
	expect_output("git ls-tree -r HEAD rootfs | cut -c1-6", "120000\n100755\n");
	expect_output("readlink rootfs/etc/link; stat -c %a rootfs/etc/run agent.json",
		      "run\n755\n644\n");
	/* once is enough */
	expect_error(seed_one("a", "b", false, &err), ENOTEMPTY, "not empty", &err);
}

static void test_applied_tags_stay_apart(void **state)
{
	struct error err = {};

	(void)state;
	assert_int_equal(seed_one("a", "1\n", false, &err), 0);
	expect_output("git status --porcelain", "");
	free(output_of("git init -q --bare other && git push -q other main:main && "
		       "git -C other tag proposal/1 main && git -C other -c user.name=A -c "
		       "user.email=a@b tag -m x deployed/1 main && "
		       "git config remote.applied.url other && git fetch -q applied"));
	expect_output("git for-each-ref --format='%(refname)' refs/tags",
		      "refs/tags/applied/deployed/1\nrefs/tags/applied/proposal/1\n");
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *path, *data;
		bool symlink;
		int errnum;
	} cases[] = {
		{"/etc/passwd", "x", false, EINVAL}, {"../x", "x", false, EINVAL},
		{"a/../x", "x", false, EINVAL},      {"a//x", "x", false, EINVAL},
		{"a/", "x", false, EINVAL},          {"", "x", false, EINVAL},
		{".git/config", "x", false, EINVAL}, {"a/.GIT/x", "x", false, EINVAL},
		{"a\nb", "x", false, EINVAL},        {"link", "", true, EINVAL},
	};
	const struct seed_file twice[] = {{"a", "1", 1, false, false},
					  {"a", "2", 1, false, false}};
	const struct seed_file through[] = {{"a", "/tmp", 4, true, false},
					    {"a/escaped", "2", 1, false, false}};
	struct seed_fixture *f = *state;
	struct error err = {};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = seed_one(cases[i].path, cases[i].data, cases[i].symlink, &err);

		if (r != -cases[i].errnum)
			fail_msg("'%s': %d %s", cases[i].path, r, error_text(&err));
		assert_int_equal(file_remove_tree(AT_FDCWD, f->dir, &err), 0);
		assert_int_equal(mkdir(f->dir, 0700) + chdir(f->dir), 0);
	}
	expect_error(seed_repository(twice, 2, URL, WALL, &err), EEXIST, "'a'", &err);
	assert_int_equal(file_remove_tree(AT_FDCWD, f->dir, &err), 0);
	assert_int_equal(mkdir(f->dir, 0700) + chdir(f->dir), 0);
	assert_true(seed_repository(through, 2, URL, WALL, &err) < 0);
	assert_false(exists("/tmp/escaped"));
}

/* The configuration before, and after a repair. NULL: the repair fails. */
static void test_repair(void **state)
{
#define CORE "[core]\n\tbare = false\n"
#define RIGHT \
	"[remote \"applied\"]\n\turl = " URL "\n\tfetch = " FETCH "\n\ttagopt = --no-tags\n"
#define OTHER "# mine\n[user]\n\tname = \"A\"   ; me\n[remote \"origin\"]\n\turl = x\n"
	static const struct {
		const char *before, *after;
	} cases[] = {
		{CORE RIGHT OTHER, CORE RIGHT OTHER},
		{CORE, CORE RIGHT},
		{CORE OTHER, CORE OTHER RIGHT},
		{"", RIGHT},
		{CORE "[remote \"applied\"]\n\turl = elsewhere\n\tfetch = " FETCH
		      "\n\ttagopt = --no-tags\n" OTHER,
		 CORE RIGHT OTHER},
		{CORE "[remote \"applied\"]\n\turl = " URL
		      "\n\tfetch = +refs/heads/*:refs/heads/*\n"
		      "\ttagopt = --no-tags\n",
		 CORE RIGHT},
		{"[core\n", NULL},
	};
	struct error err = {};

	(void)state;
	assert_int_equal(mkdir(".git", 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r;

		write_file(".git/config", cases[i].before);
		r = seed_repair_remote(URL, &err);
		if (cases[i].after)
			expect_ok(r, &err);
		else
			assert_true(r < 0);
		expect_output("cat .git/config",
			      cases[i].after ? cases[i].after : cases[i].before);
	}
	/* several of one kind become the one */
	write_file(".git/config",
		   CORE "[remote \"applied\"]\n\turl = a\n\turl = b\n\tfetch = c\n"
			"\tfetch = " FETCH "\n" OTHER);
	assert_int_equal(seed_repair_remote(URL, &err), 0);
	expect_output("git config -f .git/config --get-all remote.applied.url", URL "\n");
	expect_output("git config -f .git/config --get-all remote.applied.fetch", FETCH "\n");
	expect_output("git config -f .git/config user.name", "A\n");
}

static void test_repair_touches_nothing_odd(void **state)
{
	struct error err = {};

	(void)state;
	expect_error(seed_repair_remote(URL, &err), ENOENT, "no configuration", &err);
	assert_int_equal(mkdir(".git", 0700), 0);
	assert_int_equal(mkfifo(".git/config", 0600), 0);
	expect_error(seed_repair_remote(URL, &err), EINVAL, "no file", &err);
	assert_int_equal(unlink(".git/config"), 0);
	write_file("aside", "[core]\n");
	assert_int_equal(symlink("../aside", ".git/config"), 0);
	expect_error(seed_repair_remote(URL, &err), EINVAL, "no file", &err);
	expect_output("cat aside", "[core]\n");
	assert_int_equal(unlink(".git/config"), 0);
	write_file(".git/config", "[core]\n");
	assert_int_equal(truncate(".git/config", 2 << 20), 0);
	expect_error(seed_repair_remote(URL, &err), EINVAL, "reasonable size", &err);
}

#define seed_test(f) cmocka_unit_test_setup_teardown(f, seed_setup, seed_teardown)

/* A commit whose objects are there already: branch, work tree, index and remote. */
static void test_from_commit(void **state)
{
	static const struct seed_file files[] = {
		{"agent.json", "{}\n", 3, false, false},
		{"rootfs/bin/run", "#!/bin/sh\n", 10, false, true},
		{"rootfs/etc/link", "../bin/run", 10, true, false},
		{"rootfs/blob", "a\0b", 3, false, false},
	};
	_cleanup_free_ char *commit = NULL;
	struct error err = {};

	(void)state;
	assert_int_equal(mkdir("from", 0755), 0);
	assert_int_equal(mkdir("to", 0755), 0);
	assert_int_equal(chdir("from"), 0);
	assert_int_equal(seed_repository(files, ARRAY_SIZE(files), URL, WALL, &err), 0);
	commit = output_of("git rev-parse HEAD");
	commit[strcspn(commit, "\n")] = '\0';
	assert_int_equal(chdir("../to"), 0);
	free(output_of("mkdir .git && cp -r ../from/.git/objects .git/"));
	assert_int_equal(seed_from_commit(commit, URL, &err), 0);
	expect_output("git status --porcelain && git diff-files", "");
	expect_output("git symbolic-ref HEAD", "refs/heads/main\n");
	expect_output("diff -r --no-dereference -x .git . ../from", "");
	expect_output("stat -c %a rootfs/bin/run", "755\n");
	expect_output("git config remote.applied.url", URL "\n");
	expect_output("git fsck --strict 2>&1", "");
	/* only where there is nothing else, and only what is there */
	assert_int_equal(seed_from_commit(commit, URL, &err), -ENOTEMPTY);
	assert_int_equal(mkdir("../empty", 0755), 0);
	assert_int_equal(chdir("../empty"), 0);
	assert_true(seed_from_commit(commit, URL, &err) < 0);
	assert_int_equal(chdir(".."), 0);
}

/* One repository's objects are the other's too, without a byte copied, and outlive it. */
static void test_link_objects(void **state)
{
	struct seed_fixture *f = *state;
	_cleanup_free_ char *from = str_format("%s/a", f->dir),
			    *to = str_format("%s/b", f->dir);
	_cleanup_free_ char *commit = NULL, *read = NULL;
	struct error err = {};

	free(output_of(
		"mkdir a && cd a && git init -q && echo 1 > x && git add x && "
		"git -c user.name=m -c user.email=m@x commit -qm one && git gc -q && "
		"echo 2 > y && git add y && git -c user.name=m -c user.email=m@x commit -qm "
		"two && touch .git/objects/pack/tmp_pack_x"));
	commit = output_of("git -C a rev-parse HEAD");
	commit[strcspn(commit, "\n")] = '\0';
	assert_int_equal(repo_create(to, &err), 0);
	assert_int_equal(repo_link_objects(from, to, &err), 0);
	assert_int_equal(repo_link_objects(from, to, &err), 0);
	expect_output("ls b/.git/objects/pack | grep -c tmp || true", "0\n");
	expect_output("rm -r a", "");
	read = str_format("git -C b/.git log --format=%%s %s && git -C b/.git fsck --strict %s "
			  "2>&1 | grep -v '^notice\\|HEAD' || true",
			  commit, commit);
	expect_output(read, "two\none\n");
	assert_int_equal(repo_link_objects(from, to, &err), -ENOENT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		seed_test(test_seed),
		seed_test(test_applied_tags_stay_apart),
		seed_test(test_bad_files),
		seed_test(test_repair),
		seed_test(test_repair_touches_nothing_odd),
		seed_test(test_from_commit),
		seed_test(test_link_objects),
	};
	struct error err = {};

	return git_setup(false, &err) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
