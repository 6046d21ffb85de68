/*
 * Every command, option, verb and key is in the help, in the manual pages and in the
 * completion, and those speak of nothing else: held against the tables in the sources.
 */
#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "skep/command.h"
#include "wire/verb.h"

#include <fcntl.h>
#include <string.h>

#define PAGES "share/man/"
#define PAGE_MAX (1 << 20)

static char *read_page(const char *path)
{
	struct buf text = {};
	struct error err = {};

	if (file_read(AT_FDCWD, path, PAGE_MAX, &text, &err) < 0)
		fail_msg("%s", error_text(&err));
	return buf_take(&text);
}

/* The line that begins with start; NULL when there is none. */
static const char *find_line(const char *text, const char *start)
{
	size_t n = strlen(start);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, start, n) == 0)
			return line;
	}
	return NULL;
}

/* Whether a word stands in a text whole. */
static bool has_word(const char *text, size_t size, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = memmem(at, size - (size_t)(at - text), word, n));
	     at++)
		if ((at == text || strchr(" \n\t*_,:", at[-1])) &&
		    strchr(" \n\t*_,:;.=", at[n]))
			return true;
	return false;
}

/* ---- verbs ---- */

static void test_protocol(void **state)
{
	_cleanup_free_ char *page = read_page(PAGES "skep-protocol.7.scd");
	const struct verb *verbs = verb_table();

	(void)state;
	for (int i = 0; i < VERB_COUNT; i++) {
		_cleanup_free_ char *start = str_format("*%s*", verbs[i].name);
		_cleanup_free_ char *keys = str_dup(verbs[i].keys);
		_cleanup_free_ char *heading = NULL;
		struct buf wanted = {};
		const char *line = find_line(page, start);

		if (!line)
			fail_msg("skep-protocol(7) does not speak of '%s'", verbs[i].name);
		heading = strndup(line, strcspn(line, "\n"));
		buf_add_str(&wanted, start);
		for (char *save = NULL, *key = strtok_r(keys, " ", &save); key;
		     key = strtok_r(NULL, " ", &save))
			buf_addf(&wanted, " _%s_", key);
		assert_string_equal(heading, buf_str(&wanted));
		buf_release(&wanted);
	}
}

/* Each entry below VERBS is a verb. */
static void test_protocol_has_no_more(void **state)
{
	_cleanup_free_ char *page = read_page(PAGES "skep-protocol.7.scd");
	const char *line = find_line(page, "# VERBS"), *end = find_line(page, "# EXAMPLE");

	(void)state;
	assert_non_null(line);
	for (; line < end; line = strchr(line, '\n') + 1) {
		char name[40] = "";
		bool known = false;

		if (sscanf(line, "*%39[a-z_]*", name) != 1)
			continue;
		for (int i = 0; i < VERB_COUNT; i++)
			known |= strcmp(verb_table()[i].name, name) == 0;
		if (!known)
			fail_msg("skep-protocol(7) speaks of '%s'", name);
	}
}

/* ---- keys ---- */

/* The strings of every "keys[] = {…}" of a source. */
static char *keys_of(const char *path)
{
	_cleanup_free_ char *source = read_page(path);
	struct buf keys = {};

	for (const char *at = source; (at = strstr(at, "keys[] = {")); at++)
		for (const char *p = at, *end = strchr(at, '}');
		     (p = strchr(p, '"')) && p < end; p = strchr(p + 1, '"') + 1)
			buf_addf(&keys, "%.*s ", (int)strcspn(p + 1, "\""), p + 1);
	assert_true(keys.size > 0);
	return buf_take(&keys);
}

/* The page has "*key*" at the beginning of a line, or after others there. */
static void check_keys(const char *source, const char *page_path)
{
	_cleanup_free_ char *keys = keys_of(source);
	_cleanup_free_ char *page = read_page(page_path);

	for (char *save = NULL, *key = strtok_r(keys, " ", &save); key;
	     key = strtok_r(NULL, " ", &save)) {
		_cleanup_free_ char *wanted = str_format("*%s*", key);

		if (!strstr(page, wanted))
			fail_msg("'%s' does not speak of '%s'", page_path, key);
	}
}

