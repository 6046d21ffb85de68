/* Packs and loose objects become one pack and nothing is lost, read back by git. */
#include "git/fixture.h"

#include "git/refs.h"
#include "git/repack.h"

/* Packs by git's own hand, each with one commit, and loose objects beside them. */
static void fill(struct fixture *f, int packs)
{
	_cleanup_free_ char *script = str_format(
		"rev-parse && cd %s/.git && for i in $(seq %d); do "
		"t=$(echo $i | git hash-object -w --stdin) && "
		"t=$(printf '100644 blob %%s\\tf\\n' $t | git mktree) && "
		"c=$(echo $i | git -c user.name=a -c user.email=a@b commit-tree $t) && "
		"git update-ref refs/tags/deployed/$i $c && git repack -q -d; done && "
		"echo loose | git hash-object -w --stdin > /dev/null && "
		"echo unreachable | git hash-object -w --stdin > /dev/null",
		f->dir, packs);

	assert_int_equal(run_git(f, script), 0);
}

static void list_objects(struct fixture *f, const char *to)
{
	_cleanup_free_ char *script =
		str_format("cat-file --batch-all-objects --batch-check > %s/%s", f->top, to);

	assert_int_equal(run_git(f, script), 0);
}

static void test_one_pack(void **state)
{
	struct fixture *f = *state;
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct error err = {};
	bool due = true;

	expect_ok(repack_is_due(f->dir, &due, &err), &err);
	assert_false(due);
	fill(f, 14);
	expect_ok(repack_is_due(f->dir, &due, &err), &err);
	assert_true(due);
	list_objects(f, "before");
	expect_ok(repo_open(f->dir, &repo, &err), &err);
	expect_ok(repack_all(repo, &err), &err);
	list_objects(f, "after");
	assert_int_equal(run_git(f, "rev-parse && cmp ../before ../after"), 0);
	assert_int_equal(run_git(f, "count-objects -v | grep -qx 'count: 0'"), 0);
	assert_int_equal(run_git(f, "count-objects -v | grep -qx 'packs: 1'"), 0);
	assert_int_equal(run_git(f, "fsck --strict"), 0);
	expect_ok(repack_is_due(f->dir, &due, &err), &err);
	assert_false(due);
	/* the same again makes the same pack, which must not go as an old one */
	expect_ok(repack_all(repo, &err), &err);
	list_objects(f, "again");
	assert_int_equal(run_git(f, "rev-parse && cmp ../before ../again"), 0);
	expect_ok(refs_pack(repo, &err), &err);
	assert_int_equal(run_git(f, "rev-parse refs/tags/deployed/14"), 0);
	assert_int_equal(run_git(f, "rev-parse && test ! -e .git/refs/tags/deployed/14"), 0);
}

static void test_drop_empty(void **state)
{
	struct fixture *f = *state;
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct error err = {};

	fill(f, 2);
	expect_ok(repo_open(f->dir, &repo, &err), &err);
	expect_ok(repack_all(repo, &err), &err);
	expect_ok(refs_pack(repo, &err), &err);
	assert_int_equal(run_git(f, "rev-parse && echo more | git hash-object -w --stdin && "
				    "mkdir -p .git/objects/info .git/refs/tags/a/b"),
			 0);
	list_objects(f, "before");
	expect_ok(repack_drop_empty(f->dir, &err), &err);
	list_objects(f, "after");
	assert_int_equal(run_git(f, "rev-parse && cmp ../before ../after"), 0);
	/* the one object, what git wants to be there, and nothing below */
	assert_int_equal(
		run_git(f, "rev-parse && test \"$(cd .git && echo objects/* refs/*/*)\" = "
			   "'objects/ef objects/info objects/pack refs/*/*'"),
		0);
	assert_int_equal(run_git(f,
				 "rev-parse && test -d .git/refs/heads -a -d .git/refs/tags"),
			 0);
	assert_int_equal(run_git(f, "fsck --strict"), 0);
}

static void test_empty(void **state)
{
	struct fixture *f = *state;
	struct error err = {};

	expect_ok(repack_all(f->repo, &err), &err);
	assert_int_equal(run_git(f, "count-objects -v | grep -qx 'packs: 0'"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_pack, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_drop_empty, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_empty, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
