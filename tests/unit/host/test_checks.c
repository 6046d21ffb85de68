/* Versions of Nix against what is known of them. */
#include "unit.h"

#include "base/cleanup.h"
#include "host/checks_hive.h"

#include <string.h>

static void test_nix(void **state)
{
	static const struct {
		const char *text;
		bool hole;
		const char *says; /* NULL: nothing is wrong */
	} cases[] = {
		{"nix (Nix) 2.8.0", true, "CVE-2024-27297"},
		{"nix (Nix) 2.18.2", false, NULL},
		{"nix (Nix) 2.18.1", true, "CVE-2024-27297"},
		{"nix (Nix) 2.20.4", true, "CVE-2024-27297"},
		{"nix (Nix) 2.21.0", true, "CVE-2026-39860"},
		{"nix (Nix) 2.28.5", true, "CVE-2026-39860"},
		{"nix (Nix) 2.28.6", false, NULL},
		{"nix (Nix) 2.33.4", false, NULL},
		{"nix (Nix) 2.34.6", true, "CVE-2026-44028"},
		{"nix (Nix) 2.34.7", false, NULL},
		{"nix (Nix) 2.36.0pre20260101_dirty", false, NULL},
		{"nix (Lix, like Nix) 2.96.0", false, NULL},
		{"1.11.16", false, "too old"},
		{"nix", true, "not understood"},
		{"", true, "not understood"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool hole = false;
		const char *fault = checks_nix_fault(cases[i].text, &hole);

		if (cases[i].says ? !fault || !strstr(fault, cases[i].says) : fault != NULL)
			fail_msg("%s: %s", cases[i].text, fault ? fault : "nothing");
		assert_int_equal(hole, cases[i].hole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
