#include "model/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const keys[USAGE_FIELDS] = {
	[USAGE_MEMORY] = "memory_bytes",   [USAGE_MEMORY_MAX] = "memory_max_bytes",
	[USAGE_CPU] = "cpu_usec",          [USAGE_CPU_QUOTA] = "cpu_quota_percent",
	[USAGE_TASKS] = "tasks",           [USAGE_TASKS_MAX] = "tasks_max",
	[USAGE_IO_READ] = "io_read_bytes", [USAGE_IO_WRITE] = "io_write_bytes",
	[USAGE_PRESSURE_CPU] = "cpu",      [USAGE_PRESSURE_MEMORY] = "memory",
	[USAGE_PRESSURE_IO] = "io",
};

void usage_to_json(const struct usage *usage, json_t *ret)
{
	json_t *pressure = json_object();

	for (int i = 0; i < USAGE_FIELDS; i++) {
		if (usage->value[i] < 0)
			continue;
		if (i >= USAGE_PRESSURE_CPU)
			json_object_set_new(pressure, keys[i],
					    json_real((double)usage->value[i] / 100));
		else
			json_object_set_new(ret, keys[i], json_integer(usage->value[i]));
	}
	if (json_object_size(pressure) > 0)
		json_object_set(ret, "pressure", pressure);
	json_decref(pressure);
}

void usage_from_json(const json_t *object, struct usage *ret)
{
	const json_t *pressure = json_object_get(object, "pressure");

	for (int i = 0; i < USAGE_FIELDS; i++) {
		const json_t *value =
			json_object_get(i >= USAGE_PRESSURE_CPU ? pressure : object, keys[i]);

		ret->value[i] = -1;
		if (!json_is_number(value))
			continue;
		ret->value[i] = i >= USAGE_PRESSURE_CPU
					? (int64_t)(json_number_value(value) * 100 + 0.5)
					: json_integer_value(value);
	}
}

static int64_t after(const char *line, size_t size, const char *key)
{
	const char *at = memmem(line, size, key, strlen(key));

	return at ? strtoll(at + strlen(key), NULL, 10) : 0;
}

void usage_parse_io(const char *text, int version, int64_t *ret_read, int64_t *ret_write)
{
	*ret_read = 0;
	*ret_write = 0;
	for (const char *line = text; *line;) {
		size_t size = strcspn(line, "\n");

		*ret_read += after(line, size, version == 1 ? " Read " : " rbytes=");
		*ret_write += after(line, size, version == 1 ? " Write " : " wbytes=");
		line += size + (line[size] == '\n');
	}
}

int64_t usage_parse_pressure(const char *text)
{
	unsigned whole, hundredths;

	if (sscanf(text, "some avg10=%u.%2u", &whole, &hundredths) != 2)
		return -1;
	return (int64_t)whole * 100 + hundredths;
}
