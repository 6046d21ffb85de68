/* What the kernel says a container uses, out of its texts and there and back as JSON. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "model/usage.h"

static void test_io(void **state)
{
	static const struct {
		const char *text;
		int version;
		int64_t in, out;
	} cases[] = {
		{"8:0 Read 100\n8:0 Write 20\n8:0 Sync 120\n8:16 Read 1\n8:16 Write 2\nTotal "
		 "123\n",
		 1, 101, 22},
		{"8:0 rbytes=4096 wbytes=512 rios=1 wios=1 dbytes=0 dios=0\n"
		 "252:0 rbytes=1 wbytes=2 rios=1 wios=1\n",
		 2, 4097, 514},
		{"Total 0\n", 1, 0, 0},
		{"", 2, 0, 0},
		{"8:0 rbytes=", 2, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t in = -1, out = -1;

		usage_parse_io(cases[i].text, cases[i].version, &in, &out);
		assert_int_equal(in, cases[i].in);
		assert_int_equal(out, cases[i].out);
	}
}

static void test_pressure(void **state)
{
	(void)state;
	assert_int_equal(usage_parse_pressure(
				 "some avg10=12.34 avg60=0.00 avg300=0.00 total=9\n"),
			 1234);
	assert_int_equal(usage_parse_pressure("some avg10=0.05 avg60=1.00"), 5);
	assert_int_equal(usage_parse_pressure("full avg10=1.00"), -1);
	assert_int_equal(usage_parse_pressure(""), -1);
}

/* What is not known is absent, never null or zero. */
static void test_json(void **state)
{
	struct usage usage = {{1000, -1, 2500, -1, 3, -1, 0, 10, 1234, -1, 5}}, back;
	json_t *object = json_object();
	_cleanup_free_ char *line = NULL;

	(void)state;
	usage_to_json(&usage, object);
	line = json_line(object);
	assert_string_equal(line, "{\"memory_bytes\":1000,\"cpu_usec\":2500,\"tasks\":3,"
				  "\"io_read_bytes\":0,\"io_write_bytes\":10,"
				  "\"pressure\":{\"cpu\":12.34,\"io\":0.05}}");
	usage_from_json(object, &back);
	assert_memory_equal(&usage, &back, sizeof(usage));
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
