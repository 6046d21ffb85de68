#include "host/metering.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "host/accounting.h"

#include <fcntl.h>

#define UNLIMITED (1LL << 62) /* version 1 has a number near the greatest for "none" */
#define FILE_MAX 262144

/* Where each number is; a file of NULL: that version does not have it. */
struct source {
	enum usage_field field;
	const char *controller;
	const char *file1, *file2;
	const char *key2; /* what stands before it in version 2; NULL: nothing */
};

static const struct source sources[] = {
	{USAGE_MEMORY, "memory", "memory.usage_in_bytes", "memory.current", NULL},
	{USAGE_MEMORY_MAX, "memory", "memory.limit_in_bytes", "memory.max", NULL},
	{USAGE_CPU, "cpuacct", "cpuacct.usage", "cpu.stat", "usage_usec"},
	{USAGE_TASKS, "pids", "pids.current", "pids.current", NULL},
	{USAGE_TASKS_MAX, "pids", "pids.max", "pids.max", NULL},
};

static int read_source(pid_t leader, const struct source *source, struct usage *usage,
		       struct error *err)
{
	char dir[ACCOUNTING_DIR];
	int version = accounting_group(leader, source->controller, dir, err);
	int64_t value;

	if (version <= 0)
		return version;
	value = version == 1 ? accounting_number(dir, source->file1, NULL)
			     : accounting_number(dir, source->file2, source->key2);
	if (version == 1 && source->field == USAGE_CPU && value >= 0)
		value /= 1000;
	if (value < UNLIMITED)
		usage->value[source->field] = value;
	return 0;
}

static int read_quota(pid_t leader, struct usage *usage, struct error *err)
{
	char dir[ACCOUNTING_DIR];
	int version = accounting_group(leader, "cpu", dir, err);
	int64_t quota, period;

	if (version <= 0)
		return version;
	quota = accounting_number(dir, version == 1 ? "cpu.cfs_quota_us" : "cpu.max", NULL);
	period = version == 1 ? accounting_number(dir, "cpu.cfs_period_us", NULL)
			      : accounting_number(dir, "cpu.max", " ");
	if (quota > 0 && period > 0)
		usage->value[USAGE_CPU_QUOTA] = quota * 100 / period;
	return 0;
}

static int read_io(pid_t leader, struct usage *usage, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	_cleanup_free_ char *path = NULL;
	char dir[ACCOUNTING_DIR];
	int version = accounting_group(leader, "blkio", dir, err);

	/* version 2 calls it io */
	if (version == 2)
		version = accounting_group(leader, "io", dir, err);
	if (version <= 0)
		return version;
	path = str_format("%s/%s", dir,
			  version == 1 ? "blkio.throttle.io_service_bytes" : "io.stat");
	if (file_read(AT_FDCWD, path, FILE_MAX, &text, NULL) == 0)
		usage_parse_io(buf_str(&text), version, &usage->value[USAGE_IO_READ],
			       &usage->value[USAGE_IO_WRITE]);
	return 0;
}

/* Version 2 tells it of every group, also where version 1 has the controllers. */
static int read_pressure(pid_t leader, struct usage *usage, struct error *err)
{
	static const char *const files[] = {"cpu.pressure", "memory.pressure", "io.pressure"};
	char dir[ACCOUNTING_DIR];
	int version = accounting_group(leader, "pressure", dir, err);

	if (version < 0)
		return version;
	for (size_t i = 0; version == 2 && i < ARRAY_SIZE(files); i++) {
		_cleanup_buf_ struct buf text = {};
		_cleanup_free_ char *path = str_format("%s/%s", dir, files[i]);

		if (file_read(AT_FDCWD, path, 4096, &text, NULL) == 0)
			usage->value[USAGE_PRESSURE_CPU + i] =
				usage_parse_pressure(buf_str(&text));
	}
	return 0;
}

int metering_read(pid_t leader, struct usage *ret, struct error *err)
{
	struct usage usage;
	int r = 0;

	for (size_t i = 0; i < USAGE_FIELDS; i++)
		usage.value[i] = -1;
	for (size_t i = 0; i < ARRAY_SIZE(sources) && r >= 0; i++)
		r = read_source(leader, &sources[i], &usage, err);
	if (r >= 0)
		r = read_quota(leader, &usage, err);
	if (r >= 0)
		r = read_io(leader, &usage, err);
	if (r >= 0)
		r = read_pressure(leader, &usage, err);
	if (r < 0)
		return r;
	*ret = usage;
	return 0;
}
