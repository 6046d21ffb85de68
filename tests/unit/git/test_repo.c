#include "git/fixture.h"

#define EMPTY_TREE "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
#define ABSENT "00000000000000000000000000000000000000aa"

static void test_create(void **state)
{
	struct fixture *f = *state;
	static const char *const dirs[] = {"", "/.git", "/.git/objects", "/.git/objects/pack",
					   "/.git/refs/tags"};
	struct error err = {};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_free_ char *path = str_format("%s%s", f->dir, dirs[i]);

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 02750);
	}
	/* once more: nothing changes */
	expect_ok(repo_create(f->dir, &err), &err);
	assert_int_equal(run_git(f, "rev-parse --is-bare-repository | grep -qx true"), 0);
	assert_int_equal(run_git(f, "symbolic-ref HEAD | grep -qx refs/heads/main"), 0);
	assert_int_equal(run_git(f, "config pack.deltaCacheSize | grep -qx 1"), 0);
	assert_int_equal(run_git(f, "config gc.auto | grep -qx 0"), 0);
}

static void test_create_after_crash(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *dir = str_format("%s/other", f->top);
	_cleanup_free_ char *left = str_format("%s/.git.new", dir);
	_cleanup_free_ char *junk = str_format("%s/.git.new/config", dir);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct error err = {};

	assert_int_equal(mkdir(dir, 0750), 0);
	assert_int_equal(mkdir(left, 0750), 0);
	write_file(junk, "[core");
	expect_ok(repo_create(dir, &err), &err);
	assert_false(exists(left));
	expect_ok(repo_open(dir, &repo, &err), &err);
}

static void test_open_refused(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *git_dir = str_format("%s/.git", f->dir);
	_cleanup_free_ char *moved = str_format("%s/elsewhere", f->top);
	_cleanup_free_ char *absent = str_format("%s/absent", f->top);
	struct repo *repo = NULL;
	struct error err = {};

	expect_error(repo_open(absent, &repo, &err), ENOENT, "absent", &err);
	expect_error(repo_open_as(f->dir, geteuid() + 1, &repo, &err), EPERM, "belongs to uid",
		     &err);
	assert_int_equal(chmod(git_dir, 02770), 0);
	expect_error(repo_open(f->dir, &repo, &err), EPERM, "written by others", &err);
	assert_int_equal(chmod(git_dir, 02750), 0);
	assert_int_equal(rename(git_dir, moved), 0);
	assert_int_equal(symlink(moved, git_dir), 0);
	expect_error(repo_open(f->dir, &repo, &err), ENOTDIR, "not a directory", &err);
	assert_null(repo);
}

/* A home full of configuration, in place before libgit2 starts. */
static void make_home(char home[64])
{
	_cleanup_free_ char *user = NULL, *xdg = NULL, *xdg_file = NULL;

	strcpy(home, "/tmp/skep-test-XXXXXX");
	if (!mkdtemp(home))
		abort();
	user = str_format("%s/.gitconfig", home);
	xdg = str_format("%s/git", home);
	xdg_file = str_format("%s/git/config", home);
	if (mkdir(xdg, 0750) < 0)
		abort();
	write_file(user, "[user]\n\tname = Mallory\n[core]\n\tbigFileThreshold = 7\n");
	write_file(xdg_file, "[user]\n\temail = m@x\n");
	setenv("HOME", home, 1);
	setenv("XDG_CONFIG_HOME", home, 1);
}

/* Whatever the user's configuration says, nothing of it is seen. */
static void test_no_outside_configuration(void **state)
{
	struct fixture *f = *state;
	git_config *config = NULL;
	git_config_iterator *entries = NULL;
	git_config_entry *entry;

	assert_int_equal(git_repository_config(&config, f->repo->git), 0);
	assert_int_equal(git_config_iterator_new(&entries, config), 0);
	while (git_config_next(&entry, entries) == 0) {
		if (entry->level != GIT_CONFIG_LEVEL_LOCAL)
			fail_msg("%s comes from outside the repository", entry->name);
	}
	git_config_iterator_free(entries);
	git_config_free(config);
}

