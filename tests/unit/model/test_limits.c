#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "model/limits.h"

#include <errno.h>

typedef int (*parse_fn)(const char *key, const char *text, int64_t *ret, struct error *err);

static void test_accepts(void **state)
{
	static const struct {
		parse_fn parse;
		const char *text;
		int64_t value;
	} cases[] = {
		{limit_parse_memory, "2G", 2LL << 30},
		{limit_parse_memory, "512M", 512LL << 20},
		{limit_parse_memory, "16M", 16LL << 20},
		{limit_parse_memory, "16384K", 16LL << 20},
		{limit_parse_memory, "16777216", 16LL << 20},
		{limit_parse_memory, "16777217", (16LL << 20) + 1},
		{limit_parse_memory, "1T", 1LL << 40},
		{limit_parse_memory, "1024G", 1LL << 40},
		{limit_parse_memory, "1099511627776", 1LL << 40},
		{limit_parse_cpu, "50%", 50},
		{limit_parse_cpu, "50", 50},
		{limit_parse_cpu, "1%", 1},
		{limit_parse_cpu, "100000%", 100000},
		{limit_parse_tasks, "16", 16},
		{limit_parse_tasks, "4096", 4096},
		{limit_parse_tasks, "1000000", 1000000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {};
		int64_t value = 0;

		if (cases[i].parse("k", cases[i].text, &value, &err) != 0)
			fail_msg("'%s': %s", cases[i].text, error_text(&err));
		assert_int_equal(value, cases[i].value);
	}
}

static void test_refuses(void **state)
{
	static const struct {
		parse_fn parse;
		const char *text;
	} cases[] = {
		{limit_parse_memory, ""},
		{limit_parse_memory, "G"},
		{limit_parse_memory, "2g"},
		{limit_parse_memory, "2GB"},
		{limit_parse_memory, "2GG"},
		{limit_parse_memory, "2 G"},
		{limit_parse_memory, " 2G"},
		{limit_parse_memory, "2G\n"},
		{limit_parse_memory, "2G\nTasksMax=infinity"},
		{limit_parse_memory, "-2G"},
		{limit_parse_memory, "+2G"},
		{limit_parse_memory, "1.5G"},
		{limit_parse_memory, "0x10000000"},
		{limit_parse_memory, "infinity"},
		{limit_parse_memory, "50%"},
		{limit_parse_memory, "0"},
		{limit_parse_memory, "15M"},
		{limit_parse_memory, "16777215"},
		{limit_parse_memory, "1025G"},
		{limit_parse_memory, "2T"},
		{limit_parse_memory, "1099511627777"},
		/* 2^34 G is 2^64 bytes: a wrapped product would look small */
		{limit_parse_memory, "17179869185G"},
		{limit_parse_memory, "18446744073709551617"},
		{limit_parse_memory, "99999999999999999999999999999999999999"},
		{limit_parse_cpu, ""},
		{limit_parse_cpu, "%"},
		{limit_parse_cpu, "0"},
		{limit_parse_cpu, "0%"},
		{limit_parse_cpu, "50%%"},
		{limit_parse_cpu, "50 %"},
		{limit_parse_cpu, "100001"},
		{limit_parse_cpu, "-1"},
		{limit_parse_cpu, "50K"},
		{limit_parse_tasks, ""},
		{limit_parse_tasks, "15"},
		{limit_parse_tasks, "1000001"},
		{limit_parse_tasks, "4K"},
		{limit_parse_tasks, "50%"},
		{limit_parse_tasks, "infinity"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {};
		int64_t value = 7;

		if (cases[i].parse("some_key", cases[i].text, &value, &err) != -EINVAL)
			fail_msg("'%s' was accepted", cases[i].text);
		assert_int_equal(value, 7);
		assert_text(&err, "'some_key'");
		if (!strchr(cases[i].text, '\n'))
			assert_text(&err, cases[i].text);
		assert_null(strchr(err.text, '\n'));
	}
}

static int read_json(const char *text, struct limits *limits, struct error *err)
{
	json_t *object = NULL;
	int r;

	assert_int_equal(json_parse(text, strlen(text), &object, err), 0);
	r = limits_from_json(object, limits, err);
	json_decref(object);
	return r;
}

static void test_from_json(void **state)
{
	struct limits limits = LIMITS_UNSET;
	struct error err = {};

	(void)state;
	assert_int_equal(read_json("{\"memory_max\":\"1G\",\"other\":[]}", &limits, &err), 0);
	assert_int_equal(limits.memory_max_bytes, 1LL << 30);
	assert_int_equal(limits.cpu_quota_percent, LIMIT_UNSET);
	assert_int_equal(limits.tasks_max, LIMIT_UNSET);
	assert_int_equal(
		read_json("{\"cpu_quota\":75,\"tasks_max\":\"256\",\"memory_max\":null}",
			  &limits, &err),
		0);
	assert_int_equal(limits.memory_max_bytes, 1LL << 30);
	assert_int_equal(limits.cpu_quota_percent, 75);
	assert_int_equal(limits.tasks_max, 256);
}

static void test_from_json_refuses(void **state)
{
	static const struct {
		const char *text, *key;
	} cases[] = {
		{"{\"memory_max\":1}", "memory_max"},
		{"{\"memory_max\":-1}", "memory_max"},
		{"{\"memory_max\":1e12}", "memory_max"},
		{"{\"memory_max\":true}", "memory_max"},
		{"{\"memory_max\":{}}", "memory_max"},
		{"{\"memory_max\":\"1G\",\"cpu_quota\":0}", "cpu_quota"},
		{"{\"memory_max\":\"1G\",\"cpu_quota\":[50]}", "cpu_quota"},
		{"{\"memory_max\":\"1G\",\"tasks_max\":-1}", "tasks_max"},
		{"{\"memory_max\":\"1G\",\"tasks_max\":9223372036854775807}", "tasks_max"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct limits limits = LIMITS_UNSET;
		struct error err = {};

		if (read_json(cases[i].text, &limits, &err) != -EINVAL)
			fail_msg("%s was accepted", cases[i].text);
		assert_text(&err, cases[i].key);
		/* half a refused object must not be taken over */
		assert_int_equal(limits.memory_max_bytes, LIMIT_UNSET);
	}
}

static void test_json_round_trip(void **state)
{
	struct limits limits = {2LL << 30, 50, 4096}, back = LIMITS_UNSET;
	json_t *object = limits_to_json(&limits);
	_cleanup_free_ char *line = json_line(object);
	struct error err = {};

	(void)state;
	assert_string_equal(line,
			    "{\"memory_max\":\"2G\",\"cpu_quota\":\"50%\",\"tasks_max\":4096}");
	assert_int_equal(limits_from_json(object, &back, &err), 0);
	assert_memory_equal(&limits, &back, sizeof(limits));
	json_decref(object);
}

static void test_unset_is_left_out(void **state)
{
	struct limits limits = LIMITS_UNSET;
	json_t *object = limits_to_json(&limits);

	(void)state;
	assert_int_equal(json_object_size(object), 0);
	json_decref(object);
}

static void test_effective(void **state)
{
	struct limits set = LIMITS_UNSET, asked = LIMITS_UNSET, limits;

	(void)state;
	limits = limits_effective(&set, &asked);
	assert_int_equal(limits.memory_max_bytes, LIMIT_MEMORY_DEFAULT);
	assert_int_equal(limits.cpu_quota_percent, LIMIT_CPU_DEFAULT);
	assert_int_equal(limits.tasks_max, LIMIT_TASKS_DEFAULT);
	asked = (struct limits){1LL << 40, 100000, 1000000};
	set.memory_max_bytes = 16LL << 20;
	limits = limits_effective(&set, &asked);
	assert_int_equal(limits.memory_max_bytes, 16LL << 20);
	assert_int_equal(limits.cpu_quota_percent, 100000);
	assert_int_equal(limits.tasks_max, 1000000);
}

static void test_go_up(void **state)
{
	const struct limits a = {1000, 50, 100};

	(void)state;
	assert_false(limits_go_up(&a, &a));
	assert_false(limits_go_up(&a, &(struct limits){999, 49, 99}));
	assert_true(limits_go_up(&a, &(struct limits){1001, 1, 1}));
	assert_true(limits_go_up(&a, &(struct limits){1, 51, 1}));
	assert_true(limits_go_up(&a, &(struct limits){1, 1, 101}));
}

static void test_format_memory(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0"},
		{1, "1"},
		{1023, "1023"},
		{1024, "1K"},
		{512LL << 20, "512M"},
		{2LL << 30, "2G"},
		{(2LL << 30) + 1, "2147483649"},
		{1536LL << 20, "1536M"},
		{1LL << 40, "1T"},
		{1LL << 62, "4194304T"},
	};
	char out[24];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(limit_format_memory(out, cases[i].bytes), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_from_json),
		cmocka_unit_test(test_from_json_refuses),
		cmocka_unit_test(test_json_round_trip),
		cmocka_unit_test(test_unset_is_left_out),
		cmocka_unit_test(test_effective),
		cmocka_unit_test(test_go_up),
		cmocka_unit_test(test_format_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
