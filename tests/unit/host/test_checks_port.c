/* Whose the dashboard's port is. */
#include "unit.h"

#include "base/cleanup.h"
#include "host/checks_port.h"

static void test_ours(void **state)
{
	static const struct {
		struct listener listener;
		bool ours;
	} cases[] = {
		{{0, 1, "systemd"}, true},   {{0, 20, "skepd"}, true},
		{{0, 20, "skep-web"}, true}, {{0, 0, ""}, true},
		{{0, 20, "python3"}, false}, {{1000, 20, "skep-web"}, false},
		{{1310720, 0, ""}, false},   {{1310720, 20, "systemd"}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (checks_port_is_ours(&cases[i].listener) != cases[i].ours)
			fail_msg("uid %u, process %d '%s'", (unsigned)cases[i].listener.uid,
				 (int)cases[i].listener.pid, cases[i].listener.name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
