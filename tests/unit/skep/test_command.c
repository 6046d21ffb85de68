/* The table of commands against what is written about it: the man page, the completions, the
 * help. */

#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "skep/args.h"
#include "skep/command.h"
#include "skep/help.h"
#include "skep/out.h"

#include <fcntl.h>
#include <string.h>

#define MAN_PAGE "share/man/skep.1.scd"

static char *read_file(const char *path)
{
	_cleanup_buf_ struct buf text = {};
	struct error err = {};

	if (file_read(AT_FDCWD, path, 1 << 20, &text, &err) < 0)
		fail_msg("%s (run from the top of the source)", error_text(&err));
	return buf_take(&text);
}

/* A line of the page without its markup. */
static char *plain_line(const char *line)
{
	struct buf text = {};

	for (const char *p = line; *p && *p != '\n'; p++)
		if (!strchr("*_+\\", *p))
			buf_add_char(&text, *p);
	return buf_take(&text);
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : NULL;
}

/* The line that begins the entry of a command, NULL when there is none. */
static const char *find_entry(const char *page, const struct command *command)
{
	_cleanup_free_ char *wanted = str_format("skep %s%s%s", command->name,
						 command->usage[0] ? " " : "", command->usage);

	for (const char *line = page; line; line = next_line(line)) {
		_cleanup_free_ char *plain = plain_line(line);

		if (starts(line, "*skep ") && starts(plain, wanted) &&
		    (plain[strlen(wanted)] == '\0' || plain[strlen(wanted)] == ' '))
			return line;
	}
	return NULL;
}

/* Option lines of an entry: "\t*--name*" or "\t*-m*, *--name*", up to the next entry. */
static size_t count_entry_options(const char *entry, const struct option *list,
				  size_t *ret_known)
{
	bool in_heading = true;
	size_t n = 0;

	*ret_known = 0;
	for (const char *line = entry; line; line = next_line(line)) {
		in_heading = in_heading && starts(line, "*skep ");
		if (!in_heading && (starts(line, "*skep ") || line[0] == '#'))
			break;
		if (!starts(line, "\t*-"))
			continue;
		n++;
		for (const struct option *o = list; o && o->name; o++) {
			_cleanup_free_ char *plain = plain_line(line);
			_cleanup_free_ char *wanted =
				str_format("\t%s%s%s--%s%s%s", o->letter ? "-" : "",
					   o->letter ? (char[]){o->letter, 0} : "",
					   o->letter ? ", " : "", o->name, o->value ? " " : "",
					   o->value ? o->value : "");

			*ret_known += strcmp(plain, wanted) == 0;
		}
	}
	return n;
}

static size_t count_options(const struct option *list)
{
	size_t n = 0;

	while (list && list[n].name)
		n++;
	return n;
}

static void test_man_page(void **state)
{
	_cleanup_free_ char *page = read_file(MAN_PAGE);
	const struct command *command;

	(void)state;
	for (size_t i = 0; (command = command_at(i)); i++) {
		const char *entry = find_entry(page, command);
		size_t known, n;

		if (!command->group) {
			assert_null(entry);
			continue;
		}
		if (!entry)
			fail_msg("the man page has no entry 'skep %s %s'", command->name,
				 command->usage);
		n = count_entry_options(entry, command->options, &known);
		if (n != known || n != count_options(command->options))
			fail_msg("the man page's options of '%s' are %zu, of which the table "
				 "knows %zu of its %zu",
				 command->name, n, known, count_options(command->options));
	}
	for (const struct option *o = command_global_options; o->name; o++) {
		_cleanup_free_ char *wanted = str_format("*--%s*", o->name);

		assert_non_null(strstr(page, wanted));
	}
}

/* The page speaks of no command that is not there. */
static void test_man_page_has_no_more(void **state)
{
	_cleanup_free_ char *page = read_file(MAN_PAGE);

	(void)state;
	for (const char *line = page; line; line = next_line(line)) {
		_cleanup_free_ char *plain = plain_line(line);
		char name[32] = "";

		if (!starts(line, "*skep ") || sscanf(plain, "skep %31[a-z-]", name) != 1)
			continue;
		if (!command_find(name))
			fail_msg("the man page speaks of 'skep %s'", name);
	}
}

static void test_completion_scripts(void **state)
{
	static const char *const paths[] = {"share/completions/skep.bash",
					    "share/completions/_skep",
					    "share/completions/skep.fish"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_free_ char *text = read_file(paths[i]);

		assert_non_null(strstr(text, "skep __complete "));
	}
	assert_non_null(command_find("__complete"));
}

