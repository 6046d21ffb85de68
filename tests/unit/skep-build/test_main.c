/* The program itself: as root it must become the build's user; as anybody else it stays what it
 * is. */
#include "git/fixture.h"

#include "base/child.h"
#include "base/json.h"

enum { SKEP_UID = 64210, BUILD_UID = 64211, BUILD_GID = 64212 };

static const struct file good[] = {
	{.path = "agent.json", .data = "{\"description\":\"a\\u001b[2Jb\"}\n"},
	{.path = "rootfs/etc/motd", .data = "hello\n"},
	{.path = "rootfs/bin/x", .data = "#!/bin/sh\n", .mode = "100755"},
};

struct built {
	struct child_exit exit;
	struct buf log, result;
};

static void built_release(struct built *b)
{
	buf_release(&b->log);
	buf_release(&b->result);
}

/* As root the repository goes to skep with the build's group, and the directories to the
 * build's user. */
static void give_away(struct fixture *f, const char *out)
{
	_cleanup_free_ char *command = NULL;

	assert_int_equal(chmod(f->top, 0755), 0);
	assert_int_equal(mkdir(out, 0755), 0);
	assert_int_equal(chmod(out, 0755), 0);
	if (geteuid() != 0)
		return;
	command = str_format("chown -R %d:%d %s && chown %d %s", SKEP_UID, BUILD_GID, f->dir,
			     BUILD_UID, out);
	assert_int_equal(system(command), 0);
}

static void read_all(int fd, struct buf *ret)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(ret, chunk, (size_t)n);
	(void)close(fd);
}

static struct built run(const char *const *argv, const char *out)
{
	_cleanup_free_ char *dir = file_program_dir();
	_cleanup_free_ char *path = str_format("%s/../../skep-build", dir);
	int dir_fd = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC), log[2], result[2], pidfd;
	struct built ret = {};
	struct error err = {};
	pid_t pid;

	assert_true(dir_fd >= 0);
	assert_int_equal(pipe2(log, O_CLOEXEC), 0);
	assert_int_equal(pipe2(result, O_CLOEXEC), 0);
	const struct child_fd fds[] = {{log[1], 1}, {result[1], 3}, {dir_fd, 4}};
	const struct child_spec spec = {.path = path,
					.argv = argv,
					.fds = fds,
					.n_fds = ARRAY_SIZE(fds)};

	expect_ok(child_spawn(&spec, &pid, &pidfd, &err), &err);
	(void)close(log[1]);
	(void)close(result[1]);
	(void)close(dir_fd);
	read_all(log[0], &ret.log);
	read_all(result[0], &ret.result);
	assert_int_equal(child_wait(pidfd, 60000, &ret.exit), 0);
	(void)close(pidfd);
	return ret;
}

static struct built overlay(struct fixture *f, const char *commit, const char *tree,
			    const char *out)
{
	bool root = geteuid() == 0;
	_cleanup_free_ char *uid = str_format("%u", root ? BUILD_UID : (unsigned)geteuid());
	_cleanup_free_ char *gid = str_format("%u", root ? BUILD_GID : (unsigned)getegid());
	_cleanup_free_ char *owner = str_format("%u", root ? SKEP_UID : (unsigned)geteuid());
	const char *const argv[] = {"skep-build", "overlay", "--uid",  uid,      "--gid",
				    gid,          "--owner", owner,    "--repo", f->dir,
				    "--commit",   commit,    "--tree", tree,     NULL};

	return run(argv, out);
}

static struct built hash(const char *out)
{
	bool root = geteuid() == 0;
	_cleanup_free_ char *uid = str_format("%u", root ? BUILD_UID : (unsigned)geteuid());
	_cleanup_free_ char *gid = str_format("%u", root ? BUILD_GID : (unsigned)getegid());
	const char *const argv[] = {"skep-build", "hash", "--uid", uid, "--gid", gid, NULL};

	return run(argv, out);
}

static void expect_result(const struct built *b, bool ok, const char *key, const char *value)
{
	json_t *result = NULL;
	struct error err = {};

	expect_ok(json_parse(buf_str(&b->result), b->result.size, &result, &err), &err);
	if (json_is_true(json_object_get(result, "ok")) != ok ||
	    !strstr(json_string_value(json_object_get(result, key)), value))
		fail_msg("wanted %s '%s' in %s", key, value, buf_str(&b->result));
	assert_false(b->exit.signaled);
	assert_int_equal(b->exit.status, ok ? 0 : 1);
	json_decref(result);
}

