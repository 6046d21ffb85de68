/* References and commits written while system calls fail: what was refused is not there. */
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

static int setup_synced(void **state)
{
	int r = fixture_setup(state);

	return r < 0 ? r : git_setup(true, NULL);
}

#define synced_test(f) cmocka_unit_test_setup_teardown(f, setup_synced, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		synced_test(test_create),
		synced_test(test_move),
		synced_test(test_doubt),
		synced_test(test_commit),
	};

	faulty_here(&plan);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
