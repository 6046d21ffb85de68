/* Changes in a directory are told, those elsewhere are not. */
#include "loop_unit.h"

#include "base/cleanup.h"
#include "base/dirwatch.h"
#include "base/file.h"

#include <errno.h>
#include <sys/stat.h>

struct seen {
	struct loop *loop;
	int count;
	char name[64];
};

static void on_change(const char *dir, const char *name, void *data)
{
	struct seen *seen = data;

	assert_non_null(strrchr(dir, '/'));
	seen->count++;
	snprintf(seen->name, sizeof(seen->name), "%s", name);
}

static void expect(struct seen *seen, const char *name)
{
	for (int i = 0; i < 500 && seen->count == 0; i++) {
		unit_turn(seen->loop);
		usleep(1000);
	}
	unit_turn(seen->loop);
	if (name)
		assert_string_equal(seen->name, name);
	assert_true(seen->count > 0);
	seen->count = 0;
}

static void test_changes(void **state)
{
	struct seen seen = {.loop = loop_new()};
	struct dirwatch *watch;
	struct error err = {};
	char path[256], other[256];

	assert_int_equal(dirwatch_new(seen.loop, on_change, &seen, &watch, &err), 0);
	assert_int_equal(dirwatch_add(watch, unit_path(path, state, "none"), &err), -ENOENT);
	assert_int_equal(mkdir(unit_path(path, state, "a"), 0700), 0);
	assert_int_equal(dirwatch_add(watch, path, &err), 0);
	assert_int_equal(dirwatch_add(watch, path, &err), 0);
	unit_turn(seen.loop);
	assert_int_equal(seen.count, 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, unit_path(other, state, "a/f"), "x", 1,
					   0600, &err),
			 0);
	expect(&seen, "f");
	assert_int_equal(chmod(other, 0640), 0);
	expect(&seen, "f");
	assert_int_equal(unlink(other), 0);
	expect(&seen, "f");
	/* what is beside or below it is not watched */
	assert_int_equal(mkdir(unit_path(other, state, "b"), 0700), 0);
	unit_turn(seen.loop);
	assert_int_equal(seen.count, 0);
	/* one that is removed and made again has to be added again */
	assert_int_equal(rmdir(path), 0);
	expect(&seen, NULL);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(dirwatch_add(watch, path, &err), 0);
	assert_int_equal(mkdir(unit_path(other, state, "a/d"), 0700), 0);
	expect(&seen, "d");
	dirwatch_free(watch);
	loop_free(seen.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {unit_dir_test(test_changes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
