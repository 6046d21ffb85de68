/* References and commits written and repositories removed while system calls fail: what was
 * refused is not there, and nothing is there by half. */
#include "faulty.h"

#include "git/fixture.h"
#include "git/commit.h"
#include "git/refs.h"

#define NAME "refs/tags/proposal/1"
#define MOST 200

static const struct {
	enum fault_kind kind;
	int errnum;
} troubles[] = {
	{FAULT_WRITE, ENOSPC},  {FAULT_WRITE, FAULT_SHORT}, {FAULT_SYNC, EIO},
	{FAULT_CREATE, ENOSPC}, {FAULT_NAME, EIO},          {FAULT_OPEN, EMFILE},
};

static struct fault_plan plan;

/* Where it is; "" nowhere. */
static const char *place_of(struct fixture *f, char ret[OID_HEX_SIZE])
{
	struct error err = {};

	ret[0] = '\0';
	if (refs_read(f->repo, NAME, ret, &err) < 0)
		assert_int_equal(err.err, -ENOENT);
	return ret;
}

static void take_away(struct fixture *f)
{
	int removed;

	/* of a lock that could not be removed */
	assert_int_equal(repo_recover(f->dir, &removed, NULL), 0);
	assert_int_equal(refs_delete(f->repo, NAME, NULL), 0);
}

static void test_create(void **state)
{
	struct fixture *f = *state;
	char a[OID_HEX_SIZE], now[OID_HEX_SIZE];

	put_object(f, GIT_OBJECT_BLOB, "a", 1, a);
	for (size_t i = 0; i < ARRAY_SIZE(troubles); i++) {
		bool hit = true;

		for (long n = 0; n < MOST && hit; n++) {
			struct error err = {};
			int r;

			fault_arm(&plan, troubles[i].kind, troubles[i].errnum, false, n);
			r = refs_create(f->repo, NAME, a, &err);
			hit = fault_disarm(&plan);
			assert_string_equal(place_of(f, now), r < 0 ? "" : a);
			assert_true(r == 0 || err.text[0]);
			take_away(f);
		}
		assert_false(hit);
	}
}

static void test_move(void **state)
{
	struct fixture *f = *state;
	char a[OID_HEX_SIZE], b[OID_HEX_SIZE], now[OID_HEX_SIZE];

	put_object(f, GIT_OBJECT_BLOB, "a", 1, a);
	put_object(f, GIT_OBJECT_BLOB, "b", 1, b);
	for (size_t i = 0; i < ARRAY_SIZE(troubles); i++) {
		bool hit = true;

		for (long n = 0; n < MOST && hit; n++) {
			struct error err = {};
			int r;

			expect_ok(refs_create(f->repo, NAME, a, &err), &err);
			fault_arm(&plan, troubles[i].kind, troubles[i].errnum, false, n);
			r = refs_move(f->repo, NAME, b, a, &err);
			hit = fault_disarm(&plan);
			assert_string_equal(place_of(f, now), r < 0 ? a : b);
			take_away(f);
		}
		assert_false(hit);
	}
}

/* Without descriptors nobody can even look: then that is what is said. */
static void test_doubt(void **state)
{
	struct fixture *f = *state;
	char a[OID_HEX_SIZE], now[OID_HEX_SIZE];
	int doubts = 0;
	bool hit = true;

	put_object(f, GIT_OBJECT_BLOB, "a", 1, a);
	for (long n = 0; n < MOST && hit; n++) {
		struct error err = {};
		int r;

		fault_arm(&plan, FAULT_OPEN, EMFILE, true, n);
		r = refs_create(f->repo, NAME, a, &err);
		hit = fault_disarm(&plan);
		if (r == -ENOTRECOVERABLE)
			doubts++;
		else
			assert_string_equal(place_of(f, now), r < 0 ? "" : a);
		take_away(f);
	}
	assert_false(hit);
	assert_int_not_equal(doubts, 0);
}

/* A full disk at any object of a commit. */
static void test_commit(void **state)
{
	struct fixture *f = *state;
	bool hit = true;

	for (long n = 0; n < MOST && hit; n++) {
		_cleanup_free_ char *data = str_format("%ld", n);
		struct commit_file file = {.path = "a", .data = data, .size = strlen(data)};
		char id[OID_HEX_SIZE], tree[OID_HEX_SIZE];
		struct error err = {};
		int r;

		fault_arm(&plan, FAULT_WRITE | FAULT_CREATE, ENOSPC, true, n);
		r = commit_files(f->repo, NULL, &file, 1, data, 1, id, &err);
		hit = fault_disarm(&plan);
		if (r == 0)
			expect_ok(repo_commit_tree(f->repo, id, tree, &err), &err);
		else
			assert_int_equal(r, -ENOSPC);
	}
	assert_false(hit);
}

static size_t count_files(const char *dir)
{
	_cleanup_free_ char *command =
		str_format("find %s -mindepth 1 2> /dev/null | wc -l", dir);
	FILE *f = popen(command, "r");
	size_t n = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zu", &n), 1);
	(void)pclose(f);
	return n;
}

/* Wherever its removal is cut short, a repository is there whole or not at all, and another one
 * of its name can be made and removed. */
static void test_remove(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *victim = str_format("%s/victim", f->dir);
	bool hit = true;

	for (long n = 0; n < MOST && hit; n++) {
		struct error err = {};
		size_t whole, left;

		expect_ok(repo_create(victim, &err), &err);
		whole = count_files(victim);
		fault_arm(&plan, FAULT_NAME, EIO, true, n);
		(void)repo_remove(f->dir, "victim", &err);
		hit = fault_disarm(&plan);
		left = count_files(victim);
		if (left != 0 && left != whole)
			fail_msg("%zu of %zu files are left after %s", left, whole, plan.where);
		expect_ok(repo_remove(f->dir, "victim", &err), &err);
	}
	assert_false(hit);
}

static int setup_synced(void **state)
{
	int r = fixture_setup(state);

	return r < 0 ? r : git_setup(true, NULL);
}

#define synced_test(f) cmocka_unit_test_setup_teardown(f, setup_synced, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		synced_test(test_create), synced_test(test_move),   synced_test(test_doubt),
		synced_test(test_commit), synced_test(test_remove),
	};

	faulty_here(&plan);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
