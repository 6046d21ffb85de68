#include "unit.h"

#include "base/cleanup.h"
#include "host/tool.h"

#include <errno.h>
#include <fcntl.h>

static int run(void **state, const char *script, int64_t timeout_ms, struct error *err)
{
	const char *const arguments[] = {"-c", script, NULL};

	return tool_run(*state, "sh", arguments, timeout_ms, err);
}

static void test_says_what_went_wrong(void **state)
{
	struct error err = {};

	assert_int_equal(run(state, "exit 0", 10000, &err), 0);
	assert_int_equal(run(state, "echo the reason >&2; exit 3", 10000, &err), -EIO);
	assert_text(&err, "sh -c");
	assert_text(&err, "exited with status 3");
	assert_text(&err, "the reason");
	assert_int_equal(run(state, "kill -9 $$", 10000, &err), -EIO);
	assert_text(&err, "signal 9");
}

static void test_long_and_ugly_words_are_cut_and_cleaned(void **state)
{
	struct error err = {};

	assert_int_equal(run(state, "seq 5000 >&2; printf 'the\\033[31mend' >&2; exit 1", 20000,
			     &err),
			 -EIO);
	assert_text(&err, "\\x1b[31mend");
	assert_null(strstr(error_text(&err), "4000"));
	assert_null(strchr(error_text(&err), '\033'));
}

static void test_ends_at_its_deadline(void **state)
{
	struct error err = {};

	assert_int_equal(run(state, "exec sleep 60", 50, &err), -ETIMEDOUT);
	assert_text(&err, "ran out of time");
}

/* Its directory is its own and empty, and goes again with what it left there. */
static void test_private_directory_and_environment(void **state)
{
	char path[256];
	struct error err = {};

	assert_int_equal(setenv("NIX_PATH", "/tmp", 1), 0);
	assert_int_equal(run(state,
			     "[ -z \"$(ls -A)\" ] && [ -z \"$NIX_PATH\" ] && mkdir d && "
			     "touch d/.tmp && [ \"$(dirname \"$PWD\")\" != / ]",
			     10000, &err),
			 0);
	snprintf(path, sizeof(path), "%s/tool-%d", (const char *)*state, (int)getpid());
	assert_int_equal(access(path, F_OK), -1);
}

static void test_is_never_looked_up(void **state)
{
	const char *const none[] = {NULL};
	struct error err = {};

	assert_int_equal(setenv("PATH", *state, 1), 0);
	assert_int_equal(tool_run(*state, "no-such-program", none, 1000, &err), -ENOENT);
	assert_text(&err, "no-such-program");
	assert_int_equal(run(state, "exit 0", 10000, &err), 0);
}

#define test(fn) cmocka_unit_test_setup_teardown(fn, unit_dir_setup, unit_dir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_says_what_went_wrong),
		test(test_long_and_ugly_words_are_cut_and_cleaned),
		test(test_ends_at_its_deadline),
		test(test_private_directory_and_environment),
		test(test_is_never_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
