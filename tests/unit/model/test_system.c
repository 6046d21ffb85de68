#include "unit.h"

#include "base/cleanup.h"
#include "model/system.h"

#define OID "0123456789abcdef0123456789abcdef01234567"
#define HASH "k8lzrs49906d44acq5lg4f4g97wl66rq"
#define LONG64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *text;
	bool valid, store;
	const char *name;
} cases[] = {
	{OID, true, false, OID},
	{"/nix/store/" HASH "-nixos-system-alice-24.11", true, true,
	 HASH "-nixos-system-alice-24.11"},
	{"/nix/store/" HASH "-a+b?c=d_e.f", true, true, HASH "-a+b?c=d_e.f"},
	{"", false, false, NULL},
	{"0123", false, false, NULL},
	{"/nix/store/" HASH, false, false, NULL},
	{"/nix/store/" HASH "-", false, false, NULL},
	{"/nix/store/" HASH "-.hidden", false, false, NULL},
	{"/nix/store/" HASH "-a/b", false, false, NULL},
	{"/nix/store/" HASH "-a b", false, false, NULL},
	{"/nix/store/" HASH "-a\n", false, false, NULL},
	{"/nix/store/" HASH "-a:b", false, false, NULL},
	{"/nix/store/e8lzrs49906d44acq5lg4f4g97wl66rq-a", false, false, NULL},
	{"/nix/store/../../etc", false, false, NULL},
	{"nix/store/" HASH "-a", false, false, NULL},
	{"/nix/store/" HASH "-" LONG64 LONG64 LONG64 LONG64, false, false, NULL},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char back[SYSTEM_SIZE];

		if (system_is_valid(cases[i].text) != cases[i].valid ||
		    system_is_store(cases[i].text) != cases[i].store)
			fail_msg("'%s'", cases[i].text);
		if (!cases[i].valid)
			continue;
		assert_string_equal(system_name(cases[i].text), cases[i].name);
		assert_true(system_from_name(cases[i].name, back));
		assert_string_equal(back, cases[i].text);
	}
}

static void test_no_system_of_that_name(void **state)
{
	char back[SYSTEM_SIZE] = "untouched";

	(void)state;
	assert_false(system_from_name("latest", back));
	assert_false(system_from_name("/nix/store/" HASH "-a", back));
	assert_string_equal(back, "untouched");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_no_system_of_that_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
