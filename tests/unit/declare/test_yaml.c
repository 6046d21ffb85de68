/* YAML read as what it stands for, and nothing of it that could surprise. */
#include "unit.h"

#include "base/cleanup.h"
#include "declare/yaml.h"

#include <errno.h>

static void test_values(void **state)
{
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{"", "null"},
		{"---\n", "null"},
		{"a: 1\nb: [x, 'y', \"z\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\"]}"},
		{"a: true\nb: 'true'\nc: yes\nd: ~\ne:\n",
		 "{\"a\":true,\"b\":\"true\",\"c\":\"yes\","
		 "\"d\":null,\"e\":null}"},
		{"a: 007\nb: -5\nc: 0\nd: 1.5\ne: 99999999999999999999\n",
		 "{\"a\":\"007\",\"b\":-5,\"c\":0,\"d\":\"1.5\",\"e\":"
		 "\"99999999999999999999\"}"},
		{"a: |\n  one\n  two\nb: >\n  x\n  y\n",
		 "{\"a\":\"one\\ntwo\\n\",\"b\":\"x y\\n\"}"},
		{"{a: {b: [{c: d}]}}", "{\"a\":{\"b\":[{\"c\":\"d\"}]}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_auto_t *value = NULL, *wanted = NULL;
		struct error err = {};

		if (yaml_parse(cases[i].yaml, strlen(cases[i].yaml), &value, &err) < 0)
			fail_msg("%s", error_text(&err));
		wanted = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		assert_true(json_equal(value, wanted));
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *yaml, *said;
	} cases[] = {
		{"a: 1\na: 2\n", "line 2: a key is there twice"},
		{"a: &x [1]\nb: *x\n", "line 2: aliases are not read"},
		{"a: 1\n---\nb: 2\n", "there is a second document"},
		{"a: [1\n", "not valid YAML"},
		{"\ta: 1\n", "line 1: not valid YAML"},
		{"? [a]\n: b\n", "line 1: a key is no plain word"},
		{"a: \"x\\0y\"\n", "line 1: a value is not text"},
		{"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
		 "more in it than anybody needs"},
		{"a: \xff\n", "not valid YAML"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {};
		json_t *value = NULL;

		if (yaml_parse(cases[i].yaml, strlen(cases[i].yaml), &value, &err) == 0)
			fail_msg("nobody said '%s'", cases[i].said);
		assert_null(value);
		assert_text(&err, cases[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
