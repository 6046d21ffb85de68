/* What differs between two systems. */
#include "unit.h"

#include "nix/closure.h"

#include "base/buf.h"
#include "base/cleanup.h"

#define H "/nix/store/00000000000000000000000000000000-"
#define I "/nix/store/11111111111111111111111111111111-"

static json_t *list(json_t *effect, const char *key)
{
	return json_object_get(json_object_get(effect, "closure"), key);
}

static const char *text(json_t *rows, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(rows, i), key));
}

static void test_paths(void **state)
{
	json_t *effect = json_object();

	(void)state;
	closure_compare(H "openssl-3.0.14\t 100\n" H "same \t7\n" H "gone-1\t5\n",
			I "openssl-3.0.15\t 130\n" H "same \t7\n" H "new\t 9\nwarning: x\n",
			effect);
	assert_int_equal(json_array_size(list(effect, "changed")), 1);
	assert_string_equal(text(list(effect, "changed"), 0, "name"), "openssl");
	assert_string_equal(text(list(effect, "changed"), 0, "from"), H "openssl-3.0.14");
	assert_string_equal(text(list(effect, "changed"), 0, "to"), I "openssl-3.0.15");
	assert_int_equal(json_array_size(list(effect, "added")), 1);
	assert_string_equal(text(list(effect, "added"), 0, "path"), H "new");
	assert_int_equal(json_array_size(list(effect, "removed")), 1);
	assert_string_equal(text(list(effect, "removed"), 0, "name"), "gone");
	assert_int_equal(json_integer_value(list(effect, "bytes_before")), 112);
	assert_int_equal(json_integer_value(list(effect, "bytes")), 146);
	json_decref(effect);
}

static void test_sizes_that_are_none(void **state)
{
	json_t *effect = json_object();

	(void)state;
	closure_compare("", H "a\t99999999999999999999999\n" H "b\t-5\n" H "c\tx\n" H "d\t7\n",
			effect);
	assert_int_equal(json_array_size(list(effect, "added")), 4);
	assert_int_equal(json_integer_value(list(effect, "bytes")), 7);
	json_decref(effect);
}

static void test_many(void **state)
{
	_cleanup_buf_ struct buf after = {};
	json_t *effect = json_object();

	(void)state;
	for (int i = 0; i < 500; i++)
		buf_addf(&after, H "a%d\t1\n", i);
	closure_compare("", buf_str(&after), effect);
	assert_true(json_is_true(list(effect, "truncated")));
	assert_true(json_array_size(list(effect, "added")) < 500);
	assert_int_equal(json_integer_value(list(effect, "bytes")), 500);
	json_decref(effect);
}

static void write_unit(const char *dir, const char *system, const char *name, const char *data)
{
	_cleanup_free_ char *path = str_format("%s/%s/etc/systemd/system", dir, system);
	_cleanup_free_ char *file = str_format("%s/%s", path, name);
	FILE *f;

	assert_int_equal(file_make_path(path, 0755, NULL), 0);
	f = fopen(file, "w");
	assert_non_null(f);
	fputs(data, f);
	(void)fclose(f);
}

/* Outside the store a unit is told by where it lies: two systems differ in all of them. */
static void test_units(void **state)
{
	_cleanup_free_ char *old = str_format("%s/old", (char *)*state),
			    *new = str_format("%s/new", (char *)*state);
	json_t *effect = json_object();

	write_unit(*state, "old", "gone.service", "x");
	write_unit(*state, "new", "come.socket", "x");
	write_unit(*state, "new", "no-unit", "x");
	closure_compare_units(old, new, effect);
	assert_int_equal(json_array_size(json_object_get(effect, "units")), 2);
	assert_string_equal(text(json_object_get(effect, "units"), 0, "name"), "come.socket");
	assert_string_equal(text(json_object_get(effect, "units"), 0, "change"), "added");
	assert_string_equal(text(json_object_get(effect, "units"), 1, "change"), "removed");
	closure_compare_units(NULL, old, effect);
	assert_string_equal(text(json_object_get(effect, "units"), 0, "change"), "added");
	json_decref(effect);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_sizes_that_are_none),
		cmocka_unit_test(test_many),
		cmocka_unit_test_setup_teardown(test_units, unit_dir_setup, unit_dir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
