#include "git/fixture.h"
#include "git/hash.h"

static void test_blob(void **state)
{
	/* what `git hash-object` says */
	static const struct {
		const char *data, *id;
	} cases[] = {
		{"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
		{"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"},
	};
	char id[OID_HEX_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		hash_blob(cases[i].data, strlen(cases[i].data), id);
		assert_string_equal(id, cases[i].id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_blob, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
