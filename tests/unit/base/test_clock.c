#include "unit.h"

#include "base/clock.h"

static void test_boot_never_goes_back(void **state)
{
	int64_t last = clock_boot_ms();

	(void)state;
	assert_true(last > 0);
	for (int i = 0; i < 10000; i++) {
		int64_t now = clock_boot_ms();

		assert_true(now >= last);
		last = now;
	}
}

static void test_wall(void **state)
{
	(void)state;
	assert_true(clock_wall_s() > 1600000000);
}

static void test_format(void **state)
{
	static const struct {
		int64_t at;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00Z"},
		{1789204500, "2026-09-12T09:15:00Z"},
		{951782400, "2000-02-29T00:00:00Z"},
		{4102444799, "2099-12-31T23:59:59Z"},
		{253402300799, "9999-12-31T23:59:59Z"},
		/* what the form has no room for */
		{253402300800, "1970-01-01T00:00:00Z"},
		{INT64_MAX, "1970-01-01T00:00:00Z"},
		{INT64_MIN, "1970-01-01T00:00:00Z"},
		{-1, "1970-01-01T00:00:00Z"},
	};
	char out[CLOCK_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(clock_format(out, cases[i].at), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boot_never_goes_back),
		cmocka_unit_test(test_wall),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
