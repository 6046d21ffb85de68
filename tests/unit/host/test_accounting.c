/* Control group paths out of /proc/PID/cgroup. */
#include "unit.h"

#include "base/cleanup.h"
#include "host/accounting.h"
#include "host/metering.h"

#define HYBRID                                                                    \
	"9:name=systemd:/machine.slice/skep-agent@x.service/payload/init.scope\n" \
	"8:pids:/machine.slice/skep-agent@x.service\n"                            \
	"4:memory:/machine.slice/skep-agent@x.service\n"                          \
	"2:cpu,cpuacct:/joined\n"                                                 \
	"0::/machine.slice/skep-agent@x.service/payload/init.scope\n"

static void test_paths(void **state)
{
	static const struct {
		const char *text, *controller;
		int version;
		const char *path;
	} cases[] = {
		{HYBRID, "memory", 1, "/machine.slice/skep-agent@x.service"},
		{HYBRID, "pids", 1, "/machine.slice/skep-agent@x.service"},
		{HYBRID, "cpu", 1, "/joined"},
		{HYBRID, "cpuacct", 1, "/joined"},
		{HYBRID, "io", 2, "/machine.slice/skep-agent@x.service"},
		/* a name that only begins or ends like the controller's is another one */
		{"3:cpuset:/a\n0::/b\n", "cpu", 2, "/b"},
		{"0::/a/payload\n", "memory", 2, "/a"},
		{"0::/a/supervisor\n", "memory", 2, "/a"},
		{"0::/a/payload-of-mine/b\n", "memory", 2, "/a/payload-of-mine/b"},
		/* what the container nests below its payload hides nothing */
		{"0::/a/payload/deep/payload/init.scope\n", "memory", 2, "/a"},
		{"0::/\n", "memory", 2, "/"},
		{"0::/a", "memory", 2, "/a"},
		{"8:pids:/x\n", "memory", 0, ""},
		{"", "memory", 0, ""},
		{"no colons\n::\n", "memory", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char path[256] = "";

		assert_int_equal(accounting_parse_path(cases[i].text, cases[i].controller, path,
						       sizeof(path)),
				 cases[i].version);
		assert_string_equal(path, cases[i].path);
	}
}

/* A process without a group of its own has nothing counted: the numbers would be ours. */
static void test_our_own_group_is_not_counted(void **state)
{
	struct usage usage = {};
	struct error err = {};

	(void)state;
	assert_int_equal(metering_read(getpid(), &usage, &err), 0);
	for (int i = 0; i < USAGE_FIELDS; i++)
		assert_int_equal(usage.value[i], -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_our_own_group_is_not_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
