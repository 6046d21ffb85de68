/* Whether a process has any network, by its routes. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/isolate.h"

#define HEADING "Iface\tDestination\tGateway \tFlags\n"
#define V6(device) \
	"fe80000000000000 40 00000000 00 00000000 00000100 00000001 00000001     " device "\n"

static void test_alone(void **state)
{
	static const struct {
		const char *route, *ipv6_route;
		bool alone;
	} cases[] = {
		{HEADING, V6("lo") V6("lo"), true},
		{HEADING, "", true},
		{HEADING "lo\t0000007F\t00000000\t0001\n", "", true},
		{HEADING "eth0\t00000000\t010200C0\t0003\n", "", false},
		{HEADING "lo\t0000007F\t0\t1\neth0\t00000000\t0\t3\n", "", false},
		{HEADING "lo0\t00000000\t010200C0\t0003\n", "", false},
		{HEADING, V6("lo") V6("eth0"), false},
		{HEADING, V6("hello"), false},
		{HEADING, "cut short lo", false},
		{"", "", false},
		{"Iface", "", false},
		{"something else\n", "", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(isolate_is_alone(cases[i].route, cases[i].ipv6_route),
				 cases[i].alone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_alone)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
