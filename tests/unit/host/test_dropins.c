/* Drop-ins of a container's unit: what they say and when they are written. */
#include "unit.h"

#include "base/cleanup.h"
#include "host/dropins.h"

#include <errno.h>
#include <sys/stat.h>

#define UNIT "skep-agent@alice.service"

static void test_render(void **state)
{
	static const struct {
		struct limits limits;
		const char *body;
	} cases[] = {
		{{2LL << 30, 50, 4096},
		 "MemoryMax=2147483648\nMemorySwapMax=0\nCPUQuota=50%\nTasksMax=4096\n"},
		{{LIMIT_UNSET, 200, LIMIT_UNSET}, "CPUQuota=200%\n"},
		{{LIMIT_UNSET, LIMIT_UNSET, 16}, "TasksMax=16\n"},
		{{LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET}, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b = {};
		const char *section;

		dropin_render("skep-agent@a.service", &cases[i].limits, &b);
		section = strstr(buf_str(&b), "[Service]\n");
		assert_non_null(section);
		assert_string_equal(section + strlen("[Service]\n"), cases[i].body);
		buf_release(&b);
	}
}

/* nixos-container's template has neither the time nor the manners of ours; other people's
 * drop-ins beside ours stay. */
static void test_foreign_template(void **state)
{
	static const char unit[] = "container@h-a.service";
	struct limits limits = {1LL << 30, 50, 100};
	struct error err = {};
	struct buf b = {};
	char path[256];

	dropin_render(unit, &limits, &b);
	assert_non_null(strstr(buf_str(&b), "TasksMax=100\n"));
	assert_non_null(strstr(buf_str(&b), "TimeoutStartSec=90\n"));
	assert_non_null(strstr(buf_str(&b), "OOMPolicy=continue\n"));
	buf_release(&b);
	assert_int_equal(dropin_write(*state, unit, &limits, &err), 0);
	unit_path(path, state, "container@h-a.service.d/10-mine.conf");
	assert_int_equal(file_write_atomic(AT_FDCWD, path, "", 0, 0644, &err), 0);
	assert_int_equal(dropin_remove(*state, unit, &err), 0);
	assert_int_equal(access(path, F_OK), 0);
	unit_path(path, state, "container@h-a.service.d/50-limits.conf");
	assert_int_equal(access(path, F_OK), -1);
}

/* The same text again leaves the file alone: whoever watches it would be told for nothing. */
static void test_write_again(void **state)
{
	struct limits limits = {1LL << 30, 50, 100};
	struct stat first, again;
	struct error err = {};
	struct buf b = {};
	char path[256];

	unit_path(path, state, UNIT ".d/50-limits.conf");
	assert_int_equal(dropin_write(*state, UNIT, &limits, &err), 0);
	assert_int_equal(stat(path, &first), 0);
	assert_int_equal(dropin_write(*state, UNIT, &limits, &err), 0);
	assert_int_equal(stat(path, &again), 0);
	assert_int_equal(first.st_ino, again.st_ino);
	limits.tasks_max = 101;
	assert_int_equal(dropin_write(*state, UNIT, &limits, &err), 0);
	assert_int_equal(file_read(AT_FDCWD, path, 4096, &b, &err), 0);
	assert_non_null(strstr(buf_str(&b), "TasksMax=101\n"));
	buf_release(&b);
}

static void test_check(void **state)
{
	struct limits limits = {1LL << 30, 50, 100};
	struct error err = {};
	char path[256];
	FILE *f;

	assert_int_equal(dropin_check(*state, UNIT, &limits, &err), -ENOENT);
	assert_int_equal(dropin_write(*state, UNIT, &limits, &err), 0);
	assert_int_equal(dropin_check(*state, UNIT, &limits, &err), 0);
	limits.tasks_max = 101;
	assert_int_equal(dropin_check(*state, UNIT, &limits, &err), 1);
	limits.tasks_max = 100;
	f = fopen(unit_path(path, state, UNIT ".d/50-limits.conf"), "a");
	for (int i = 0; i < 10000; i++)
		fputc('#', f);
	(void)fclose(f);
	assert_int_equal(dropin_check(*state, UNIT, &limits, &err), 1);
}

static void test_remove(void **state)
{
	struct limits limits = {1LL << 30, 50, 100};
	struct error err = {};
	char path[256];

	assert_int_equal(dropin_remove(*state, UNIT, &err), 0);
	assert_int_equal(dropin_write(*state, UNIT, &limits, &err), 0);
	assert_int_equal(dropin_remove(*state, UNIT, &err), 0);
	assert_int_not_equal(access(unit_path(path, state, UNIT ".d"), F_OK), 0);
	assert_int_equal(dropin_remove(unit_path(path, state, "nowhere"), UNIT, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_foreign_template, unit_dir_setup,
						unit_dir_teardown),
		cmocka_unit_test(test_render),
		unit_dir_test(test_write_again),
		unit_dir_test(test_check),
		unit_dir_test(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