static void test_complete(void **state)
{
	static const struct fake_rule rules[] = {
		{"list",
		 "{\"version\":1,\"ok\":true,\"agents\":[\"alice\",\"bob\",\"Bad name\"]}",
		 NULL},
		{"agent_status",
		 "{\"version\":1,\"ok\":true,\"agent_statuses\":[{\"name\":\"alice\","
		 "\"labels\":{"
		 "\"team\":\"red\"}},{\"name\":\"bob\",\"labels\":{\"team\":\"red\"}}]}",
		 NULL},
		{"pending",
		 "{\"version\":1,\"ok\":true,\"approvals\":[{\"id\":3,\"agent\":\"alice\","
		 "\"title\":\"hello\"}]}",
		 NULL},
		{},
	};
	static const struct {
		const char *words[6];
		const char *out;
	} cases[] = {
		{{"sh"},
		 "show\tshow one agent and its latest proposals\nshell\topen a terminal inside "
		 "an agent's container\n"},
		{{"show", ""}, "alice\nbob\n"},
		{{"start", "alice", "b"}, "bob\n"},
		{{"show", "alice", ""}, ""},
		{{"-q", "--socket", "x", "show", "a"}, "alice\n"},
		{{"log", ""}, "alice\nbob\n3\talice: hello\n"},
		{{"approve", ""}, "3\talice: hello\n"},
		{{"approve", "3", "--com"},
		 "--commit\tthe commit that was reviewed; needed where nobody can be asked\n"},
		{{"approve", "3", "--ack", "lfs"},
		 "lfs-pointer\tthe content of a file is not in the commit\n"},
		{{"proposals", "--state", "fa"}, "failed\n"},
		{{"diff", "3", "--against", ""}, "deployed\nseen\n"},
		{{"audit", ""}, "verify\n"},
		{{"stop", "--label", ""}, "team=red\n"},
		{{"top", "--sort", "m"}, "memory\n"},
		{{"set", "alice", "mem"}, "memory_max=\n"},
		{{"list", "--color", "=", "al"}, "always\n"},
		{{"spawn", "x", "--network", "p"}, "private\n"},
		{{"help", "docto"}, "doctor\tcheck this machine and say what to fix\n"},
		{{"__"}, ""},
	};
	struct fake *fake = fake_start(rules);
	_cleanup_free_ char *variable = str_format("SKEP_SOCKET=%s", fake_path(fake));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *argv[10] = {"skep", "__complete"};
		struct run run = {.variable = variable};

		for (size_t j = 0; cases[i].words[j]; j++)
			argv[2 + j] = cases[i].words[j];
		run_skep(&run, argv);
		assert_int_equal(run.status, 0);
		assert_string_equal(buf_str(&run.out), cases[i].out);
		assert_string_equal(buf_str(&run.err), "");
		run_release(&run);
	}
	free(fake_stop(fake));
}

/* Every command is offered by the completion and explained by the help. */
static void test_all_are_offered(void **state)
{
	struct run run = {};
	const struct command *command;

	(void)state;
	run_skep(&run, (const char *const[]){"skep", "__complete", "", NULL});
	for (size_t i = 0; (command = command_at(i)); i++) {
		_cleanup_free_ char *line =
			str_format("%s\t%s\n", command->name, command->summary);
		struct out out = {.fd = -1};

		assert_true(!!strstr(buf_str(&run.out), line) == !!command->group);
		help_print(&out, command);
		for (const struct option *o = command->options; o && o->name; o++) {
			_cleanup_free_ char *name = str_format("--%s", o->name);

			assert_non_null(strstr(buf_str(&out.pending), name));
		}
		out_release(&out);
	}
	run_release(&run);
}

static void test_usage_words(void **state)
{
	static const struct {
		const char *usage;
		size_t least, most;
	} cases[] = {
		{"", 0, 0},
		{"AGENT", 1, 1},
		{"AGENT [K]", 1, 2},
		{"AGENT...", 1, SIZE_MAX},
		{"[WORD...]", 0, SIZE_MAX},
		{"AGENT key=value...", 2, SIZE_MAX},
		{"AGENT|N", 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t least, most;

		usage_count(cases[i].usage, &least, &most);
		assert_int_equal(least, cases[i].least);
		assert_true(most == cases[i].most);
	}
}

static void test_args(void **state)
{
	char *argv[] = {(char *)"skep",
			(char *)"-qmtext",
			(char *)"deny",
			(char *)"--json",
			(char *)"--",
			(char *)"-3",
			NULL};
	char *good[] = {
		(char *)"skep",          (char *)"-q", (char *)"deny", (char *)"-hmtext",
		(char *)"--color=never", (char *)"--", (char *)"-3",   NULL};
	struct args args = {};
	struct error err = {};

	(void)state;
	/* -m is deny's, and deny is not known yet */
	assert_true(args_parse(6, argv, &args, &err) < 0);
	args_release(&args);
	assert_int_equal(args_parse(7, good, &args, &err), 0);
	assert_string_equal(args.command->name, "deny");
	assert_true(args_has(&args, "quiet") && args_has(&args, "help") &&
		    !args_has(&args, "json"));
	assert_string_equal(args_get(&args, "message"), "text");
	assert_string_equal(args_get(&args, "color"), "never");
	assert_int_equal(args.n_words, 1);
	assert_string_equal(args.words[0], "-3");
	assert_null(args.rest);
	args_release(&args);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_man_page),
		cmocka_unit_test(test_man_page_has_no_more),
		cmocka_unit_test(test_completion_scripts),
		cmocka_unit_test(test_complete),
		cmocka_unit_test(test_all_are_offered),
		cmocka_unit_test(test_usage_words),
		cmocka_unit_test(test_args),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
