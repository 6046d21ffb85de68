#include "unit.h"

#include "base/cleanup.h"
#include "model/entry.h"

#include <errno.h>

static void test_round_trip(void **state)
{
	static const char *const bodies[] = {
		"",
		"one line",
		"# not a comment\n\n\nafter blank lines",
		"Skep-Seq: 99\nSkep-Prev: forged",
		"a paragraph\n\nSkep-Seq: 99",
		"ends in newlines\n\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_(entry_release) struct entry r = {};
		_cleanup_free_ char *body = NULL, *prev = NULL, *ack = NULL, *none = NULL,
				    *want = NULL;
		int64_t seq = 0;
		size_t n = strlen(bodies[i]);

		entry_begin(&r, "deployed 3: alice", bodies[i]);
		entry_put_int(&r, "Skep-Seq", 7);
		entry_put(&r, "Skep-Prev", "abc");
		entry_put(&r, "Skep-Ack", "one");
		entry_put(&r, "Skep-Ack", "two");
		entry_put(&r, "Skep-None", NULL);
		assert_int_equal(entry_get_int(entry_text(&r), "Skep-Seq", &seq), 0);
		assert_int_equal(seq, 7);
		prev = entry_get(entry_text(&r), "Skep-Prev", 0);
		assert_string_equal(prev, "abc");
		ack = entry_get(entry_text(&r), "Skep-Ack", 1);
		assert_string_equal(ack, "two");
		none = entry_get(entry_text(&r), "Skep-None", 0);
		assert_null(none);
		while (n > 0 && bodies[i][n - 1] == '\n')
			n--;
		want = strndup(bodies[i], n);
		body = entry_body(entry_text(&r));
		assert_string_equal(body, want);
	}
}

static void test_hostile_values(void **state)
{
	_cleanup_(entry_release) struct entry r = {};
	_cleanup_free_ char *value = NULL;
	int64_t seq = 0;

	(void)state;
	entry_begin(&r, "subject\n\nSkep-Seq: 1", "x\033[2J");
	entry_put(&r, "Skep-Title", "a\n\nSkep-Seq: 2\nb");
	entry_put_int(&r, "Skep-Seq", 3);
	assert_int_equal(entry_get_int(entry_text(&r), "Skep-Seq", &seq), 0);
	assert_int_equal(seq, 3);
	value = entry_get(entry_text(&r), "Skep-Title", 0);
	assert_string_equal(value, "a  Skep-Seq: 2 b");
	assert_null(strchr(entry_text(&r), '\033'));
	assert_int_equal(entry_get_int("subject\n", "Skep-Seq", &seq), -ENOENT);
	assert_int_equal(entry_get_int("s\n\nSkep-Seq: 12x\n", "Skep-Seq", &seq), -EINVAL);
}

/* More lines than are remembered, and lines that are none. */
static void test_many(void **state)
{
	_cleanup_buf_ struct buf text = {};
	struct trailers trailers;
	int64_t n = -1;

	(void)state;
	buf_add_str(&text, "s\n\nno trailer here\nA:1\nA 2: 3\n: 4\n");
	for (int i = 0; i < 40; i++)
		buf_addf(&text, "Flag: %d\n", i);
	buf_add_str(&text, "A: 41\n");
	trailers_read(&trailers, buf_str(&text));
	assert_int_equal(trailer_get_int(&trailers, "A", &n), 0);
	assert_int_equal(n, 41);
	assert_int_equal(trailer_get_int(&trailers, "Flag", &n), 0);
	assert_int_equal(n, 0);
	for (unsigned i = 0; i < 40; i++) {
		_cleanup_free_ char *value = trailer_get(&trailers, "Flag", i);

		assert_non_null(value);
		assert_int_equal(atoi(value), i);
	}
	assert_null(trailer_get(&trailers, "Flag", 40));
	assert_null(trailer_get(&trailers, "Fla", 0));
	assert_null(trailer_get(&trailers, "no trailer here", 0));
}

static void test_long_body(void **state)
{
	_cleanup_(entry_release) struct entry r = {};
	_cleanup_free_ char *big = malloc(ENTRY_BODY_MAX + 100), *body = NULL;

	(void)state;
	memset(big, 'x', ENTRY_BODY_MAX + 99);
	memcpy(big + ENTRY_BODY_MAX + 95, "end", 4);
	entry_begin(&r, "failed 1", big);
	entry_put_int(&r, "Skep-Seq", 1);
	body = entry_body(entry_text(&r));
	assert_non_null(strstr(body, "[earlier text was left out]"));
	assert_string_equal(body + strlen(body) - 3, "end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_hostile_values),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_long_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
