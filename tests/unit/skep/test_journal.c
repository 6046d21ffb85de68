/* Journals with their cursors: as objects, and as text with the last one at the end. */
#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char entries[] =
	"{\"__CURSOR\":\"s=1;i=1\",\"__REALTIME_TIMESTAMP\":\"1700000000000000\",\"PRIORITY\":"
	"\"6\","
	"\"SYSLOG_IDENTIFIER\":\"agent\",\"_PID\":\"12\",\"MESSAGE\":\"hello \\u001B[2J\"}\n"
	/* bytes that are no UTF-8, a field given twice, one that is too long to be told */
	"{\"__CURSOR\":\"s=1;i=2\",\"__REALTIME_TIMESTAMP\":\"1700000001000000\",\"MESSAGE\":["
	"104,255],"
	"\"SYSLOG_IDENTIFIER\":[\"a\",\"b\"],\"_SYSTEMD_UNIT\":null,\"PRIORITY\":\"\"}\n"
	"what is no entry\n";

static void serve(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	char byte;

	(void)n_fds;
	(void)file_write_all(fds[0], entries, sizeof(entries) - 1);
	if (json_is_true(json_object_get(request, "follow")))
		while (read(conn_fd, &byte, 1) > 0)
			;
	fake_send(conn_fd, "{\"version\":1,\"ok\":true}", -1);
}

static const struct fake_rule rules[] = {{"logs", NULL, serve}, {}};

static void test_objects(void **state)
{
	struct fake *fake = fake_start(rules);
	struct run run = {};
	_cleanup_free_ char *asked = NULL;

	(void)state;
	run_skep(&run, SKEP(fake, "log", "alice", "--json", "--after-cursor", "s=1;i=0", "-p",
			    "warning", "--until", "now", "--system"));
	assert_int_equal(run.status, 0);
	assert_string_equal(buf_str(&run.out),
			    "{\"at\":\"2023-11-14T22:13:20Z\",\"priority\":6,\"identifier\":"
			    "\"agent\",\"pid\":"
			    "\"12\",\"message\":\"hello \\u001B[2J\",\"cursor\":\"s=1;i=1\"}\n"
			    "{\"at\":\"2023-11-14T22:13:21Z\",\"identifier\":\"a\",\"message\":"
			    "\"h\\\\xff\","
			    "\"cursor\":\"s=1;i=2\"}\n"
			    "what is no entry\n");
	run_release(&run);
	asked = fake_stop(fake);
	assert_string_equal(
		asked,
		"{\"cmd\":\"logs\",\"name\":\"alice\",\"lines\":100000,\"follow\":false,"
		"\"until\":\"now\",\"priority\":\"warning\",\"after_cursor\":\"s=1;i=0\","
		"\"output\":\"json\",\"system\":true}\n");
}

static void test_text_with_cursor(void **state)
{
	struct fake *fake = fake_start(rules);
	struct run run = {};

	(void)state;
	run_skep(&run, SKEP(fake, "log", "alice", "--show-cursor"));
	assert_int_equal(run.status, 0);
	assert_string_equal(buf_str(&run.out),
			    "2023-11-14T22:13:20Z agent[12]: hello \\x1b[2J\n"
			    "2023-11-14T22:13:21Z a: h\\xff\n"
			    "what is no entry\n"
			    "-- cursor: s=1;i=2\n");
	run_release(&run);
	free(fake_stop(fake));
}

static void interrupt(struct run *run)
{
	(void)kill(run->pid, SIGINT);
}

static void test_interrupted(void **state)
{
	struct fake *fake = fake_start(rules);
	struct run run = {.cue = "no entry", .on_cue = interrupt};

	(void)state;
	run_skep(&run, SKEP(fake, "log", "alice", "-f", "--show-cursor"));
	assert_int_equal(run.status, 128 + SIGINT);
	assert_non_null(strstr(buf_str(&run.out), "-- cursor: s=1;i=2\n"));
	run_release(&run);
	free(fake_stop(fake));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_text_with_cursor),
		cmocka_unit_test(test_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