static void test_overlay(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *out = str_format("%s/out", f->top);
	_cleanup_free_ char *file = str_format("%s/out/rootfs/bin/x", f->top);
	_cleanup_(built_release) struct built built = {}, again = {}, hashed = {};
	char commit[OID_HEX_SIZE], tree[OID_HEX_SIZE];
	struct error err = {};
	struct stat st;

	put_files(f, NULL, good, ARRAY_SIZE(good), commit);
	expect_ok(repo_commit_tree(f->repo, commit, tree, &err), &err);
	give_away(f, out);
	built = overlay(f, commit, tree, out);
	expect_result(&built, true, "tree", tree);
	assert_non_null(strstr(buf_str(&built.log), "wrote 3 files"));
	assert_null(strchr(buf_str(&built.log), '\033'));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0755);
	if (geteuid() == 0)
		assert_int_equal(st.st_uid, BUILD_UID);
	hashed = hash(out);
	expect_result(&hashed, true, "tree", tree);
	again = overlay(f, commit, tree, out);
	expect_result(&again, false, "error", "not empty");
}

static void test_overlay_refused(void **state)
{
	struct fixture *f = *state;
	static const struct file bad[] = {
		{.path = "agent.json", .data = "{\"descripion\":\"typo\"}\n"}};
	_cleanup_free_ char *out = str_format("%s/out", f->top);
	_cleanup_(built_release) struct built wrong_tree = {}, manifest = {}, absent = {};
	char commit[OID_HEX_SIZE], bad_commit[OID_HEX_SIZE], tree[OID_HEX_SIZE],
		bad_tree[OID_HEX_SIZE];
	struct error err = {};

	put_files(f, NULL, good, ARRAY_SIZE(good), commit);
	put_files(f, NULL, bad, ARRAY_SIZE(bad), bad_commit);
	expect_ok(repo_commit_tree(f->repo, commit, tree, &err), &err);
	expect_ok(repo_commit_tree(f->repo, bad_commit, bad_tree, &err), &err);
	give_away(f, out);
	wrong_tree = overlay(f, commit, bad_tree, out);
	expect_result(&wrong_tree, false, "error", "has tree");
	manifest = overlay(f, bad_commit, bad_tree, out);
	expect_result(&manifest, false, "error", "descripion");
	assert_non_null(strstr(buf_str(&manifest.log), "error: agent.json: "));
	absent = overlay(f, "00000000000000000000000000000000000000aa", tree, out);
	expect_result(&absent, false, "error", "no object");
}

/* It is nobody else's files that it can read: as root, the drop must have happened before. */
static void test_privileges_dropped(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *out = str_format("%s/out", f->top);
	_cleanup_free_ char *git_dir = str_format("%s/.git", f->dir);
	_cleanup_(built_release) struct built built = {};
	char commit[OID_HEX_SIZE], tree[OID_HEX_SIZE];
	struct error err = {};

	put_files(f, NULL, good, ARRAY_SIZE(good), commit);
	expect_ok(repo_commit_tree(f->repo, commit, tree, &err), &err);
	give_away(f, out);
	assert_int_equal(chmod(git_dir, 0), 0);
	built = overlay(f, commit, tree, out);
	assert_int_equal(chmod(git_dir, 0750), 0);
	expect_result(&built, false, "error", ".git");
}

static void test_usage(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[][12] = {
		{"skep-build"},
		{"skep-build", "--help"},
		{"skep-build", "hash"},
		{"skep-build", "hash", "--uid", "0", "--gid", "5"},
		{"skep-build", "hash", "--uid", "5", "--gid", "0"},
		{"skep-build", "hash", "--uid", "-1", "--gid", "5"},
		{"skep-build", "hash", "--uid", "5x", "--gid", "5"},
		{"skep-build", "hash", "--uid", "4294967295", "--gid", "5"},
		{"skep-build", "hash", "--uid", "5", "--gid", "5", "extra"},
		{"skep-build", "overlay", "--uid", "5", "--gid", "5"},
		{"skep-build", "overlay", "--uid", "5", "--gid", "5", "--commit", "main"},
		{"skep-build", "nonsense", "--uid", "5", "--gid", "5"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(built_release) struct built built = run(bad[i], f->top);

		if (built.exit.status != 2)
			fail_msg("case %zu exits with %d", i, built.exit.status);
		assert_int_equal(built.result.size, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_overlay, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_overlay_refused, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_privileges_dropped, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_usage, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
