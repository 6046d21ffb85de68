/* top: once into a pipe, again and again on a terminal, gone without a trace. */
#include "skep/fake.h"

#include "base/cleanup.h"

#include <string.h>

#define ROW(name, cpu, memory)                            \
	"{\"name\":\"" name "\",\"memory_bytes\":" memory \
	",\"cpu_usec\":9,\"cpu_percent\":" cpu ",\"tasks\":7}"

static const struct fake_rule rules[] = {
	{"usage",
	 "{\"version\":1,\"ok\":true,\"usage\":[" ROW("alice", "1.0", "2097152") "," ROW(
		 "bob", "50.0", "1048576") "," ROW("c\\u001b[2Jarol", "0.5", "12") "]}",
	 NULL},
	{},
};

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static void test_once(void **state)
{
	struct fake *fake = fake_start(rules);
	struct run run = {};
	_cleanup_free_ char *asked = NULL;

	(void)state;
	run_skep(&run, SKEP(fake, "top"));
	assert_int_equal(run.status, 0);
	assert_int_equal(count(buf_str(&run.out), "\n"), 4);
	/* the busiest first, and nothing that acts on a terminal */
	assert_true(strstr(buf_str(&run.out), "bob") < strstr(buf_str(&run.out), "alice"));
	assert_null(strchr(buf_str(&run.out), '\x1b'));
	run_release(&run);
	asked = fake_stop(fake);
	assert_int_equal(count(asked, "usage"), 1);
}

/* A row that has no rates yet is asked for a second time. */
static void test_second_look(void **state)
{
	static const struct fake_rule fresh[] = {
		{"usage",
		 "{\"version\":1,\"ok\":true,\"usage\":[{\"name\":\"alice\",\"cpu_usec\":9}]}",
		 NULL},
		{},
	};
	struct fake *fake = fake_start(fresh);
	struct run run = {};
	_cleanup_free_ char *asked = NULL;

	(void)state;
	run_skep(&run, SKEP(fake, "top", "--json"));
	assert_string_equal(buf_str(&run.out), "[{\"name\":\"alice\",\"cpu_usec\":9}]\n");
	run_release(&run);
	asked = fake_stop(fake);
	assert_int_equal(count(asked, "usage"), 2);
}

static void test_live(void **state)
{
	struct fake *fake = fake_start(rules);
	struct run run = {.on_terminal = true, .input = "mnq", .input_size = 3};
	const char *out;

	(void)state;
	run_skep(&run, SKEP(fake, "top", "--interval", "3600"));
	out = buf_str(&run.out);
	assert_int_equal(run.status, 0);
	assert_int_equal(count(out, "\x1b[?1049h"), 1);
	assert_int_equal(count(out, "3 running"), 3);
	assert_non_null(strstr(out, "memory"));
	/* the screen and the cursor are back at the end */
	assert_non_null(strstr(strstr(out, "\x1b[?1049h"), "\x1b[?25h\x1b[?1049l"));
	assert_null(strstr(out, "\x1b[2J"));
	run_release(&run);
	free(fake_stop(fake));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_second_look),
		cmocka_unit_test(test_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