static void test_commits(void **state)
{
	struct fixture *f = *state;
	char tree[OID_HEX_SIZE], first[OID_HEX_SIZE], second[OID_HEX_SIZE], other[OID_HEX_SIZE],
		tag[OID_HEX_SIZE], got[OID_HEX_SIZE];
	_cleanup_free_ char *text = NULL, *title = NULL, *author = NULL;
	struct error err = {};
	bool is = false;

	put_object(f, GIT_OBJECT_TREE, "", 0, tree);
	assert_string_equal(tree, EMPTY_TREE);
	put_commit(f, tree, NULL, first);
	put_commit(f, tree, first, second);
	put_commit(f, tree, second, other);
	text = str_format("object %s\ntype commit\ntag t\ntagger A <a@b> %d +0000\n\nm\n",
			  second, WALL);
	put_object(f, GIT_OBJECT_TAG, text, strlen(text), tag);

	expect_ok(repo_peel_commit(f->repo, tag, got, &err), &err);
	assert_string_equal(got, second);
	expect_ok(repo_peel_commit(f->repo, first, got, &err), &err);
	assert_string_equal(got, first);
	expect_error(repo_peel_commit(f->repo, tree, got, &err), EINVAL, "is a tree", &err);
	expect_error(repo_peel_commit(f->repo, ABSENT, got, &err), ENOENT, ABSENT, &err);
	expect_error(repo_peel_commit(f->repo, "main", got, &err), EINVAL,
		     "'main' is not an object id", &err);
	expect_ok(repo_commit_tree(f->repo, second, got, &err), &err);
	assert_string_equal(got, EMPTY_TREE);
	expect_ok(repo_commit_summary(f->repo, first, &title, &author, &err), &err);
	assert_string_equal(title, "Title");
	assert_string_equal(author, "A <a@b>");

	expect_ok(repo_is_ancestor(f->repo, first, first, &is, &err), &err);
	assert_true(is);
	expect_ok(repo_is_ancestor(f->repo, first, other, &is, &err), &err);
	assert_true(is);
	expect_ok(repo_is_ancestor(f->repo, other, first, &is, &err), &err);
	assert_false(is);
	expect_error(repo_is_ancestor(f->repo, ABSENT, first, &is, &err), ENOENT, ABSENT, &err);
}

static void test_recover(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *path;
		bool stays;
	} files[] = {
		{"HEAD.lock", false},
		{"packed-refs.lock", false},
		{"packed-refs.new", false},
		{"packed-refs", true},
		{"refs/heads/main.lock", false},
		{"refs/tags/deployed.lock", false},
		{"refs/tags/proposal", true},
		{"objects/tmp_object_git2_a1b2c3", false},
		{"objects/pack/pack_git2_x", false},
		{"objects/pack/tmp_pack_x", false},
		{"objects/pack/.tmp-1-pack-x.pack", false},
		{"objects/pack/pack-1.idx.lock", false},
		{"objects/pack/pack-1.idx", false},
		{"objects/pack/pack-2.idx", true},
		{"objects/pack/pack-2.pack", true},
	};
	struct error err = {};
	int removed = 0, gone = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = str_format("%s/.git/%s", f->dir, files[i].path);

		write_file(path, "");
		gone += !files[i].stays;
	}
	expect_ok(repo_recover(f->dir, &removed, &err), &err);
	assert_int_equal(removed, gone);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = str_format("%s/.git/%s", f->dir, files[i].path);

		if (exists(path) != files[i].stays)
			fail_msg("%s %s", files[i].path,
				 files[i].stays ? "is gone" : "is still there");
	}
	expect_ok(repo_recover(f->dir, &removed, &err), &err);
	assert_int_equal(removed, 0);
}

/* libgit2's own temporary names are the ones that are removed: a writer is killed half-way, by
 * its file size limit. */
static void test_recover_real_leftovers(void **state)
{
	struct fixture *f = *state;
	struct error err = {};
	int removed = 0, status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		char oid[OID_HEX_SIZE];
		char *data = mem_new(1, 1 << 20);

		for (size_t i = 0; i < 1 << 20; i++)
			data[i] = (char)(i * 2654435761u >> 13);
		(void)signal(SIGXFSZ, SIG_DFL);
		(void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, 8192});
		put_object(f, GIT_OBJECT_BLOB, data, 1 << 20, oid);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	expect_ok(repo_recover(f->dir, &removed, &err), &err);
	assert_int_equal(removed, 1);
}

/* What is left of a removal that was cut short is no repository, and goes. */
static void test_remove(void **state)
{
	struct fixture *f = *state;
	char parent[PATH_MAX];
	_cleanup_free_ char *going = NULL, *inside = NULL;
	struct error err = {};
	char *slash;

	snprintf(parent, sizeof(parent), "%s", f->dir);
	slash = strrchr(parent, '/');
	*slash = '\0';
	going = str_format("%s/.going-%s", parent, slash + 1);
	inside = str_format("%s/file", going);
	expect_ok(file_make_path(going, 0755, &err), &err);
	write_file(inside, "nothing is renamed over a directory that has something in it");
	expect_ok(repo_remove(parent, slash + 1, &err), &err);
	assert_false(exists(f->dir));
	assert_false(exists(going));
	expect_ok(repo_remove(parent, slash + 1, &err), &err);

	expect_ok(file_make_path(going, 0755, &err), &err);
	expect_ok(repo_finish_removals(parent, &err), &err);
	assert_false(exists(going));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_remove, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_create, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_create_after_crash, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_open_refused, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_no_outside_configuration, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_commits, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_recover, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_recover_real_leftovers, fixture_setup,
						fixture_teardown),
	};
	char home[64];
	int failed;

	make_home(home);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)file_remove_tree(AT_FDCWD, home, NULL);
	return failed;
}
