/*
 * Limits through cgroup v2. A group gives controllers to its children only while no process is
 * in itself
 * ("no internal processes", the kernel's cgroup-v2.rst), so skep's own processes move one level
 * down first.
 */
#include "host/cgroup.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS 4

static const struct {
	const char *name;
	unsigned bit;
} controllers[] = {{"memory", CGROUP_MEMORY}, {"cpu", CGROUP_CPU}, {"pids", CGROUP_TASKS}};

static const struct cgroup *find_v2(const struct cgroups *cgroups)
{
	for (size_t i = 0; i < cgroups->count; i++)
		if (cgroups->items[i].v2)
			return &cgroups->items[i];
	return NULL;
}

/* Which of the three a file like cgroup.controllers lists. */
static unsigned listed(const char *dir, const char *file)
{
	_cleanup_buf_ struct buf text = {};
	unsigned mask = 0;
	char *save = NULL;

	if (cgroup_read(dir, file, &text) < 0 || !text.data)
		return 0;
	for (char *w = strtok_r(text.data, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
			if (strcmp(w, controllers[i].name) == 0)
				mask |= controllers[i].bit;
	return mask;
}

static bool is_program_of(const char *pid, const char *program_dir)
{
	_cleanup_free_ char *link = str_format("/proc/%s/exe", pid);
	size_t size = strlen(program_dir);
	char exe[PATH_MAX];
	ssize_t n = readlink(link, exe, sizeof(exe) - 1);

	if (n < 0)
		return errno == ENOENT; /* it has just ended */
	exe[n] = '\0';
	return strncmp(exe, program_dir, size) == 0 && exe[size] == '/' &&
	       !strchr(exe + size + 1, '/');
}

/*
 * Moves the processes of dir to dir/CGROUP_SELF when they are all ours. -EBUSY: they are not.
 * The hierarchy's own root, which has no type, may give controllers whatever is in it.
 */
static int step_aside(const char *dir, const char *program_dir)
{
	_cleanup_free_ char *self = str_format("%s/%s", dir, CGROUP_SELF);
	_cleanup_buf_ struct buf pids = {}, type = {};
	_cleanup_free_ char *copy = NULL;
	char *save = NULL;
	int r;

	if (cgroup_read(dir, "cgroup.type", &type) == -ENOENT)
		return 0;
	r = cgroup_read(dir, "cgroup.procs", &pids);
	if (r < 0 || !pids.data)
		return r;
	copy = str_dup(pids.data);
	for (char *p = strtok_r(copy, "\n", &save); p; p = strtok_r(NULL, "\n", &save))
		if (!is_program_of(p, program_dir))
			return -EBUSY;
	if (mkdir(self, 0755) < 0 && errno != EEXIST)
		return -errno;
	for (char *p = strtok_r(pids.data, "\n", &save); p; p = strtok_r(NULL, "\n", &save)) {
		r = cgroup_write(self, "cgroup.procs", p);
		if (r < 0 && r != -ESRCH)
			return r;
	}
	return 0;
}

/*
 * All in one write, which the kernel does whole or not at all. One after the other, memory
 * would be refused while a process is in the group, but not cpu and pids: with those the group
 * becomes the root of a threaded subtree, and no process can be moved below it any more.
 */
static int enable(const char *dir, unsigned wanted)
{
	_cleanup_buf_ struct buf text = {};

	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		if (wanted & controllers[i].bit)
			buf_addf(&text, "%s+%s", text.size ? " " : "", controllers[i].name);
	return cgroup_write(dir, "cgroup.subtree_control", buf_str(&text));
}

/* Again when a process was started meanwhile by one that had not moved yet. */
static int give(const char *dir, unsigned wanted, const char *program_dir)
{
	int r = -EBUSY;

	for (int i = 0; i < ATTEMPTS && r == -EBUSY; i++) {
		r = step_aside(dir, program_dir);
		if (r < 0)
			return r;
		r = enable(dir, wanted);
	}
	return r;
}

void cgroups_delegate(const struct cgroups *base, const char *program_dir, unsigned *ret_mask,
		      char reason[160])
{
	const struct cgroup *v2 = find_v2(base);
	unsigned there, given;
	int r = 0;

	*ret_mask = 0;
	reason[0] = '\0';
	there = v2 ? listed(v2->dir, "cgroup.controllers") : 0;
	if (!v2 || there == 0) {
		snprintf(
			reason, 160, "%s",
			v2 && base->count == 1
				? "this control group was given no controllers"
				: "memory, cpu and pids are controlled through cgroup v1 here; "
				  "limits need cgroup v2");
		return;
	}
	given = listed(v2->dir, "cgroup.subtree_control");
	if ((there & ~given) != 0) {
		r = give(v2->dir, there & ~given, program_dir);
		given = listed(v2->dir, "cgroup.subtree_control");
	}
	*ret_mask = given & there;
	if (*ret_mask == CGROUP_ALL)
		return;
	if (r == -EBUSY)
		snprintf(reason, 160,
			 "other programs are in skep's control group; start it in one of its "
			 "own");
	else if (r < 0)
		snprintf(reason, 160, "skep's control group is not delegated to it: %s",
			 strerror(-r));
	else
		snprintf(reason, 160, "some controllers are not available in cgroup v2 here");
}

int cgroups_limit(const struct cgroups *cgroups, const struct limits *limits,
		  unsigned *ret_mask, struct error *err)
{
	const struct cgroup *v2 = find_v2(cgroups);
	struct {
		unsigned bit;
		const char *file;
		char text[48];
	} values[] = {{CGROUP_MEMORY, "memory.max", ""},
		      {CGROUP_CPU, "cpu.max", ""},
		      {CGROUP_TASKS, "pids.max", ""}};

	*ret_mask = 0;
	if (!v2)
		return 0;
	snprintf(values[0].text, sizeof(values[0].text), "%lld",
		 (long long)limits->memory_max_bytes);
	snprintf(values[1].text, sizeof(values[1].text), "%lld 100000",
		 (long long)limits->cpu_quota_percent * 1000);
	snprintf(values[2].text, sizeof(values[2].text), "%lld", (long long)limits->tasks_max);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		int r = cgroup_write(v2->dir, values[i].file, values[i].text);

		if (r == 0)
			*ret_mask |= values[i].bit;
		else if (r != -ENOENT)
			return error_set_errno(err, r, "cannot set %s of '%s'", values[i].file,
					       v2->dir);
	}
	return 0;
}
