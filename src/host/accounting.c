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
#define GROUP_MAX 500

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

/* The text of /proc/PID/cgroup. */
static int read_groups(pid_t pid, struct buf *ret, struct error *err)
{
	char file[64];

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	return file_read(AT_FDCWD, file, 65536, ret, err);
}

static bool same_name(const char *a, const char *b)
{
	const char *name_a = strrchr(a, '/'), *name_b = strrchr(b, '/');

	return name_a && name_b && !strcmp(name_a, name_b);
}

/* Whatever keeps a container gives its group one name in every hierarchy; a controller that is
 * not used has it in a group of others. */
static bool is_its_own(const char *text, const char *path)
{
	char whole[GROUP_MAX];

	return accounting_parse_path(text, "name=systemd", whole, sizeof(whole)) == 0 ||
	       same_name(whole, path);
}

int accounting_group(pid_t leader, const char *controller, char out[ACCOUNTING_DIR],
		     struct error *err)
{
	_cleanup_buf_ struct buf its = {}, ours = {};
	char path[GROUP_MAX], other[GROUP_MAX];
	int version, r = read_groups(leader, &its, err);

	if (r == 0)
		r = read_groups(getpid(), &ours, err);
	if (r < 0)
		return r;
	version = accounting_parse_path(buf_str(&its), controller, path, sizeof(path));
	r = accounting_parse_path(buf_str(&ours), controller, other, sizeof(other));
	if (version == 0 || (r == version && !strcmp(path, other)) ||
	    !is_its_own(buf_str(&its), path))
		return 0;
	if (version == 1)
		snprintf(out, ACCOUNTING_DIR, ROOT "/%s%s", controller, path);
	else
		snprintf(out, ACCOUNTING_DIR, "%s%s",
			 is_filesystem(ROOT, CGROUP2_SUPER_MAGIC) ? ROOT : ROOT "/unified",
			 path);
	return version;
}

int64_t accounting_number(const char *dir, const char *file, const char *key)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_free_ char *path = str_format("%s/%s", dir, file);
	const char *p;

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

static int64_t memory_limit(const char *dir, int version)
{
	return accounting_number(dir, version == 1 ? "memory.limit_in_bytes" : "memory.max",
				 NULL);
}

static int64_t cpu_limit(const char *dir, int version)
{
	int64_t quota, period;

	if (version == 1) {
		quota = accounting_number(dir, "cpu.cfs_quota_us", NULL);
		period = accounting_number(dir, "cpu.cfs_period_us", NULL);
	} else {
		quota = accounting_number(dir, "cpu.max", NULL);
		period = accounting_number(dir, "cpu.max", " ");
	}
	return quota > 0 && period > 0 ? quota * 100 / period : -1;
}

int accounting_limits(pid_t leader, struct limits *ret, unsigned *ret_known, struct error *err)
{
	struct limits now = {-1, -1, -1};
	unsigned known = 0;
	char dir[ACCOUNTING_DIR];
	int version = accounting_group(leader, "memory", dir, err);

	if (version > 0) {
		known |= CGROUP_MEMORY;
		now.memory_max_bytes = memory_limit(dir, version);
	}
	if (version >= 0)
		version = accounting_group(leader, "cpu", dir, err);
	if (version > 0) {
		known |= CGROUP_CPU;
		now.cpu_quota_percent = cpu_limit(dir, version);
	}
	if (version >= 0)
		version = accounting_group(leader, "pids", dir, err);
	if (version > 0) {
		known |= CGROUP_TASKS;
		now.tasks_max = accounting_number(dir, "pids.max", NULL);
	}
	if (version < 0)
		return version;
	*ret = now;
	*ret_known = known;
	return 0;
}

int accounting_enforced(pid_t leader, const struct limits *limits, unsigned *ret,
			struct error *err)
{
	int64_t page = sysconf(_SC_PAGESIZE);
	struct limits now;
	unsigned mask = 0;
	int r = accounting_limits(leader, &now, &mask, err);

	if (r < 0)
		return r;
	if (now.memory_max_bytes < 0 ||
	    now.memory_max_bytes / page != limits->memory_max_bytes / page)
		mask &= ~CGROUP_MEMORY;
	if (now.cpu_quota_percent != limits->cpu_quota_percent)
		mask &= ~CGROUP_CPU;
	if (now.tasks_max != limits->tasks_max)
		mask &= ~CGROUP_TASKS;
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
