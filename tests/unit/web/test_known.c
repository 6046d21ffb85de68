#include "unit.h"

#include "web/known.h"

static const char *session(char out[TOKEN_SIZE], int n)
{
	(void)snprintf(out, TOKEN_SIZE, "%064x", (unsigned)n);
	return out;
}

static void test_newest_stay(void **state)
{
	struct known known = {};
	char s[TOKEN_SIZE];

	(void)state;
	assert_false(known_has(&known, ""));
	assert_false(known_has(&known, session(s, 0)));
	for (int i = 0; i < KNOWN_MAX; i++)
		known_add(&known, session(s, i));
	known_add(&known, session(s, 0)); /* shown again, so it is new again */
	known_add(&known, session(s, KNOWN_MAX));
	assert_true(known_has(&known, session(s, 0)));
	assert_false(known_has(&known, session(s, 1)));
	for (int i = 2; i <= KNOWN_MAX; i++)
		assert_true(known_has(&known, session(s, i)));
}

static void test_drop(void **state)
{
	struct known known = {};
	char s[TOKEN_SIZE];

	(void)state;
	for (int i = 0; i < KNOWN_MAX; i++)
		known_add(&known, session(s, i));
	known_drop(&known, session(s, KNOWN_MAX)); /* not there */
	for (int i = 0; i < KNOWN_MAX; i += 2)
		known_drop(&known, session(s, i));
	for (int i = 0; i < KNOWN_MAX; i++)
		assert_int_equal(known_has(&known, session(s, i)), i % 2 == 1);
	assert_false(known_has(&known, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest_stay),
		cmocka_unit_test(test_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
