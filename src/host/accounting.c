#include "host/accounting.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#define ROOT "/sys/fs/cgroup"
#define GROUP_MAX 600

static bool list_has(const char *list, size_t size, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list, *end = list + size; p < end;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t length = (size_t)((comma ? comma : end) - p);

		if (length == n && !memcmp(p, word, n))
			return true;
		p += length + 1;
	}
	return false;
}

/* Copies a path without a trailing payload or supervisor part and what is below it. */
static void cut_path(const char *path, size_t length, char *out, size_t size)
{
	static const char *const parts[] = {"/payload", "/supervisor"};

	snprintf(out, size, "%.*s", (int)length, path);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t n = strlen(parts[i]);

		for (char *p = out; (p = strstr(p, parts[i])); p += n)
			if (p[n] == '\0' || p[n] == '/') {
				*p = '\0';
				return;
			}
	}
}

int accounting_parse_path(const char *text, const char *controller, char *out, size_t size)
{
	int found = 0;

	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		const char *end = line + length;
		const char *names = memchr(line, ':', length);
		const char *path =
			names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;

		if (path && list_has(names + 1, (size_t)(path - names - 1), controller)) {
			cut_path(path + 1, (size_t)(end - path - 1), out, size);
			return 1;
		}
		if (path && path == names + 1 && path[1] == '/') {
			cut_path(path + 1, (size_t)(end - path - 1), out, size);
			found = 2;
		}
		line = *end ? end + 1 : end;
	}
	return found;
}

static bool is_filesystem(const char *path, long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == magic;
}

/* The directory of a process's group for a controller; 0 when it has none. */
static int group_dir(pid_t pid, const char *controller, char out[GROUP_MAX], struct error *err)
{
	_cleanup_buf_ struct buf b = {};
	char path[GROUP_MAX - 100], file[64];
	int version, r;

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	r = file_read(AT_FDCWD, file, 65536, &b, err);
	if (r < 0)
		return r;
	version = accounting_parse_path(buf_str(&b), controller, path, sizeof(path));
	if (version == 1)
		snprintf(out, GROUP_MAX, ROOT "/%s%s", controller, path);
	else if (version == 2)
		snprintf(out, GROUP_MAX, "%s%s",
			 is_filesystem(ROOT, CGROUP2_SUPER_MAGIC) ? ROOT : ROOT "/unified",
			 path);
	return version;
}

/* Like group_dir(), but 0 as well when this process is in that group. */
static int own_group_dir(pid_t leader, const char *controller, char out[GROUP_MAX],
			 struct error *err)
{
	char ours[GROUP_MAX];
	int version = group_dir(leader, controller, out, err);
	int r = version > 0 ? group_dir(getpid(), controller, ours, err) : 0;

	if (r < 0)
		return r;
	return r == version && !strcmp(out, ours) ? 0 : version;
}

/* The number after key (NULL: at the beginning) in a file of the group; -1 when there is none.
 */
static int64_t read_number(const char *dir, const char *file, const char *key)
{
	_cleanup_buf_ struct buf b = {};
	char path[GROUP_MAX + 64];
	const char *p;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (file_read(AT_FDCWD, path, 65536, &b, NULL) < 0)
		return -1;
	p = buf_str(&b);
	if (key) {
		p = strstr(p, key);
		if (!p)
			return -1;
		p += strlen(key);
	}
	while (*p == ' ')
		p++;
	if (*p < '0' || *p > '9')
		return -1;
	return strtoll(p, NULL, 10);
}

int accounting_usage(pid_t leader, struct usage *ret, struct error *err)
{
	struct usage usage = {-1, -1, -1};
	char dir[GROUP_MAX];
	int version = own_group_dir(leader, "memory", dir, err);

	if (version < 0)
		return version;
	if (version > 0)
		usage.memory_bytes =
			read_number(dir,
				    version == 1 ? "memory.usage_in_bytes" : "memory.current",
				    NULL);
	version = own_group_dir(leader, "cpuacct", dir, err);
	if (version < 0)
		return version;
	if (version == 1) {
		int64_t ns = read_number(dir, "cpuacct.usage", NULL);

		usage.cpu_usec = ns < 0 ? -1 : ns / 1000;
	} else if (version == 2) {
		usage.cpu_usec = read_number(dir, "cpu.stat", "usage_usec");
	}
	version = own_group_dir(leader, "pids", dir, err);
	if (version < 0)
		return version;
	if (version > 0)
		usage.tasks = read_number(dir, "pids.current", NULL);
	*ret = usage;
	return 0;
}

static bool holds_memory(const char *dir, int version, int64_t limit)
{
	int64_t page = sysconf(_SC_PAGESIZE);
	int64_t now =
		read_number(dir, version == 1 ? "memory.limit_in_bytes" : "memory.max", NULL);

	return now >= 0 && now / page == limit / page;
}

static bool holds_cpu(const char *dir, int version, int64_t percent)
{
	int64_t quota, period;

	if (version == 1) {
		quota = read_number(dir, "cpu.cfs_quota_us", NULL);
		period = read_number(dir, "cpu.cfs_period_us", NULL);
	} else {
		quota = read_number(dir, "cpu.max", NULL);
		period = read_number(dir, "cpu.max", " ");
	}
	return quota > 0 && period > 0 && quota * 100 / period == percent;
}

int accounting_enforced(pid_t leader, const struct limits *limits, unsigned *ret,
			struct error *err)
{
	unsigned mask = 0;
	char dir[GROUP_MAX];
	int version = own_group_dir(leader, "memory", dir, err);

	if (version > 0 && holds_memory(dir, version, limits->memory_max_bytes))
		mask |= CGROUP_MEMORY;
	if (version >= 0)
		version = own_group_dir(leader, "cpu", dir, err);
	if (version > 0 && holds_cpu(dir, version, limits->cpu_quota_percent))
		mask |= CGROUP_CPU;
	if (version >= 0)
		version = own_group_dir(leader, "pids", dir, err);
	if (version > 0 && read_number(dir, "pids.max", NULL) == limits->tasks_max)
		mask |= CGROUP_TASKS;
	if (version < 0)
		return version;
	*ret = mask;
	return 0;
}

int accounting_controllers(unsigned *ret, char reason[160], struct error *err)
{
	static const struct {
		const char *name;
		unsigned bit;
	} needed[] = {{"memory", CGROUP_MEMORY}, {"cpu", CGROUP_CPU}, {"pids", CGROUP_TASKS}};
	bool pure = is_filesystem(ROOT, CGROUP2_SUPER_MAGIC);
	_cleanup_buf_ struct buf have = {}, missing = {};
	unsigned mask = 0;
	int r = pure ? file_read(AT_FDCWD, ROOT "/cgroup.controllers", 4096, &have, err) : 0;

	if (r < 0)
		return r;
	for (size_t i = 0; i < have.size; i++)
		if (have.data[i] == ' ' || have.data[i] == '\n')
			have.data[i] = ',';
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		char path[64];

		snprintf(path, sizeof(path), ROOT "/%s", needed[i].name);
		if (pure ? list_has(buf_str(&have), have.size, needed[i].name)
			 : is_filesystem(path, CGROUP_SUPER_MAGIC))
			mask |= needed[i].bit;
		else
			buf_addf(&missing, "%s%s", missing.size ? ", " : "", needed[i].name);
	}
	reason[0] = '\0';
	if (missing.size)
		snprintf(reason, 160, "this machine has no control group controller for: %s",
			 buf_str(&missing));
	*ret = mask;
	return 0;
}
