#include "unit.h"

#include "base/cleanup.h"
#include "model/names.h"
#include "model/oid.h"

#include <errno.h>

static void test_accepts(void **state)
{
	static const char *const good[] = {"a",      "hm1nd",
					   "alice",  "a-b",
					   "a1",     "x--y",
					   "coder",  "all1",
					   "meta-1", "abcdefghijklmnopqrstuvwxyz012345"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct error err = {};

		if (name_check(good[i], &err) != 0)
			fail_msg("'%s': %s", good[i], error_text(&err));
	}
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"..",
		"../etc",
		"a/b",
		"/",
		"/etc/passwd",
		"a b",
		" a",
		"a ",
		"a\n",
		"\na",
		"a\nb",
		"a\tb",
		"a'b",
		"a\"b",
		"a`b",
		"a$b",
		"a;b",
		"a&b",
		"a\\b",
		"a.b",
		"a_b",
		"a:b",
		"a@b",
		"a%b",
		"a*",
		"A",
		"Alice",
		"aLice",
		"1a",
		"-a",
		"a-",
		"-",
		"a\x1b[31m",
		"a\x7f",
		"\xc3\xa4",
		"alic\xd0\xb5",   /* a Cyrillic letter that looks like e */
		"a\xe2\x80\xaez", /* right-to-left override */
		"a\xff",
		"abcdefghijklmnopqrstuvwxyz0123456", /* 33 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = {};

		if (name_check(bad[i], &err) != -EINVAL)
			fail_msg("'%s' was accepted", bad[i]);
		assert_string_equal(error_code(&err), "bad_name");
		assert_text(
			&err,
			"1 to 32 characters a-z, 0-9 and '-', first a letter, last not '-'");
		for (const char *c = err.text; *c; c++)
			assert_true(*c == '\t' || ((unsigned char)*c >= 0x20 && *c != 0x7f));
	}
}

static void test_refuses_reserved(void **state)
{
	static const char *const words[] = {"all",  "meta", "operator", "manager",
					    "root", "skep", "host"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct error err = {};

		assert_int_equal(name_check(words[i], &err), -EINVAL);
		assert_string_equal(error_code(&err), "bad_name");
		assert_text(&err, "reserved");
		assert_text(&err, words[i]);
	}
}

static void test_huge_name_is_shown_short(void **state)
{
	_cleanup_free_ char *name = malloc(100001);
	struct error err = {};

	(void)state;
	assert_non_null(name);
	memset(name, 'a', 100000);
	name[100000] = '\0';
	assert_int_equal(name_check(name, &err), -EINVAL);
	assert_true(strlen(err.text) < 200);
	assert_text(&err, "…");
}

static void test_ports(void **state)
{
	static const struct {
		const char *name;
		uint16_t port;
	} vectors[] = {
		{"hm1nd", 8000},  {"alice", 8879},  {"bob", 8744},  {"coder", 8202},
		{"a", 8620},      {"writer", 8706}, {"test", 8945}, {"research", 8392},
		{"agent1", 8101}, {"agent2", 8644},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		assert_int_equal(name_port(vectors[i].name), vectors[i].port);
}

static void test_hash(void **state)
{
	(void)state;
	/* the published vectors of 32-bit FNV-1a */
	assert_int_equal(name_hash(""), 0x811c9dc5);
	assert_int_equal(name_hash("a"), 0xe40c292c);
	assert_int_equal(name_hash("foobar"), 0xbf9cf968);
}

static void test_containers(void **state)
{
	char out[CONTAINER_NAME_SIZE], other[CONTAINER_NAME_SIZE];

	(void)state;
	assert_string_equal(name_container(out, "hm1nd"), "hm1nd");
	assert_string_equal(name_container(out, "a"), "h-a");
	assert_string_equal(name_container(out, "alice"), "h-alice");
	assert_string_equal(name_container(out, "ninechars"), "h-ninechars");
	/* ten characters do not fit any more: four of them and a hash */
	assert_string_equal(name_container(out, "tencharsxx"), "h-tencppmv1");
	assert_string_equal(name_container(out, "research-assistant"), "h-resemafdh");
	name_container(out, "research-one");
	name_container(other, "research-two");
	assert_string_not_equal(out, other);
}

static void test_containers_are_valid_everywhere(void **state)
{
	static const char *const names[] = {"abcdefghijklmnopqrstuvwxyz012345", "a--b--c--d--e",
					    "tencharsxx", "z9-9-9-9-9-9-9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char out[CONTAINER_NAME_SIZE];

		name_container(out, names[i]);
		assert_int_equal(strlen(out), CONTAINER_NAME_MAX);
		assert_int_equal(strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789-"),
				 strlen(out));
		assert_int_not_equal(out[10], '-');
	}
}

static void test_object_ids(void **state)
{
	(void)state;
	assert_true(oid_is_valid("0123456789abcdef0123456789abcdef01234567"));
	assert_false(oid_is_valid("0123456789abcdef0123456789abcdef0123456"));
	assert_false(oid_is_valid("0123456789abcdef0123456789abcdef012345678"));
	assert_false(oid_is_valid("0123456789ABCDEF0123456789abcdef01234567"));
	assert_false(oid_is_valid("0123456789abcdef0123456789abcdef0123456\n"));
	assert_false(oid_is_valid(""));
	assert_true(oid_is_valid_or_short("0123456"));
	assert_true(oid_is_valid_or_short("0123456789abcdef0123456789abcdef01234567"));
	assert_false(oid_is_valid_or_short("012345"));
	assert_false(oid_is_valid_or_short("main"));
	assert_false(oid_is_valid_or_short("HEAD"));
	assert_false(oid_is_valid_or_short("--help1"));
	assert_false(oid_is_valid_or_short("0123456789abcdef0123456789abcdef012345678"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_refuses_reserved),
		cmocka_unit_test(test_huge_name_is_shown_short),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_containers_are_valid_everywhere),
		cmocka_unit_test(test_object_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
