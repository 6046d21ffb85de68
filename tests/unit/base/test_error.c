#include "unit.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

#include <errno.h>

static void test_set(void **state)
{
	struct error err = {};

	(void)state;
	assert_int_equal(error_set(&err, ENOENT, "no agent '%s'", "bob"), -ENOENT);
	assert_int_equal(err.err, -ENOENT);
	assert_string_equal(error_text(&err), "no agent 'bob'");
	assert_string_equal(error_code(&err), "not_found");
	assert_string_equal(err.hint, "");
	/* an errno that is negative already means the same */
	assert_int_equal(error_set(&err, -EPERM, "no"), -EPERM);
	assert_int_equal(err.err, -EPERM);
	assert_int_equal(error_set(NULL, EBUSY, "nobody reads it"), -EBUSY);
	assert_int_equal(error_set_code(NULL, EBUSY, "x", "nobody reads it"), -EBUSY);
	assert_int_equal(error_set_errno(NULL, EBUSY, "nobody reads it"), -EBUSY);
	error_hint(NULL, "nobody reads it");
}

static void test_code_and_hint(void **state)
{
	struct error err = {};

	(void)state;
	assert_int_equal(error_set_code(&err, EINVAL, "needs_ack", "flags"), -EINVAL);
	assert_string_equal(error_code(&err), "needs_ack");
	error_hint(&err, "approve with --ack %s", "mode-changed");
	assert_string_equal(err.hint, "approve with --ack mode-changed");
	/* a new error forgets the old one's code and hint */
	error_set(&err, EIO, "disk");
	assert_string_equal(error_code(&err), "storage");
	assert_string_equal(err.hint, "");
}

static void test_errno_and_prefix(void **state)
{
	struct error err = {};

	(void)state;
	assert_int_equal(error_set_errno(&err, EACCES, "cannot open '%s'", "/x"), -EACCES);
	assert_string_equal(error_text(&err), "cannot open '/x': Permission denied");
	assert_int_equal(error_prefix(&err, "agent '%s'", "bob"), -EACCES);
	assert_string_equal(error_text(&err),
			    "agent 'bob': cannot open '/x': Permission denied");
	assert_string_equal(error_code(&err), "forbidden");
}

static void test_nobody_filled_it(void **state)
{
	struct error err = {};

	(void)state;
	assert_string_equal(error_text(&err), "unknown error");
	assert_string_equal(error_code(&err), "internal");
}

static void test_codes(void **state)
{
	static const struct {
		int errnum;
		const char *code;
	} cases[] = {
		{EINVAL, "bad_request"},     {EBADMSG, "bad_request"},
		{E2BIG, "too_large"},        {ENOENT, "not_found"},
		{EPERM, "forbidden"},        {EEXIST, "exists"},
		{ESTALE, "stale"},           {EBUSY, "busy"},
		{EAGAIN, "unavailable"},     {ENOSPC, "storage"},
		{EOPNOTSUPP, "unsupported"}, {ELOOP, "internal"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {};

		error_set(&err, cases[i].errnum, "x");
		assert_string_equal(error_code(&err), cases[i].code);
	}
}

static void assert_clean(const char *text)
{
	assert_true(text_is_utf8(text, strlen(text)));
	for (const char *c = text; *c; c++)
		assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
}

/* Whatever was formatted in, the text can go into JSON and onto a terminal. */
static void test_hostile_text(void **state)
{
	struct error err = {};

	(void)state;
	error_set(&err, EINVAL, "a\nb\tc\x1b[31m \xff \xc3\xa4 \xc2\x9b.");
	assert_clean(err.text);
	assert_string_equal(err.text, "a b c?[31m ? \xc3\xa4 ??.");
	error_set_errno(&err, EINVAL, "\xed\xa0\x80");
	assert_clean(err.text);
	error_prefix(&err, "\x1b\xff");
	assert_clean(err.text);
	error_hint(&err, "\x1b\xff");
	assert_clean(err.hint);
}

/* A character of several bytes at the very place where the room ends, shifted through every
 * offset. */
static void test_cut_text_stays_utf8(void **state)
{
	char longest[2 * sizeof(((struct error *)0)->text)];
	struct error err = {};

	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		memset(longest, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof(longest); i += 4)
			memcpy(longest + i, "\xf0\x9f\x90\x9d", 5);
		error_set(&err, EINVAL, "%s", longest);
		assert_clean(err.text);
		assert_text(&err, "…");
		assert_null(strchr(err.text, '?'));
		assert_true(strlen(err.text) > sizeof(err.text) - 8);
		error_prefix(&err, "while '%s'", "looking");
		assert_clean(err.text);
		assert_text(&err, "while 'looking': ");
		error_hint(&err, "%s", longest);
		assert_clean(err.hint);
		error_set_errno(&err, EINVAL, "%s", longest);
		assert_clean(err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_code_and_hint),
		cmocka_unit_test(test_errno_and_prefix),
		cmocka_unit_test(test_nobody_filled_it),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_cut_text_stays_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
