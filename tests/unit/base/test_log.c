#include "unit.h"

#include "base/buf.h"
#include "base/log.h"

#include <sys/stat.h>

/* Runs fn with standard error in a file, and returns what was written there. */
static char *captured(void (*fn)(void))
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	_cleanup_buf_ struct buf text = {};
	char chunk[4096];
	size_t n;

	assert_non_null(file);
	assert_true(saved >= 0);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	fn();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(file);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&text, chunk, n);
	fclose(file);
	return buf_take(&text);
}

static void assert_logged(void (*fn)(void), const char *want)
{
	char *got = captured(fn);

	assert_string_equal(got, want);
	free(got);
}

static void say_plain(void)
{
	log_line(LOG_INFO, "started %d of %s", 2, "them");
	log_line(LOG_ERR, "it failed");
}

static void say_fields(void)
{
	log_event(LOG_INFO, "deployed", "SKEP_AGENT", "alice", "SKEP_COMMIT", NULL,
		  "MESSAGE_ID", "0123", "OTHER", "x", NULL);
}

static void say_hostile(void)
{
	log_event(LOG_INFO, "%s%n\nskepd: forged", "SKEP_AGENT", "a\n\x1b[2J\xff%s", NULL);
}

static void say_debug(void)
{
	log_line(LOG_DEBUG, "not now");
	log_set_level(LOG_DEBUG);
	log_line(LOG_DEBUG, "now");
	log_set_level(LOG_INFO);
	log_event(LOG_DEBUG, "not again", NULL);
}

static void say_long(void)
{
	char *text = malloc(1000001);

	assert_non_null(text);
	memset(text, 'x', 1000000);
	text[1000000] = '\0';
	log_event(LOG_INFO, text, "SKEP_AGENT", text, NULL);
	free(text);
}

/* Opens the log as a service would: stderr is the journal's when device and inode are those. */
static void say_to_the_journal(void)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("skep-test");
	log_event(LOG_DEBUG, "dropped", NULL);
	unsetenv("JOURNAL_STREAM");
}

static void say_beside_the_journal(void)
{
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_open("skep-test");
	unsetenv("JOURNAL_STREAM");
	log_line(LOG_INFO, "here");
}

static void test_text(void **state)
{
	(void)state;
	log_open("skepd");
	assert_logged(say_plain, "skepd: started 2 of them\nskepd: error: it failed\n");
	assert_logged(say_fields, "skepd: deployed agent=alice other=x\n");
	assert_logged(say_debug, "skepd: now\n");
}

/* Neither a format nor a line of its own. */
static void test_foreign_text(void **state)
{
	(void)state;
	log_open("skepd");
	assert_logged(say_hostile, "skepd: %s%n skepd: forged agent=a \\x1b[2J\\xff%s\n");
}

static void test_length(void **state)
{
	char *got = captured(say_long);

	(void)state;
	assert_true(strlen(got) < 10000);
	assert_int_equal(got[strlen(got) - 1], '\n');
	free(got);
}

static void test_where_it_goes(void **state)
{
	(void)state;
	assert_logged(say_to_the_journal, "");
	assert_logged(say_beside_the_journal, "skep-test: here\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_foreign_text),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_where_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
