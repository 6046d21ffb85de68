#include "unit.h"

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"

static void test_new(void **state)
{
	char a[SECRET_SIZE], b[SECRET_SIZE];

	(void)state;
	assert_int_equal(secret_new(a, NULL), 0);
	assert_int_equal(secret_new(b, NULL), 0);
	assert_true(text_is_hex(a, SECRET_SIZE - 1));
	assert_string_not_equal(a, b);
}

/* FIPS 180-4's own example, so that another library would find the same logins. */
static void test_hash(void **state)
{
	char hash[SECRET_SIZE];

	(void)state;
	secret_hash(hash, "abc");
	assert_string_equal(hash,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_matches(void **state)
{
	char secret[SECRET_SIZE], hash[SECRET_SIZE], other[SECRET_SIZE];
	char longer[SECRET_SIZE + 1];

	(void)state;
	assert_int_equal(secret_new(secret, NULL), 0);
	secret_hash(hash, secret);
	assert_true(secret_matches(secret, hash));
	for (size_t i = 0; i < SECRET_SIZE - 1; i++) {
		memcpy(other, secret, sizeof(other));
		other[i] = other[i] == '0' ? '1' : '0';
		assert_false(secret_matches(other, hash));
	}
	snprintf(longer, sizeof(longer), "%s0", secret);
	assert_false(secret_matches(longer, hash));
	assert_false(secret_matches("", hash));
	assert_false(secret_matches(NULL, hash));
	assert_false(secret_matches(hash, hash));
	/* a place where nothing is kept matches nothing */
	assert_false(secret_matches(secret, (char[SECRET_SIZE]){}));
	assert_false(secret_matches("", (char[SECRET_SIZE]){}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_matches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
