#include "unit.h"

#include "base/buf.h"
#include "base/cleanup.h"

static void test_grows(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	assert_string_equal(buf_str(&b), "");
	for (size_t i = 0; i < 100000; i++) {
		buf_add_char(&b, (char)('a' + i % 26));
		assert_int_equal(b.size, i + 1);
		assert_int_equal(b.data[b.size], '\0');
	}
	for (size_t i = 0; i < b.size; i++)
		assert_int_equal(b.data[i], 'a' + i % 26);
}

/* Sizes around each doubling: the closing NUL must always have its room. */
static void test_every_size(void **state)
{
	char block[300];

	(void)state;
	memset(block, 'x', sizeof(block));
	for (size_t first = 0; first < 140; first++) {
		for (size_t second = 0; second < 140; second++) {
			_cleanup_buf_ struct buf b = {};

			buf_add(&b, block, first);
			buf_add(&b, block, second);
			assert_int_equal(b.size, first + second);
			assert_int_equal(strlen(b.data), first + second);
		}
	}
}

static void test_format(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	buf_addf(&b, "%d-%s", 7, "x");
	buf_addf(&b, "%s", "");
	buf_addf(&b, "%200d", 1);
	assert_int_equal(b.size, 203);
	assert_memory_equal(b.data, "7-x   ", 6);
	assert_int_equal(b.data[202], '1');
}

static void test_truncate_and_take(void **state)
{
	struct buf b = {};
	char *s;

	(void)state;
	buf_add_str(&b, "hello");
	buf_truncate(&b, 9);
	assert_string_equal(b.data, "hello");
	buf_truncate(&b, 2);
	assert_string_equal(b.data, "he");
	buf_add_str(&b, "y");
	s = buf_take(&b);
	assert_string_equal(s, "hey");
	free(s);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
	s = buf_take(&b);
	assert_string_equal(s, "");
	free(s);
	buf_release(&b);
	buf_release(&b);
	buf_truncate(&b, 0);
}

static void test_bytes(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	buf_add(&b, "a\0b", 3);
	buf_add(&b, NULL, 0);
	assert_int_equal(b.size, 3);
	assert_memory_equal(b.data, "a\0b", 4);
}

static void test_strings(void **state)
{
	_cleanup_free_ char *formatted = str_format("%s=%d", "a", 1);
	_cleanup_free_ char *empty = str_format("%s", "");
	_cleanup_free_ char *copy = str_dup("x");
	int *numbers = mem_new(3, sizeof(*numbers));
	_cleanup_free_ void *none = mem_new(0, 8);

	(void)state;
	assert_string_equal(formatted, "a=1");
	assert_string_equal(empty, "");
	assert_string_equal(copy, "x");
	assert_null(str_dup(NULL));
	assert_int_equal(numbers[0] | numbers[1] | numbers[2], 0);
	numbers[2] = 5;
	numbers = mem_grow(numbers, 100, sizeof(*numbers));
	assert_int_equal(numbers[2], 5);
	free(numbers);
	assert_non_null(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),  cmocka_unit_test(test_every_size),
		cmocka_unit_test(test_format), cmocka_unit_test(test_truncate_and_take),
		cmocka_unit_test(test_bytes),  cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
