/* Versions of Nix one would not build with. */
#include "unit.h"

#include "host/checks_nix.h"

static void test_versions(void **state)
{
	static const struct {
		const char *version, *word;
	} cases[] = {
		{"2.8.0", "2.18"},   {"2.18.1", "27297"},
		{"2.18.2", "44028"}, {"2.24.9", "39860"},
		{"2.28.6", "44028"}, {"2.33.3", "39860"},
		{"2.34.4", "39860"}, {"2.34.5", "44028"},
		{"2.34.7", NULL},    {"2.35pre20260101_abc", NULL},
		{"3.0.0", NULL},     {"lix", "cannot be told"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *hole = nix_known_hole(cases[i].version);

		if (!cases[i].word ? hole != NULL : !hole || !strstr(hole, cases[i].word))
			fail_msg("%s: %s", cases[i].version, hole ? hole : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_versions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
