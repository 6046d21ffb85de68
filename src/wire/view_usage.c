#include "wire/view_usage.h"

#include "base/clock.h"

static void put_sample(json_t *o, const struct usage_sample *sample,
		       const struct usage_sample *before)
{
	int64_t passed_ms = before ? sample->boot_ms - before->boot_ms : 0;
	int64_t used =
		before ? sample->usage.value[USAGE_CPU] - before->usage.value[USAGE_CPU] : 0;
	char at[CLOCK_TEXT_SIZE];

	json_object_set_new(o, "at", json_string(clock_format(at, sample->wall_s)));
	usage_to_json(&sample->usage, o);
	/* a count that went back is that of another run */
	if (passed_ms > 0 && used >= 0 && before->usage.value[USAGE_CPU] >= 0)
		json_object_set_new(o, "cpu_percent",
				    json_real((double)(used / passed_ms) / 10));
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
