/* Streams: events with their sequence numbers, journals, the states told while something is
 * awaited. */

#include "skep/fake.h"

#include "base/cleanup.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define LINE(rest) "{\"version\":1,\"ok\":true," rest "}"
#define AGENT(name, state) \
	"{\"name\":\"" name "\",\"running\":true,\"failed\":false,\"state\":\"" state "\"}"

static void serve_events(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	static const char *const lines[] = {
		LINE("\"seq\":5,\"snapshot\":true,\"agent_statuses\":[" AGENT(
			"alice", "running") "],\"approvals\":[]"),
		/* was on its way when the snapshot was made */
		LINE("\"seq\":5,\"agent_statuses\":[" AGENT("alice", "outdated") "]"),
		LINE("\"seq\":6,\"agent_statuses\":[" AGENT("alice", "building") "]"),
		LINE("\"seq\":7,\"heartbeat\":true"),
		LINE("\"seq\":8,\"events\":[{\"kind\":\"approval_resolved\",\"id\":42,"
		     "\"status\":\"approved\"}]"),
		LINE("\"seq\":9,\"resync\":true"),
		LINE("\"seq\":10,\"removed\":[\"bob\"]"),
	};

	(void)request;
	(void)fds;
	(void)n_fds;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		fake_send(conn_fd, lines[i], -1);
	(void)shutdown(conn_fd, SHUT_RDWR);
}

/* The lines without their times. */
static char *without_times(const char *text)
{
	struct buf out = {};

	while (*text) {
		size_t size = strcspn(text, "\n");

		assert_true(size > 21 && text[10] == 'T' && text[19] == 'Z');
		buf_add(&out, text + 21, size - 20);
		text += size + 1;
	}
	return buf_take(&out);
}

static void test_events(void **state)
{
	static const struct fake_rule rules[] = {{"subscribe_agent_status", NULL, serve_events},
						 {}};
	struct fake *fake = fake_start(rules);
	_cleanup_free_ char *told = NULL;
	struct run follow = {}, once = {}, json = {};

	(void)state;
	run_skep(&follow, SKEP(fake, "events", "-f"));
	run_skep(&once, SKEP(fake, "events"));
	run_skep(&json, SKEP(fake, "events", "-f", "--json"));
	free(fake_stop(fake));
	told = without_times(buf_str(&follow.out));
	assert_int_equal(follow.status, 75);
	assert_string_equal(told, "alice running\nalice building\napproval_resolved id=42 "
				  "status=approved\nbob is gone\n");
	assert_non_null(strstr(buf_str(&follow.err), "changes came faster"));
	assert_int_equal(once.status, 0);
	assert_non_null(strstr(buf_str(&once.out), " alice running\n"));
	assert_null(strstr(buf_str(&once.out), "building"));
	assert_non_null(strstr(buf_str(&json.out), "{\"seq\":10,\"removed\":[\"bob\"]}\n"));
	assert_null(strstr(buf_str(&json.out), "outdated"));
	run_release(&follow);
	run_release(&once);
	run_release(&json);
}

static void serve_slow(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	(void)request;
	(void)fds;
	(void)n_fds;
	fake_wait();
	fake_send(conn_fd, "{\"version\":1,\"ok\":true,\"touched\":[\"alice\"]}", -1);
}

static void go(struct run *run)
{
	fake_go(run->fake);
}

/* Only the agents that are waited for, each state once; on a terminal and not for --quiet. */
static void test_states(void **state)
{
	static const struct fake_rule rules[] = {
		{"spawn", NULL, serve_slow},
		{"subscribe_agent_status",
		 "{\"version\":1,\"ok\":true}\n" LINE("\"agent_statuses\":[" AGENT(
			 "bob",
			 "fail"
			 "ed") "]") "\n" LINE("\"agent_statuses\":[" AGENT("alice",
									   "starting") "]") "\n" LINE("\"agent_statuses\":"
												      "[" AGENT(
													      "alice",
													      "starting") "]"),
		 NULL},
		{},
	};
	struct fake *fake = fake_start(rules);
	struct run loud = {.on_terminal = true,
			   .term = "dumb",
			   .cue = "starting",
			   .on_cue = go,
			   .fake = fake};
	struct run quiet = {.on_terminal = true, .term = "dumb"};
	_cleanup_free_ char *lines = NULL;

	(void)state;
	run_skep(&loud, SKEP(fake, "spawn", "alice"));
	fake_go(fake);
	run_skep(&quiet, SKEP(fake, "spawn", "bob", "-q"));
	lines = fake_stop(fake);
	assert_string_equal(buf_str(&loud.out),
			    "  alice: starting\r\nspawned alice\r\nhint: skep show alice\r\n");
	assert_string_equal(buf_str(&quiet.out), "");
	assert_null(strstr(strstr(lines, "\"bob\""), "subscribe"));
	run_release(&loud);
	run_release(&quiet);
}

static void serve_journal(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	char byte;

	(void)request;
	(void)n_fds;
	/* nobody may be there any more to take it */
	(void)!write(fds[0], "one\n", 4);
	while (read(conn_fd, &byte, 1) > 0)
		;
	fake_note("left");
}

static void interrupt(struct run *run)
{
	(void)kill(run->pid, SIGINT);
}

/* A followed journal ends with Ctrl-C, and with the reader of its output, even while nothing
 * comes. */
static void test_journal_ends(void **state)
{
	static const struct fake_rule rules[] = {{"logs", NULL, serve_journal}, {}};
	struct fake *fake = fake_start(rules);
	struct run stopped = {.cue = "one", .on_cue = interrupt}, unread = {.no_reader = true};

	(void)state;
	run_skep(&stopped, SKEP(fake, "log", "alice", "-f"));
	run_skep(&unread, SKEP(fake, "log", "alice", "-f"));
	free(fake_stop(fake));
	assert_int_equal(stopped.status, 128 + SIGINT);
	assert_string_equal(buf_str(&stopped.out), "one\n");
	assert_int_equal(unread.status, 128 + SIGPIPE);
	run_release(&stopped);
	run_release(&unread);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_journal_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
