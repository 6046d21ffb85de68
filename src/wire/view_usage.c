#include "wire/view_usage.h"

#include "base/clock.h"

/* What was counted since the sample before; -1: unknown, or a count that went back because it
 * is that of another run. */
static int64_t since(const struct usage_sample *sample, const struct usage_sample *before,
		     enum usage_field field)
{
	int64_t old = before ? before->usage.value[field] : -1;

	return old >= 0 && sample->usage.value[field] >= old ? sample->usage.value[field] - old
							     : -1;
}

static void put_rates(json_t *o, const struct usage_sample *sample,
		      const struct usage_sample *before)
{
	int64_t ms = before ? sample->boot_ms - before->boot_ms : 0;
	int64_t cpu = since(sample, before, USAGE_CPU);
	int64_t in = since(sample, before, USAGE_IO_READ);
	int64_t out = since(sample, before, USAGE_IO_WRITE);

	if (ms <= 0)
		return;
	if (cpu >= 0)
		json_object_set_new(o, "cpu_percent", json_real((double)(cpu / ms) / 10));
	if (in >= 0)
		json_object_set_new(o, "io_read_per_s", json_integer(in * 1000 / ms));
	if (out >= 0)
		json_object_set_new(o, "io_write_per_s", json_integer(out * 1000 / ms));
}

static void put_sample(json_t *o, const struct usage_sample *sample,
		       const struct usage_sample *before)
{
	char at[CLOCK_TEXT_SIZE];

	json_object_set_new(o, "at", json_string(clock_format(at, sample->wall_s)));
	usage_to_json(&sample->usage, o);
	put_rates(o, sample, before);
}

json_t *view_usage(const char *name, const struct usage_sample *samples, size_t count,
		   bool history)
{
	json_t *row = json_object(), *list = json_array();

	json_object_set_new(row, "name", json_string(name));
	put_sample(row, &samples[count - 1], count > 1 ? &samples[count - 2] : NULL);
	for (size_t i = 0; history && i < count; i++) {
		json_t *entry = json_object();

		put_sample(entry, &samples[i], i > 0 ? &samples[i - 1] : NULL);
		json_array_append_new(list, entry);
	}
	if (history)
		json_object_set(row, "history", list);
	json_decref(list);
	return row;
}
