#include "git/blob.h"
#include "git/fixture.h"

static void read_back(struct fixture *f, const git_oid *name, const void *data, size_t size)
{
	_cleanup_(git_blob_freep) git_blob *blob = NULL;

	assert_int_equal(git_blob_lookup(&blob, f->repo->git, name), 0);
	assert_int_equal(git_blob_rawsize(blob), size);
	assert_memory_equal(git_blob_rawcontent(blob), data, size);
}

static void test_write(void **state)
{
	static const size_t sizes[] = {0, 1, 55, 56, 64, 1000, 99999, 300000};
	_cleanup_free_ char *data = mem_new(300000, 1);
	struct fixture *f = *state;
	struct error err = {};

	for (size_t i = 0; i < 300000; i++)
		data[i] = (char)(i * i >> 3);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		git_oid name, known;

		blob_name(data, sizes[i], &name);
		assert_int_equal(git_odb_hash(&known, data, sizes[i], GIT_OBJECT_BLOB), 0);
		assert_true(git_oid_equal(&name, &known));
		expect_ok(blob_write(f->repo, &name, data, sizes[i], &err), &err);
		read_back(f, &name, data, sizes[i]);
	}
	assert_int_equal(run_git(f, "fsck --strict"), 0);
}

/* Nothing is written for a blob that is there, not even a file that is thrown away. */
static void test_left(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *objects = str_format("%s/.git/objects", f->dir);
	struct stat before, after;
	struct error err = {};
	git_oid name;

	blob_name("text", 4, &name);
	expect_ok(blob_write(f->repo, &name, "text", 4, &err), &err);
	assert_int_equal(stat(objects, &before), 0);
	(void)usleep(20000);
	expect_ok(blob_write(f->repo, &name, "text", 4, &err), &err);
	assert_int_equal(stat(objects, &after), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *objects = str_format("%s/.git/objects", f->dir);
	_cleanup_free_ char *away = str_format("%s/.git/away", f->dir);
	struct error err = {};
	git_oid name;

	/* libgit2 leaks when it cannot open what it writes to later */
	blob_name("first", 5, &name);
	expect_ok(blob_write(f->repo, &name, "first", 5, &err), &err);
	blob_name("text", 4, &name);
	assert_int_equal(rename(objects, away), 0);
	assert_true(blob_write(f->repo, &name, "text", 4, &err) < 0);
	assert_int_equal(rename(away, objects), 0);
	expect_ok(blob_write(f->repo, &name, "text", 4, &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_left, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_refused, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
