/* The rows of `usage`: the newest sample, the share of a processor between two, the history. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "wire/view_usage.h"

static struct usage_sample sample(int64_t wall_s, int64_t cpu_usec)
{
	struct usage_sample s = {.wall_s = wall_s, .boot_ms = wall_s * 1000};

	for (int i = 0; i < USAGE_FIELDS; i++)
		s.usage.value[i] = -1;
	s.usage.value[USAGE_CPU] = cpu_usec;
	return s;
}

static void assert_row(const struct usage_sample *samples, size_t count, bool history,
		       const char *line)
{
	json_t *row = view_usage("alice", samples, count, history);
	_cleanup_free_ char *text = json_line(row);

	json_decref(row);
	assert_string_equal(text, line);
}

static void test_rows(void **state)
{
	struct usage_sample samples[] = {sample(100, 0), sample(102, 1000000),
					 sample(104, 500000)};

	(void)state;
	assert_row(samples, 1, false,
		   "{\"name\":\"alice\",\"at\":\"1970-01-01T00:01:40Z\",\"cpu_usec\":0}");
	assert_row(samples, 2, false,
		   "{\"name\":\"alice\",\"at\":\"1970-01-01T00:01:42Z\",\"cpu_usec\":1000000,"
		   "\"cpu_percent\":50.0}");
	/* another run of the container began to count anew */
	assert_row(samples + 1, 2, true,
		   "{\"name\":\"alice\",\"at\":\"1970-01-01T00:01:44Z\",\"cpu_usec\":500000,"
		   "\"history\":[{\"at\":\"1970-01-01T00:01:42Z\",\"cpu_usec\":1000000},"
		   "{\"at\":\"1970-01-01T00:01:44Z\",\"cpu_usec\":500000}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
