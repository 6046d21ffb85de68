/* Columns, ages, and where colour and the pager come in. */

#include "skep/fake.h"

#include "base/cleanup.h"
#include "skep/table.h"
#include "skep/when.h"

#include <string.h>

static const struct table_column columns[] = {
	{.title = "N", .right = true},
	{.title = "NAME", .shrink_to = 4},
	{.title = "COMMIT", .drop = 1},
	{.title = "TITLE", .shrink_to = 5, .drop = 2},
};

static char *printed(size_t width, bool plain)
{
	_cleanup_(table_freep) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	struct out out = {.fd = -1, .columns = width};
	static const char *const cells[] = {"3",
					    "alice",
					    "1f2e3d4c5b6a",
					    "say hello to\tall",
					    "12",
					    "b\xc3\xb6z",
					    "",
					    "\xe4\xbd\xa0\xe5\xa5\xbd \x1b[2J"};

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		table_cell(table, STYLE_BOLD, "%s", cells[i]);
	table_print(table, &out, plain, "");
	return buf_take(&out.pending);
}

static void test_widths(void **state)
{
	static const struct {
		size_t width;
		const char *out;
	} cases[] = {
		{0, " N  NAME   COMMIT        TITLE\n"
		    " 3  alice  1f2e3d4c5b6a  say hello to all\n"
		    "12  b\xc3\xb6z    -             \xe4\xbd\xa0\xe5\xa5\xbd \\x1b[2J\n"},
		{40, " N  NAME   COMMIT        TITLE\n"
		     " 3  alice  1f2e3d4c5b6a  say hello to a…\n"
		     "12  b\xc3\xb6z    -             \xe4\xbd\xa0\xe5\xa5\xbd \\x1b[2J\n"},
		{30, " N  NAME   COMMIT        TITLE\n"
		     " 3  alice  1f2e3d4c5b6a  say …\n"
		     "12  b\xc3\xb6z    -             \xe4\xbd\xa0\xe5\xa5\xbd…\n"},
		/* what is dropped first is the highest number: the title, then the commit */
		{23, " N  NAME   COMMIT\n"
		     " 3  alice  1f2e3d4c5b6a\n"
		     "12  b\xc3\xb6z    -\n"},
		{12, " N  NAME\n"
		     " 3  alice\n"
		     "12  b\xc3\xb6z\n"},
		{3, " N  NAME\n"
		    " 3  ali…\n"
		    "12  b\xc3\xb6z\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *out = printed(cases[i].width, false);

		assert_string_equal(out, cases[i].out);
	}
}

static void test_plain(void **state)
{
	_cleanup_free_ char *out = printed(10, true);

	(void)state;
	assert_string_equal(out, "3\talice\t1f2e3d4c5b6a\tsay hello to all\n"
				 "12\tb\xc3\xb6z\t-\t\xe4\xbd\xa0\xe5\xa5\xbd \\x1b[2J\n");
}

static void test_ages(void **state)
{
	static const struct {
		const char *at;
		const char *age;
	} cases[] = {
		{"2026-09-12T09:15:00Z", "30s"},
		{"2026-09-12T09:15:00.123Z", "30s"},
		{"2026-09-12T09:10:00Z", "5m"},
		{"2026-09-12T06:00:00Z", "3h"},
		{"2026-09-01T09:15:30Z", "11d"},
		{"2026-09-13T09:15:30Z", "0s"},
		{"yesterday", ""},
		{"2026-09-12T09:15:00+02:00", ""},
		{"", ""},
	};
	int64_t now = when_parse("2026-09-12T09:15:30Z");
	char age[24], length[32];

	(void)state;
	assert_true(now > 0);
	assert_int_equal(when_parse(NULL), -1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(when_age(age, cases[i].at, now), cases[i].age);
	assert_string_equal(when_length(length, 59), "59s");
	assert_string_equal(when_length(length, 3599), "59m 59s");
	assert_string_equal(when_length(length, 100000), "1d 3h");
}

static const struct fake_rule rules[] = {
	{"agent_status",
	 "{\"version\":1,\"ok\":true,\"agent_statuses\":[{\"name\":\"alice\",\"running\":true}]"
	 "}",
	 NULL},
	{},
};

static bool is_colored(const char *variable, const char *term, bool on_terminal,
		       const char *option)
{
	struct fake *fake = fake_start(rules);
	struct run run = {.on_terminal = on_terminal, .term = term, .variable = variable};
	bool colored;

	run_skep(&run, option ? SKEP(fake, "list", option) : SKEP(fake, "list"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 0);
	colored = strchr(buf_str(&run.out), '\x1b') != NULL;
	run_release(&run);
	return colored;
}

static void test_color(void **state)
{
	(void)state;
	assert_true(is_colored(NULL, "xterm", true, NULL));
	assert_false(is_colored(NULL, "xterm", false, NULL));
	assert_false(is_colored(NULL, "dumb", true, NULL));
	assert_false(is_colored("NO_COLOR=1", "xterm", true, NULL));
	assert_false(is_colored("SKEP_NO_COLOR=1", "xterm", true, NULL));
	assert_true(is_colored("NO_COLOR=", "xterm", true, NULL));
	assert_false(is_colored(NULL, "xterm", true, "--color=never"));
	assert_true(is_colored("NO_COLOR=1", "dumb", false, "--color=always"));
	assert_false(is_colored(NULL, "xterm", true, "--plain"));
	assert_false(is_colored(NULL, "xterm", true, "--json"));
}

static void quit_pager(struct run *run)
{
	assert_int_equal(write(run->terminal_fd, "q", 1), 1);
}

/* More than a screen on a terminal is paged, and only then. */
static void test_pager(void **state)
{
	struct run paged = {.on_terminal = true, .cue = "Look", .on_cue = quit_pager};
	struct run whole = {.on_terminal = true};

	(void)state;
	run_skep(&paged, (const char *const[]){"skep", "help", NULL});
	run_skep(&whole, (const char *const[]){"skep", "help", "--no-input", NULL});
	assert_int_equal(paged.status, 0);
	assert_int_equal(whole.status, 0);
	assert_non_null(strstr(buf_str(&whole.out), "try again later"));
	assert_null(strstr(buf_str(&paged.out), "try again later"));
	run_release(&paged);
	run_release(&whole);
}

/* Who leaves the pager before its end has seen enough; that is no failure. */
static void test_pager_left_early(void **state)
{
	_cleanup_buf_ struct buf answer = {};
	struct fake_rule log[] = {{"build_log", NULL, NULL}, {}};
	struct run run = {.on_terminal = true, .cue = "line 7", .on_cue = quit_pager};
	struct fake *fake;

	(void)state;
	buf_add_str(&answer, "{\"version\":1,\"ok\":true,\"log\":\"");
	for (int i = 0; i < 100000; i++)
		buf_addf(&answer, "line %d\\n", i);
	buf_add_str(&answer, "\"}\n{\"version\":1,\"ok\":true,\"end\":true}");
	log[0].answer = answer.data;
	fake = fake_start(log);
	run_skep(&run, SKEP(fake, "log", "3"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 0);
	run_release(&run);
}

static void use_pager(struct run *run)
{
	assert_true(write(run->terminal_fd, "!echo pwned-$((1+1))\r", 21) == 21);
	assert_true(write(run->terminal_fd, "\rqq", 3) == 3);
}

/* The pager runs nothing for its reader, who may be looking at an agent's words. */
static void test_pager_is_tame(void **state)
{
	struct run run = {.on_terminal = true, .cue = "Look", .on_cue = use_pager};

	(void)state;
	run_skep(&run, (const char *const[]){"skep", "help", NULL});
	assert_int_equal(run.status, 0);
	assert_null(strstr(buf_str(&run.out), "pwned-2"));
	run_release(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_color),
		cmocka_unit_test(test_pager),
		cmocka_unit_test(test_pager_is_tame),
		cmocka_unit_test(test_pager_left_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
