#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>

static json_t *parse(const char *text)
{
	struct error err = {};
	json_t *value = NULL;

	if (json_parse(text, strlen(text), &value, &err) < 0)
		fail_msg("%s", error_text(&err));
	return value;
}

static void test_parse_refuses(void **state)
{
	static const struct {
		const char *text;
		size_t size;
	} cases[] = {
		{"", 0},
		{"{", 1},
		{"{}x", 3},
		{"{}\0", 3},
		{"{\"a\":1,\"a\":1}", 13},
		{"{\"a\":\"\\u0000\"}", 14},
		{"{\"a\0b\":1}", 9},
		{"{\"a\":\"\xff\"}", 9},
		{"{\"a\":\"\xed\xa0\x80\"}", 11},
		{"{\"a\":\"\\ud800\"}", 14},
		{"{\"a\":\"x\ny\"}", 11},
		{"{'a':1}", 7},
		{"{\"a\":01}", 8},
		{"{\"a\":NaN}", 9},
		{"{\"a\":1e999}", 11},
		{"{\"a\":99999999999999999999}", 26},
		{"{\x1b[2J", 5},
		{"nul", 3},
		{"7", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {};
		json_t *value = NULL;

		if (json_parse(cases[i].text, cases[i].size, &value, &err) != -EINVAL)
			fail_msg("'%s' was accepted", cases[i].text);
		assert_null(value);
		assert_text(&err, "not valid JSON");
		assert_text(&err, "line");
		assert_true(text_is_utf8(err.text, strlen(err.text)));
		assert_null(strchr(err.text, 0x1b));
	}
}

static void test_line(void **state)
{
	json_t *value = parse("{ \"z\" : [1, 2],\n \"a\" : \"x\\ny\", \"m\" : {} }");
	_cleanup_free_ char *line = json_line(value);

	(void)state;
	assert_string_equal(line, "{\"z\":[1,2],\"a\":\"x\\ny\",\"m\":{}}");
	json_decref(value);
}

static void test_get(void **state)
{
	json_t *object =
		parse("{\"s\":\"x\",\"i\":-5,\"b\":true,\"o\":{},\"a\":[],\"n\":null}");
	const char *s = "old";
	int64_t i = 1;
	bool b = false;
	json_t *o = NULL, *a = NULL;
	struct error err = {};

	(void)state;
	assert_int_equal(json_get_str(object, "s", true, &s, &err), 0);
	assert_string_equal(s, "x");
	assert_int_equal(json_get_int(object, "i", true, -5, -5, &i, &err), 0);
	assert_int_equal(i, -5);
	assert_int_equal(json_get_bool(object, "b", true, &b, &err), 0);
	assert_true(b);
	assert_int_equal(json_get_object(object, "o", true, &o, &err), 0);
	assert_non_null(o);
	assert_int_equal(json_get_array(object, "a", true, &a, &err), 0);
	assert_non_null(a);
	/* absent and null are the same, and change nothing */
	for (int round = 0; round < 2; round++) {
		const char *key = round ? "n" : "none";

		assert_int_equal(json_get_str(object, key, false, &s, &err), 0);
		assert_string_equal(s, "x");
		assert_int_equal(json_get_int(object, key, false, 0, 9, &i, &err), 0);
		assert_int_equal(i, -5);
		assert_int_equal(json_get_bool(object, key, false, &b, &err), 0);
		assert_true(b);
		assert_int_equal(json_get_str(object, key, true, &s, &err), -EINVAL);
		assert_text(&err, key);
		assert_text(&err, "is missing");
		assert_int_equal(json_get_object(object, key, true, &o, &err), -EINVAL);
		assert_int_equal(json_get_array(object, key, true, &a, &err), -EINVAL);
	}
	json_decref(object);
}

static void test_get_wrong_type(void **state)
{
	json_t *object = parse(
		"{\"s\":\"\\u001b[2J\",\"i\":5,\"r\":5.0,\"big\":9223372036854775807,\"b\":1}");
	const char *s = NULL;
	int64_t i = 1;
	bool b = false;
	json_t *o = NULL;
	struct error err = {};

	(void)state;
	assert_int_equal(json_get_str(object, "i", false, &s, &err), -EINVAL);
	assert_text(&err, "'i' must be a string, not 5");
	assert_int_equal(json_get_int(object, "s", false, 0, 9, &i, &err), -EINVAL);
	assert_text(&err, "'s' must be a whole number from 0 to 9");
	assert_null(strchr(err.text, 0x1b));
	assert_int_equal(json_get_int(object, "i", false, 0, 4, &i, &err), -EINVAL);
	assert_text(&err, "not 5");
	assert_int_equal(json_get_int(object, "i", false, 6, 9, &i, &err), -EINVAL);
	assert_int_equal(json_get_int(object, "r", false, 0, 9, &i, &err), -EINVAL);
	assert_int_equal(json_get_int(object, "big", false, 0, INT64_MAX - 1, &i, &err),
			 -EINVAL);
	assert_int_equal(json_get_bool(object, "b", false, &b, &err), -EINVAL);
	assert_text(&err, "true or false");
	assert_int_equal(json_get_object(object, "i", false, &o, &err), -EINVAL);
	assert_int_equal(json_get_array(object, "i", false, &o, &err), -EINVAL);
	assert_null(s);
	assert_int_equal(i, 1);
	assert_false(b);
	assert_null(o);
	json_decref(object);
}

static void test_a_huge_value_is_shown_short(void **state)
{
	_cleanup_buf_ struct buf b = {};
	struct error err = {};
	const char *s = NULL;
	json_t *object;

	(void)state;
	buf_add_str(&b, "{\"s\":[\"");
	for (int i = 0; i < 100000; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "\"]}");
	object = parse(b.data);
	assert_int_equal(json_get_str(object, "s", false, &s, &err), -EINVAL);
	assert_true(strlen(err.text) < 200);
	json_decref(object);
}

static void test_only_keys(void **state)
{
	static const char *const keys[] = {"a", "b", NULL};
	json_t *good = parse("{\"b\":1,\"a\":1}"), *none = parse("{}"),
	       *bad = parse("{\"a\":1,\"c\\n\":1}");
	struct error err = {};

	(void)state;
	assert_int_equal(json_only_keys(good, keys, "the file", &err), 0);
	assert_int_equal(json_only_keys(none, keys, "the file", &err), 0);
	assert_int_equal(json_only_keys(bad, keys, "the file", &err), -EINVAL);
	assert_string_equal(err.text, "unknown key 'c ' in the file");
	json_decref(good);
	json_decref(none);
	json_decref(bad);
}

/* A reader of the object must never find a key missing because of the bytes in its value. */
static void test_put(void **state)
{
	json_t *object = json_object();

	(void)state;
	json_put_str(object, "a", "x");
	json_put_str(object, "b", NULL);
	json_put_str(object, "c", "bad \xff\nbyte");
	assert_string_equal(json_string_value(json_object_get(object, "a")), "x");
	assert_null(json_object_get(object, "b"));
	assert_string_equal(json_string_value(json_object_get(object, "c")), "bad \\xff\nbyte");
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_get_wrong_type),
		cmocka_unit_test(test_a_huge_value_is_shown_short),
		cmocka_unit_test(test_only_keys),
		cmocka_unit_test(test_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
