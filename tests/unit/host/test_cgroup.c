#include "unit.h"

#include "base/cleanup.h"
#include "host/cgroup.h"

#include <sys/stat.h>
#include <unistd.h>

#define V1                                                                           \
	"31 28 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"       \
	"32 28 0:27 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n" \
	"33 28 0:28 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n" \
	"34 28 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
#define HYBRID V1 "35 28 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
#define PURE "29 23 0:25 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

static const struct {
	const char *what, *mountinfo, *cgroup,
		*dirs; /* joined by spaces; v2 marked by '2', cpuset by 's' */
} cases[] = {
	{"hybrid", HYBRID, "4:name=systemd:/\n3:memory:/box/7\n2:cpuset:/\n1:cpu:/\n0::/\n",
	 "/sys/fs/cgroup/systemd /sys/fs/cgroup/memory/box/7 /sys/fs/cgroup/cpuset:s "
	 "/sys/fs/cgroup/cpu /sys/fs/cgroup/unified:2"},
	{"pure", PURE, "0::/user.slice/a.scope\n", "/sys/fs/cgroup/user.slice/a.scope:2"},
	{"pure at the top", PURE, "0::/\n", "/sys/fs/cgroup:2"},
	{"a part is mounted", "29 23 0:25 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
	 "0::/docker/abc/x\n", "/sys/fs/cgroup/x:2"},
	{"outside of the part",
	 "29 23 0:25 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/docker/abcd\n",
	 ""},
	{"outside of the namespace", PURE, "0::/../other\n", ""},
	{"joint controllers", "1 2 0:3 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
	 "2:cpu,cpuacct:/x\n", "/cg/cpu,cpuacct/x"},
	{"a controller is not mounted", V1, "9:pids:/\n", ""},
	{"a name that is part of another", V1, "9:mem:/\n1:cpus:/\n", ""},
	{"nothing mounted", "", "0::/\n", ""},
	{"torn", HYBRID "1 2 3\n", "x\n0:\n0::/y\n", "/sys/fs/cgroup/unified/y:2"},
};

static char *join(const struct cgroups *groups)
{
	struct buf out = {};

	for (size_t i = 0; i < groups->count; i++)
		buf_addf(&out, "%s%s%s%s", i ? " " : "", groups->items[i].dir,
			 groups->items[i].v2 ? ":2" : "", groups->items[i].cpuset ? ":s" : "");
	buf_add_str(&out, "");
	return out.data ? out.data : str_dup("");
}

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_cgroups_ struct cgroups groups = {};
		_cleanup_free_ char *dirs = NULL;

		cgroups_parse(cases[i].mountinfo, cases[i].cgroup, &groups);
		dirs = join(&groups);
		if (strcmp(dirs, cases[i].dirs) != 0)
			fail_msg("%s: '%s'", cases[i].what, dirs);
	}
}

static void test_below(void **state)
{
	_cleanup_cgroups_ struct cgroups base = {}, groups = {};
	_cleanup_free_ char *dirs = NULL;

	(void)state;
	cgroups_parse(HYBRID, "2:cpuset:/\n0::/a\n", &base);
	cgroups_below(&base, "skep-1-alice", &groups);
	dirs = join(&groups);
	assert_string_equal(dirs, "/sys/fs/cgroup/cpuset/skep-1-alice:s "
				  "/sys/fs/cgroup/unified/a/skep-1-alice:2");
}

/* A directory that looks like one of cgroup v2. */
static void put(void **state, const char *name, const char *text)
{
	char path[256];

	assert_int_equal(file_write_atomic(AT_FDCWD, unit_path(path, state, name), text,
					   strlen(text), 0644, NULL),
			 0);
}

static struct cgroups one(void **state)
{
	struct cgroups groups = {.items = mem_new(1, sizeof(struct cgroup)), .count = 1};

	groups.items[0] = (struct cgroup){.dir = str_dup(*state), .v2 = true};
	return groups;
}

