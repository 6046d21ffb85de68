/* Journals on web.sock: lines, never descriptors, and only as fast as they are taken. */
#include "web_unit.h"

#include "base/text.h"

static void write_journal(const struct browser *b, const char *text, size_t size)
{
	_cleanup_free_ char *path = str_format("%s/journal", b->u->dir);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, size, 0600, NULL), 0);
}

/* All lines until the last, put together; the caller owns the text. */
static char *read_stream(int fd)
{
	struct buf all = {};

	for (;;) {
		json_t *line = browser_hear(fd);
		const char *text = json_string_value(json_object_get(line, "log"));
		bool end = json_is_true(json_object_get(line, "end"));

		assert_non_null(line);
		assert_true(json_is_true(json_object_get(line, "ok")));
		assert_true(end || text);
		if (text)
			buf_add_str(&all, text);
		json_decref(line);
		if (end)
			return buf_take(&all);
	}
}

static void test_lines(void **state)
{
	const struct browser *b = *state;
	static const char journal[] = "one\n\033[31mtwo\033[0m \xe2\x80\xae\xff\nthree";
	_cleanup_free_ char *text = NULL;
	int fd;

	write_journal(b, journal, sizeof(journal) - 1);
	fd = browser_open(b, "{'cmd':'logs','name':'alice','lines':10}");
	text = read_stream(fd);
	/* what it is, not what it was cleaned to: the browser shows each character */
	assert_string_equal(text, "one\n\033[31mtwo\033[0m \xe2\x80\xae\\xff\nthree");
	(void)close(fd);
}

static void test_nothing_and_failure(void **state)
{
	const struct browser *b = *state;
	_cleanup_free_ char *text = NULL;
	json_t *answer;
	int fd;

	write_journal(b, "", 0);
	fd = browser_open(b, "{'cmd':'logs','name':'alice'}");
	text = read_stream(fd);
	assert_string_equal(text, "");
	(void)close(fd);
	hive_refused(browser_ask(b, "{'cmd':'logs','name':'nobody'}"), "not_found");
	hive_refused(browser_ask(b, "{'cmd':'logs','name':'alice','lines':-1}"), "bad_request");
	touch(b->u, "fail-logs");
	answer = browser_ask(b, "{'cmd':'logs','name':'alice'}");
	hive_refused(answer, "storage");
	untouch(b->u, "fail-logs");
}

/* More than the daemon would hold for one client comes whole to one that is slow, and a line
 * without an end in pieces that are whole characters. */
static void test_large(void **state)
{
	const struct browser *b = *state;
	size_t size = 3 << 20;
	_cleanup_free_ char *journal = mem_new(size + 1, 1), *text = NULL;
	int fd;

	for (size_t i = 0; i + 3 <= size; i += 3)
		memcpy(journal + i, "\xe2\x82\xac", 3);
	size -= size % 3;
	journal[size] = '\0';
	write_journal(b, journal, size);
	fd = browser_open(b, "{'cmd':'logs','name':'alice'}");
	usleep(300000);
	/* others are served meanwhile */
	hive_do(browser_ask(b, "{'cmd':'list'}"));
	text = read_stream(fd);
	assert_int_equal(strlen(text), size);
	assert_string_equal(text, journal);
	(void)close(fd);
}

static void test_client_leaves(void **state)
{
	const struct browser *b = *state;
	size_t size = 3 << 20;
	_cleanup_free_ char *journal = mem_new(size, 1);

	memset(journal, 'x', size);
	write_journal(b, journal, size);
	for (int i = 0; i < 20; i++)
		(void)close(browser_open(b, "{'cmd':'logs','name':'alice','follow':true}"));
	hive_do(browser_ask(b, "{'cmd':'list'}"));
}

/* The same verb on the operators' socket is about the descriptors that come with it. */
static void test_operators_bring_descriptors(void **state)
{
	const struct browser *b = *state;

	hive_refused(hive_ask(b->u, "{'cmd':'logs','name':'alice'}"), "bad_request");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_nothing_and_failure),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_client_leaves),
		cmocka_unit_test(test_operators_bring_descriptors),
	};

	return cmocka_run_group_tests(tests, setup_browser, teardown_browser);
}
