#include "unit.h"

#include "base/cleanup.h"
#include "model/flags.h"

#include <errno.h>

static void test_every_kind_has_all_its_parts(void **state)
{
	(void)state;
	for (int i = 0; i < FLAG_KIND_COUNT; i++) {
		enum flag_kind kind = (enum flag_kind)i, found = FLAG_KIND_COUNT;
		struct error err = {};

		assert_non_null(flag_name(kind));
		assert_non_null(flag_sentence(kind));
		assert_int_equal(strspn(flag_name(kind), "abcdefghijklmnopqrstuvwxyz-"),
				 strlen(flag_name(kind)));
		assert_int_equal(flag_kind_parse(flag_name(kind), &found, &err), 0);
		assert_int_equal(found, kind);
	}
}

static void test_strengths(void **state)
{
	static const enum flag_kind blocks[] = {FLAG_SYMLINK_ESCAPE,    FLAG_GIT_CONTROL_FILE,
						FLAG_EXPORT_ATTRIBUTES, FLAG_LFS_POINTER,
						FLAG_CASE_COLLISION,    FLAG_FLAKE_CHANGED,
						FLAG_MANIFEST_INVALID};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		assert_int_equal(flag_strength(blocks[i]), FLAG_BLOCK);
	for (int i = 0; i < FLAG_KIND_COUNT; i++)
		if (flag_strength((enum flag_kind)i) == FLAG_BLOCK)
			n++;
	assert_int_equal(n, ARRAY_SIZE(blocks));
}

static void test_unknown_name(void **state)
{
	static const char *const bad[] = {"", "Symlink-escape", "symlink-escape ", "\x1b[2J"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		enum flag_kind kind = FLAG_MODE_CHANGED;
		struct error err = {};

		assert_int_equal(flag_kind_parse(bad[i], &kind, &err), -EINVAL);
		assert_int_equal(kind, FLAG_MODE_CHANGED);
		assert_text(&err, "unknown flag");
		assert_null(strchr(err.text, 0x1b));
	}
}

static void test_equal_entries_are_kept_once(void **state)
{
	struct flags flags = {};

	(void)state;
	flags_add(&flags, FLAG_MODE_CHANGED, "bin/run");
	flags_add(&flags, FLAG_MODE_CHANGED, "bin/run");
	flags_add(&flags, FLAG_BINARY_FILE, "bin/run");
	flags_add(&flags, FLAG_MODE_CHANGED, "bin/other");
	assert_int_equal(flags.count, 3);
	flags_release(&flags);
}

static void test_place_is_cleaned_and_cut(void **state)
{
	char longest[5000];
	struct flags flags = {};

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	flags_add(&flags, FLAG_BINARY_FILE, "a\nb\x1b[31m");
	flags_add(&flags, FLAG_BINARY_FILE, longest);
	flags_add(&flags, FLAG_BINARY_FILE, NULL);
	assert_string_equal(flags.items[0].place, "a b\\x1b[31m");
	assert_true(strlen(flags.items[1].place) <= FLAG_PLACE_MAX + strlen("…"));
	assert_string_equal(flags.items[2].place, "");
	flags_release(&flags);
}

/* Thousands of harmless flags must not push a blocking one out of the list. */
static void test_no_kind_is_crowded_out(void **state)
{
	struct flags flags = {};
	char place[32];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(place, sizeof(place), "file-%d", i);
		flags_add(&flags, FLAG_BINARY_FILE, place);
	}
	assert_int_equal(flags.count, FLAGS_MAX);
	assert_false(flags_has_strength(&flags, FLAG_BLOCK));
	for (int i = 0; i < FLAG_KIND_COUNT; i++)
		flags_add(&flags, (enum flag_kind)i, "late");
	for (int i = 0; i < FLAG_KIND_COUNT; i++)
		assert_true(flags_has(&flags, (enum flag_kind)i));
	assert_true(flags_has_strength(&flags, FLAG_BLOCK));
	assert_true(flags.count <= FLAGS_MAX + FLAG_KIND_COUNT);
	flags_release(&flags);
	assert_int_equal(flags.count, 0);
	flags_release(&flags);
}

static void test_trim_keeps_the_first_of_each_kind(void **state)
{
	struct flags flags = {};

	(void)state;
	flags_trim(&flags);
	assert_int_equal(flags.count, 0);
	flags_add(&flags, FLAG_BINARY_FILE, "a");
	flags_add(&flags, FLAG_BINARY_FILE, "b");
	flags_add(&flags, FLAG_SYMLINK_ESCAPE, "c");
	flags_add(&flags, FLAG_BINARY_FILE, "d");
	flags_add(&flags, FLAG_SYMLINK_ESCAPE, "e");
	flags_trim(&flags);
	assert_int_equal(flags.count, 2);
	assert_string_equal(flags.items[0].place, "a");
	assert_string_equal(flags.items[1].place, "c");
	flags_add(&flags, FLAG_BINARY_FILE, "f");
	assert_int_equal(flags.count, 3);
	flags_release(&flags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_has_all_its_parts),
		cmocka_unit_test(test_strengths),
		cmocka_unit_test(test_unknown_name),
		cmocka_unit_test(test_equal_entries_are_kept_once),
		cmocka_unit_test(test_place_is_cleaned_and_cut),
		cmocka_unit_test(test_no_kind_is_crowded_out),
		cmocka_unit_test(test_trim_keeps_the_first_of_each_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
