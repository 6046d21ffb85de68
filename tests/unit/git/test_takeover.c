/* A repository of another controller, made by git itself, and what is understood of it. */
#include "git/reader_process.h"

#include "base/json.h"
#include "git/commit.h"
#include "git/refs.h"
#include "git/takeover.h"

#define FLAKE "{ outputs = { self }: { nixosModules.default = import ./agent.nix; }; }\n"

/* Runs a script in <top>/theirs, a repository with a first commit that holds agent.nix. */
static void theirs(struct fixture *f, const char *script)
{
	_cleanup_free_ char *command =
		str_format("set -e; export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1; cd %s; "
			   "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
			   "GIT_COMMITTER_EMAIL=a@b; "
			   "test -d theirs || { git init -q -b main theirs; cd theirs; echo '{ "
			   "}' > agent.nix; "
			   "git add -A; git commit -q -m first; cd ..; }; cd theirs; "
			   "next() { echo \"$1\" >> agent.nix; git commit -qam \"$1\"; }; %s",
			   f->top, script);

	assert_int_equal(system(command), 0);
}

static json_t *take(struct fixture *f, const char *skip, int *ret, struct error *err)
{
	_cleanup_free_ char *dir = str_format("%s/theirs", f->top);
	const struct limits current = {1 << 30, 50, 100};
	const struct takeover_order order = {
		.limits = &import_limits_default,
		.current = &current,
		.flake = FLAKE,
		.skip = skip,
		.wall_s = WALL,
	};
	json_t *result = json_object();
	_cleanup_close_ int fd = -1, pidfd = -1;
	struct child_exit exit;

	expect_ok(reader_process_start(dir, NULL, &fd, &pidfd, err), err);
	*ret = takeover_read(f->repo, fd, &order, result, err);
	closep(&fd);
	fd = -1;
	assert_int_equal(child_wait(pidfd, 10000, &exit), 0);
	return result;
}

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static const json_t *number(const json_t *result, int64_t id)
{
	json_t *one;
	size_t i;

	json_array_foreach (json_object_get(result, "numbers"), i, one)
		if (json_integer_value(json_object_get(one, "id")) == id)
			return one;
	return NULL;
}

static bool is_warned(const json_t *result, const char *part)
{
	json_t *one;
	size_t i;

	json_array_foreach (json_object_get(result, "warnings"), i, one)
		if (strstr(json_string_value(one), part))
			return true;
	return false;
}

static void test_today(void **state)
{
	struct fixture *f = *state;
	struct error err = {};
	const json_t *n;
	json_t *result;
	int r;

	theirs(f, "git tag deployed/0; next one; git tag proposal/3; git tag approved/3; "
		  "git tag building/3; git tag deployed/3; next two; git tag proposal/5; "
		  "git tag -a -m 'because\n# so' --cleanup=verbatim denied/5; "
		  "git tag -a -m word other/7; git tag proposal/9; git tag v1; "
		  "git tag proposal/99999999999; git pack-refs --all");
	result = take(f, " ", &r, &err);
	expect_ok(r, &err);
	assert_string_equal(text(result, "layout"), "today");
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(result, "deployed"), "id")),
			 3);
	assert_int_equal(json_array_size(json_object_get(result, "numbers")), 3);
	n = number(result, 3);
	assert_string_equal(text(n, "state"), "deployed");
	assert_string_equal(text(n, "title"), "one");
	assert_int_equal(json_array_size(json_object_get(n, "families")), 4);
	assert_string_equal(text(n, "base"), text(json_object_get(result, "first"), "commit"));
	n = number(result, 5);
	assert_string_equal(text(n, "state"), "denied");
	assert_string_equal(text(n, "text"), "because\n# so");
	assert_string_equal(text(n, "base"), text(number(result, 3), "commit"));
	n = number(result, 9);
	assert_string_equal(text(n, "state"), "proposal");
	assert_non_null(json_object_get(n, "flags"));
	assert_true(is_warned(result, "main is at"));
	assert_true(is_warned(result, "99999999999"));
	json_decref(result);
}

/* Nothing was ever tagged as deployed: main with our flake.nix is the first. */
static void test_old(void **state)
{
	struct fixture *f = *state;
	_cleanup_buf_ struct buf flake = {};
	struct error err = {};
	const char *commit;
	json_t *result;
	int r;

	theirs(f, "echo old > flake.nix; git add -A; next more; git checkout -q --detach");
	result = take(f, " ", &r, &err);
	expect_ok(r, &err);
	commit = text(json_object_get(result, "deployed"), "commit");
	assert_string_equal(text(result, "layout"), "old");
	assert_string_equal(text(json_object_get(result, "first"), "commit"), commit);
	expect_ok(commit_read_file(f->repo, commit, "flake.nix", 1000, &flake, &err), &err);
	assert_string_equal(buf_str(&flake), FLAKE);
	buf_truncate(&flake, 0);
	expect_ok(commit_read_file(f->repo, commit, "agent.nix", 1000, &flake, &err), &err);
	json_decref(result);
}