static void test_limits(void **state)
{
	static const struct limits limits = {512LL << 20, 50, 256};
	_cleanup_cgroups_ struct cgroups groups = one(state);
	_cleanup_buf_ struct buf text = {};
	unsigned mask = 0;

	assert_int_equal(cgroups_limit(&groups, &limits, &mask, NULL), 0);
	assert_int_equal(mask, 0);
	put(state, "memory.max", "");
	put(state, "cpu.max", "");
	assert_int_equal(cgroups_limit(&groups, &limits, &mask, NULL), 0);
	assert_int_equal(mask, CGROUP_MEMORY | CGROUP_CPU);
	assert_int_equal(cgroup_read(*state, "memory.max", &text), 0);
	assert_string_equal(buf_str(&text), "536870912");
	assert_int_equal(cgroup_read(*state, "cpu.max", &text), 0);
	assert_string_equal(buf_str(&text), "50000 100000");
}

static void test_delegation(void **state)
{
	_cleanup_cgroups_ struct cgroups groups = one(state), v1 = {};
	char reason[160];
	unsigned mask = 7;

	cgroups_parse(V1, "3:memory:/\n", &v1);
	cgroups_delegate(&v1, "/nowhere", &mask, reason);
	assert_int_equal(mask, 0);
	assert_non_null(strstr(reason, "cgroup v1"));
	put(state, "cgroup.controllers", "\n");
	cgroups_delegate(&groups, "/nowhere", &mask, reason);
	assert_int_equal(mask, 0);
	assert_non_null(strstr(reason, "no controllers"));
	put(state, "cgroup.controllers", "cpuset cpu io memory pids\n");
	put(state, "cgroup.subtree_control", "cpu memory pids\n");
	cgroups_delegate(&groups, "/nowhere", &mask, reason);
	assert_int_equal(mask, CGROUP_ALL);
	assert_string_equal(reason, "");
	put(state, "cgroup.controllers", "cpu pids\n");
	cgroups_delegate(&groups, "/nowhere", &mask, reason);
	assert_int_equal(mask, CGROUP_CPU | CGROUP_TASKS);
	assert_non_null(strstr(reason, "not available"));
}

/* memory cannot be given while a process is in the group; what moves first is all of it, or
 * none. */
static void test_step_aside(void **state)
{
	_cleanup_cgroups_ struct cgroups groups = one(state);
	_cleanup_buf_ struct buf moved = {}, given = {}, untouched = {};
	char own[16], exe[256], self[256], reason[160];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	unsigned mask;

	assert_true(n > 0);
	exe[n] = '\0';
	*strrchr(exe, '/') = '\0';
	snprintf(own, sizeof(own), "%d\n", (int)getpid());
	put(state, "cgroup.type", "domain\n");
	put(state, "cgroup.controllers", "cpu memory pids\n");
	put(state, "cgroup.procs", own);
	put(state, "cgroup.subtree_control", "");
	cgroups_delegate(&groups, "/nowhere", &mask, reason);
	assert_non_null(strstr(reason, "other programs"));
	assert_int_equal(cgroup_read(*state, "cgroup.subtree_control", &untouched), 0);
	assert_string_equal(buf_str(&untouched), "");

	assert_int_equal(mkdir(unit_path(self, state, CGROUP_SELF), 0755), 0);
	put(state, CGROUP_SELF "/cgroup.procs", "");
	cgroups_delegate(&groups, exe, &mask, reason);
	own[strlen(own) - 1] = '\0';
	assert_int_equal(cgroup_read(self, "cgroup.procs", &moved), 0);
	assert_string_equal(buf_str(&moved), own);
	assert_int_equal(cgroup_read(*state, "cgroup.subtree_control", &given), 0);
	assert_string_equal(buf_str(&given), "+memory +cpu +pids");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),   cmocka_unit_test(test_below),
		unit_dir_test(test_limits),     unit_dir_test(test_delegation),
		unit_dir_test(test_step_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
