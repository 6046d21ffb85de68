#include "unit.h"

#include "base/cleanup.h"
#include "base/text.h"

static void test_decode(void **state)
{
	static const struct {
		const char *bytes;
		size_t size, taken;
		uint32_t codepoint;
	} cases[] = {
		{"", 0, 0, 0},
		{"a", 1, 1, 'a'},
		{"\0", 1, 1, 0},
		{"\x7f", 1, 1, 0x7f},
		{"\xc2\x80", 2, 2, 0x80},
		{"\xdf\xbf", 2, 2, 0x7ff},
		{"\xe0\xa0\x80", 3, 3, 0x800},
		{"\xef\xbf\xbf", 3, 3, 0xffff},
		{"\xed\x9f\xbf", 3, 3, 0xd7ff},
		{"\xf0\x90\x80\x80", 4, 4, 0x10000},
		{"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
		/* overlong forms: '/' and NUL in two, three, four bytes */
		{"\xc0\xaf", 2, 0, 0},
		{"\xc1\xbf", 2, 0, 0},
		{"\xc0\x80", 2, 0, 0},
		{"\xe0\x80\xaf", 3, 0, 0},
		{"\xe0\x9f\xbf", 3, 0, 0},
		{"\xf0\x80\x80\xaf", 4, 0, 0},
		{"\xf0\x8f\xbf\xbf", 4, 0, 0},
		/* surrogates, and past the end of Unicode */
		{"\xed\xa0\x80", 3, 0, 0},
		{"\xed\xbf\xbf", 3, 0, 0},
		{"\xf4\x90\x80\x80", 4, 0, 0},
		{"\xf7\xbf\xbf\xbf", 4, 0, 0},
		{"\xf8\x88\x80\x80\x80", 5, 0, 0},
		{"\xff", 1, 0, 0},
		{"\xfe", 1, 0, 0},
		/* cut short, and continued wrongly */
		{"\x80", 1, 0, 0},
		{"\xbf", 1, 0, 0},
		{"\xc2", 1, 0, 0},
		{"\xe2\x80", 2, 0, 0},
		{"\xf0\x9f\x90", 3, 0, 0},
		{"\xc2\x41", 2, 0, 0},
		{"\xe2\x28\xa1", 3, 0, 0},
		{"\xe2\x82\x28", 3, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t c = 0;
		/* a copy of just that size: reading past it is seen by the sanitizer */
		_cleanup_free_ char *copy = malloc(cases[i].size + 1);
		char *bytes = copy + 1;

		assert_non_null(copy);
		memcpy(bytes, cases[i].bytes, cases[i].size);
		if (text_decode(bytes, cases[i].size, &c) != cases[i].taken)
			fail_msg("case %zu", i);
		assert_int_equal(c, cases[i].codepoint);
		assert_int_equal(text_is_utf8(bytes, cases[i].size),
				 cases[i].size == 0 || cases[i].taken > 0);
	}
	assert_false(text_is_utf8("good \xff bad", 10));
	assert_true(text_is_utf8("g\xc3\xbc\0t", 5));
}

/* Every code point, through an encoder of the test's own. */
static void test_decode_round_trip(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x110100; c++) {
		char s[4];
		size_t n;
		uint32_t back = 0;

		if (c < 0x80) {
			s[0] = (char)c;
			n = 1;
		} else if (c < 0x800) {
			s[0] = (char)(0xc0 | c >> 6);
			s[1] = (char)(0x80 | (c & 63));
			n = 2;
		} else if (c < 0x10000) {
			s[0] = (char)(0xe0 | c >> 12);
			s[1] = (char)(0x80 | (c >> 6 & 63));
			s[2] = (char)(0x80 | (c & 63));
			n = 3;
		} else {
			s[0] = (char)(0xf0 | c >> 18);
			s[1] = (char)(0x80 | (c >> 12 & 63));
			s[2] = (char)(0x80 | (c >> 6 & 63));
			s[3] = (char)(0x80 | (c & 63));
			n = 4;
		}
		if ((c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
			n = 0;
		if (text_decode(s, sizeof(s), &back) != n || (n && back != c))
			fail_msg("U+%04X", c);
	}
}

static void test_deceptive(void **state)
{
	static const uint32_t bad[] = {0xad,   0x34f,   0x61c,   0x115f,  0x180e, 0x200b,
				       0x200e, 0x200f,  0x2028,  0x202a,  0x202e, 0x2060,
				       0x2066, 0x2069,  0x3164,  0xfe0f,  0xfeff, 0xffa0,
				       0xfff9, 0x1d173, 0xe0001, 0xe0041, 0xe01ef};
	static const uint32_t good[] = {'a',    '\n',   0xe4,   0x3b1,  0x430,
					0x200a, 0x2010, 0x202f, 0x4e2d, 0x1f41d};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!text_is_deceptive(bad[i]))
			fail_msg("U+%04X", bad[i]);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (text_is_deceptive(good[i]))
			fail_msg("U+%04X", good[i]);
}

static void test_clean(void **state)
{
	static const struct {
		const char *in, *one_line, *lines;
	} cases[] = {
		{"", "", ""},
		{"plain text", "plain text", "plain text"},
		{"a\nb\tc", "a b\tc", "a\nb\tc"},
		{"a\r\nb", "a\\x0d b", "a\\x0d\nb"},
		{"\x1b[31mred", "\\x1b[31mred", "\\x1b[31mred"},
		{"\x07\x7f", "\\x07\\x7f", "\\x07\\x7f"},
		{"\xc2\x9b"
		 "31m",
		 "\\x9b31m", "\\x9b31m"}, /* the one-byte CSI of C1 */
		{"\xff\xc3", "\\xff\\xc3", "\\xff\\xc3"},
		{"user\xe2\x80\xae"
		 "txt.exe",
		 "userU+202Etxt.exe", "userU+202Etxt.exe"},
		{"\xef\xbb\xbf{", "U+FEFF{", "U+FEFF{"},
		{"\xf3\xa0\x81\x81", "U+E0041", "U+E0041"},
		{"gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x9d", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x9d",
		 "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x9d"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *one = text_clean_dup(cases[i].in, 1000, false);
		_cleanup_free_ char *lines = text_clean_dup(cases[i].in, 1000, true);

		assert_string_equal(one, cases[i].one_line);
		assert_string_equal(lines, cases[i].lines);
	}
}

static void test_clean_nul_and_append(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	buf_add_str(&b, "before ");
	text_clean(&b, "a\0b", 3, 100, false);
	assert_string_equal(b.data, "before a\\x00b");
}

/* The limit counts what comes out, and a cut never goes through a character or an escape. */
static void test_clean_limit(void **state)
{
	static const char in[] = "ab\xc3\xa4\x1b\xe2\x80\xae\xff";
	static const char *const pieces[] = {"a", "b", "\xc3\xa4", "\\x1b", "U+202E", "\\xff"};

	(void)state;
	for (size_t max = 0; max < 24; max++) {
		_cleanup_free_ char *out = text_clean_dup(in, max, false);
		_cleanup_buf_ struct buf want = {};
		size_t i = 0;

		while (i < ARRAY_SIZE(pieces) && want.size + strlen(pieces[i]) <= max)
			buf_add_str(&want, pieces[i++]);
		if (i < ARRAY_SIZE(pieces))
			buf_add_str(&want, "…");
		assert_string_equal(out, buf_str(&want));
	}
}

static void test_hex(void **state)
{
	char out[9];

	(void)state;
	text_hex(out, "\x00\x0f\xa5\xff", 4);
	assert_string_equal(out, "000fa5ff");
	text_hex(out, "", 0);
	assert_string_equal(out, "");
	assert_true(text_is_hex("00ff", 4));
	assert_true(text_is_hex("", 0));
	assert_false(text_is_hex("00ff", 3));
	assert_false(text_is_hex("00ff", 5));
	assert_false(text_is_hex("00FF", 4));
	assert_false(text_is_hex("00fg", 4));
	assert_false(text_is_hex("00f ", 4));
}

static void test_keep(void **state)
{
	_cleanup_buf_ struct buf out = {};
	static const char text[] = "a\x1b[31m\xe2\x80\xae\xff\0\xc2z\n";

	(void)state;
	text_keep(&out, text, sizeof(text) - 1);
	assert_string_equal(buf_str(&out), "a\x1b[31m\xe2\x80\xae\\xff\\x00\\xc2z\n");
	assert_true(text_is_utf8(out.data, out.size));
}

static void test_cut_short(void **state)
{
	static const struct {
		const char *bytes;
		size_t cut;
	} cases[] = {
		{"", 0},
		{"a", 0},
		{"\xc3\xa9", 0},
		{"a\xc3", 1},
		{"a\xe2\x82\xac", 0},
		{"a\xe2\x82", 2},
		{"\xf0\x9f\x90", 3},
		{"\xf0\x9f\x90\x80", 0},
		/* no character begins there: nothing to wait for */
		{"\x80\x80\x80\x80", 0},
		{"a\x80", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(text_cut_short(cases[i].bytes, strlen(cases[i].bytes)),
				 cases[i].cut);
}

static void test_to_number(void **state)
{
	static const struct {
		const char *text;
		int64_t min, max, wanted; /* -77: refused */
	} cases[] = {
		{"0", 0, 9, 0},
		{"9", 0, 9, 9},
		{"007", 0, 9, 7},
		{"-5", -9, 9, -5},
		{"9223372036854775807", 0, INT64_MAX, INT64_MAX},
		{"10", 0, 9, -77},
		{"0", 1, 9, -77},
		{"-5", 0, 9, -77},
		{"-", -9, 9, -77},
		{"", 0, 9, -77},
		{"+5", 0, 9, -77},
		{" 5", 0, 9, -77},
		{"5 ", 0, 9, -77},
		{"5x", 0, 9, -77},
		{"0x5", 0, 9, -77},
		{"9223372036854775808", 0, INT64_MAX, -77},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t n = -77;

		assert_int_equal(text_to_number(cases[i].text, cases[i].min, cases[i].max, &n),
				 cases[i].wanted != -77);
		assert_int_equal(n, cases[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_decode_round_trip),
		cmocka_unit_test(test_deceptive),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_clean_nul_and_append),
		cmocka_unit_test(test_clean_limit),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_to_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