/* What breaks a rule is left out where nothing depends on it, and an error where it is what
 * runs. */
static void test_refused(void **state)
{
	static const char gitlink[] =
		"git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),module; "
		"git commit -qm link; ";
	_cleanup_free_ char *denied = str_format(
		"git tag deployed/0; %sgit tag proposal/4; git tag -a -m no denied/4", gitlink);
	struct fixture *f = *state;
	struct error err = {};
	json_t *result;
	int r;

	theirs(f, denied);
	result = take(f, " ", &r, &err);
	expect_ok(r, &err);
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(result, "refused"), "id")),
			 4);
	assert_null(json_object_get(result, "deployed"));
	json_decref(result);
	result = take(f, " 4 ", &r, &err);
	expect_ok(r, &err);
	assert_int_equal(strlen(text(number(result, 4), "skipped")), OID_HEX_SIZE - 1);
	assert_null(json_object_get(number(result, 4), "commit"));
	json_decref(result);
	theirs(f, "git tag deployed/6");
	result = take(f, " 4 ", &r, &err);
	expect_error(r, EINVAL, "deployed/6", &err);
	json_decref(result);
}

static void test_nothing(void **state)
{
	struct fixture *f = *state;
	struct error err = {};
	json_t *result;
	int r;

	theirs(f, "git update-ref -d refs/heads/main");
	result = take(f, " ", &r, &err);
	expect_error(r, ENOENT, "main", &err);
	json_decref(result);
}

/* Nothing that the references or the store lead to outside is found. */
static void test_leads_outside(void **state)
{
	struct fixture *f = *state;
	struct error err = {};
	json_t *result;
	int r;

	theirs(f, "git tag deployed/0; git clone -q --bare . ../outside; "
		  "rm -rf .git/objects/[0-9a-f][0-9a-f]; "
		  "echo \"$(readlink -f ../outside)/objects\" > .git/objects/info/alternates; "
		  "git cat-file -e HEAD; ln -s ../../../../agent.nix .git/refs/tags/link; "
		  ": > .git/refs/tags/empty");
	result = take(f, " ", &r, &err);
	expect_error(r, ENOENT, "missing", &err);
	json_decref(result);
}

static json_t *look(struct fixture *f)
{
	_cleanup_free_ char *dir = str_format("%s/theirs", f->top);
	_cleanup_close_ int fd = -1, pidfd = -1;
	json_t *result = json_object();
	struct child_exit exit;
	struct error err = {};

	expect_ok(reader_process_start(dir, NULL, &fd, &pidfd, &err), &err);
	expect_ok(takeover_look(fd, 10000, result, &err), &err);
	closep(&fd);
	fd = -1;
	assert_int_equal(child_wait(pidfd, 10000, &exit), 0);
	return result;
}

static void test_work_tree(void **state)
{
	struct fixture *f = *state;
	json_t *result;

	umask(0022);
	theirs(f, "mkdir sub; echo x > sub/x; git add -A; next sub");
	result = look(f);
	assert_string_equal(text(result, "branch"), "refs/heads/main");
	assert_true(json_is_true(json_object_get(result, "clean")));
	json_decref(result);
	theirs(f, "echo more >> sub/x; git checkout -q --detach");
	result = look(f);
	assert_null(json_object_get(result, "branch"));
	assert_int_equal(strlen(text(result, "head")), OID_HEX_SIZE - 1);
	assert_true(json_is_false(json_object_get(result, "clean")));
	json_decref(result);
}

static void test_file(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *dir = str_format("%s/theirs", f->top);
	_cleanup_close_ int fd = -1, pidfd = -1;
	_cleanup_buf_ struct buf lock = {};
	struct error err = {};

	theirs(f, "echo locked > flake.lock; git add -A; next lock");
	expect_ok(reader_process_start(dir, NULL, &fd, &pidfd, &err), &err);
	expect_ok(takeover_file(f->repo, fd, "flake.lock", 100, &import_limits_default, &lock,
				&err),
		  &err);
	assert_string_equal(buf_str(&lock), "locked\n");
}

#define takeover_test(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		takeover_test(test_today),         takeover_test(test_old),
		takeover_test(test_refused),       takeover_test(test_nothing),
		takeover_test(test_leads_outside), takeover_test(test_work_tree),
		takeover_test(test_file),
	};
	int status = reader_process_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