static void test_keys(void **state)
{
	(void)state;
	check_keys("src/model/config.c", PAGES "skep.json.5.scd");
	check_keys("src/model/manifest.c", PAGES "skep-agent.5.scd");
}

/* ---- the client ---- */

/* What it prints, standard output and error together. */
static char *say(const char *const *argv)
{
	struct run run = {};
	char *text;

	run_skep(&run, argv);
	text = str_format("%s%s", buf_str(&run.out), buf_str(&run.err));
	run_release(&run);
	return text;
}

#define SAY(...) \
	say((const char *const[]){"skep", "--socket", "/nonexistent", __VA_ARGS__, NULL})

static void check_options(const char *text, const char *where, const char *command,
			  const struct option *list)
{
	for (; list && list->name; list++) {
		_cleanup_free_ char *word = str_format("--%s", list->name);

		if (!has_word(text, strlen(text), word))
			fail_msg("the %s of '%s' has no '%s'", where, command, word);
	}
}

static void test_help_and_completion(void **state)
{
	_cleanup_free_ char *help = SAY("--help"), *offered = SAY("__complete", "");
	const struct command *command;

	(void)state;
	for (size_t i = 0; (command = command_at(i)); i++) {
		_cleanup_free_ char *its_help = NULL, *its_options = NULL;

		if (!command->group)
			continue;
		if (!has_word(help, strlen(help), command->name))
			fail_msg("the help has no '%s'", command->name);
		if (!has_word(offered, strlen(offered), command->name))
			fail_msg("the completion has no '%s'", command->name);
		its_help = SAY(command->name, "--help");
		its_options = SAY("__complete", command->name, "--");
		check_options(its_help, "help", command->name, command->options);
		check_options(its_options, "completion", command->name, command->options);
		check_options(its_options, "completion", command->name, command_global_options);
	}
	check_options(help, "help", "skep", command_global_options);
}

/* The shell's own part, as bash calls it. */
static void test_bash(void **state)
{
	_cleanup_free_ char *here = file_program_dir();
	_cleanup_free_ char *command = str_format(
		"PATH='%s/../..':$PATH bash -c '. share/completions/skep.bash; "
		"COMP_WORDS=(skep top --so); COMP_CWORD=2; _skep; echo \"${COMPREPLY[*]}\"; "
		"COMP_WORDS=(skep sta); COMP_CWORD=1; _skep; echo \"${COMPREPLY[*]}\"'",
		here);
	FILE *f = popen(command, "r");
	char text[200] = "";
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	assert_int_equal(pclose(f), 0);
	assert_string_equal(text, "--sort --socket\nstatus start\n");
}

/* What `skep set` takes: every word a setting's name is compared with. */
static void test_settings(void **state)
{
	static const char *const sources[] = {"src/model/settings.c",
					      "src/model/probe_setting.c"};
	_cleanup_free_ char *page = read_page(PAGES "skep.1.scd");
	_cleanup_free_ char *help = SAY("set", "--help");
	_cleanup_free_ char *offered = SAY("__complete", "set", "alice", "");
	const char *entry = strstr(page, "*skep set*"), *end = strstr(entry, "*skep exec*");
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		_cleanup_free_ char *source = read_page(sources[i]);

		for (const char *at = source; (at = strstr(at, "strcmp(key, \"")); n++) {
			_cleanup_free_ char *key = NULL;

			at += strlen("strcmp(key, \"");
			key = strndup(at, strcspn(at, "\""));
			if (!has_word(entry, (size_t)(end - entry), key))
				fail_msg("skep(1) does not speak of the setting '%s'", key);
			if (!has_word(help, strlen(help), key))
				fail_msg("the help does not speak of the setting '%s'", key);
			if (!has_word(offered, strlen(offered), key))
				fail_msg("the completion has no setting '%s'", key);
		}
	}
	assert_true(n >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protocol), cmocka_unit_test(test_protocol_has_no_more),
		cmocka_unit_test(test_keys),     cmocka_unit_test(test_help_and_completion),
		cmocka_unit_test(test_bash),     cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
