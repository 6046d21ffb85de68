/* Answers of many lines, many requests on one connection, descriptors that come with them. */
#include "hive_steps.h"

/* The next line of a connection, waited for, bounded; the caller owns it. */
static json_t *hear(int fd)
{
	_cleanup_buf_ struct buf line = {};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	json_t *answer = NULL;
	char c = 0;

	while (c != '\n') {
		if (poll(&p, 1, 10000) != 1 || read(fd, &c, 1) != 1)
			return NULL;
		buf_add_char(&line, c);
	}
	assert_int_equal(json_parse(buf_str(&line), line.size, &answer, NULL), 0);
	return answer;
}

static bool has(json_t *answer, const char *key)
{
	bool found = json_object_get(answer, key) != NULL;

	json_decref(answer);
	return found;
}

/* Who follows the log of a proposal hears its end, whichever it is. */
static void test_log_of_what_is_never_built(void **state)
{
	struct hive_unit *u = *state;
	char commit[256];
	json_t *answer;
	int fd;

	spawn(u, "alice");
	change(u, "alice", "no", commit);
	(void)submit(u, "alice", commit);
	fd = ask_later(u, "{'cmd':'build_log','id':1,'follow':true}");
	usleep(100000);
	hive_do(hive_ask(u, "{'cmd':'deny','id':1}"));
	answer = hear(fd);
	assert_non_null(answer);
	assert_true(json_is_true(json_object_get(answer, "end")));
	assert_string_equal(hive_text(commit, answer, "proposal", "state"), "denied");
	json_decref(answer);
	(void)close(fd);
}

/* A request behind a log waits for its end; who says no more still hears all of it. */
static void test_requests_behind_a_log(void **state)
{
	struct hive_unit *u = *state;
	static const char requests[] = "{\"cmd\":\"build_log\",\"id\":1,\"follow\":true}\n"
				       "{\"cmd\":\"list\"}\n";
	char commit[256];
	json_t *answer;
	int fd;

	spawn(u, "alice");
	change(u, "alice", "yes", commit);
	(void)submit(u, "alice", commit);
	fd = sock_connect(u->socket_path, SOCK_STREAM, NULL);
	assert_int_equal(file_write_all(fd, requests, sizeof(requests) - 1), 0);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	usleep(100000);
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s'}", commit));
	while ((answer = hear(fd)) && json_object_get(answer, "log"))
		json_decref(answer);
	assert_true(has(answer, "end"));
	answer = hear(fd);
	assert_non_null(answer);
	assert_true(has(answer, "agents"));
	assert_null(hear(fd));
	(void)close(fd);
}

/* The request without descriptors does not get those of the one behind it. */
static void test_descriptors_of_the_next_request(void **state)
{
	struct hive_unit *u = *state;
	static const char logs[] = "{\"cmd\":\"logs\",\"name\":\"alice\"}\n";
	static const char exec[] =
		"{\"cmd\":\"exec\",\"name\":\"alice\",\"argv\":[\"hello\"]}\n";
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), out[2], fd;
	char got[16] = "";
	json_t *answer;

	spawn(u, "alice");
	assert_int_equal(pipe(out), 0);
	fd = sock_connect(u->socket_path, SOCK_STREAM, NULL);
	assert_int_equal(sock_send(fd, logs, sizeof(logs) - 1, NULL, 0), sizeof(logs) - 1);
	assert_int_equal(sock_send(fd, exec, sizeof(exec) - 1, (int[]){null, out[1], null}, 3),
			 sizeof(exec) - 1);
	hive_refused(hear(fd), "bad_request");
	answer = hear(fd);
	assert_int_equal(json_integer_value(json_object_get(answer, "exit_status")), 0);
	hive_do(answer);
	assert_int_equal(read(out[0], got, sizeof(got) - 1), 5);
	assert_string_equal(got, "hello");
	(void)close(fd);
	(void)close(out[0]);
	(void)close(out[1]);
	(void)close(null);
}

static int64_t last_event(struct hive_unit *u)
{
	json_t *answer =
		hive_must(hive_ask(u, "{'cmd':'subscribe_agent_status','snapshot':true}"));
	int64_t seq = json_integer_value(json_object_get(answer, "seq"));

	json_decref(answer);
	return seq;
}

/* The numbers of events go on over a restart: a reader that comes back is not told half. */
static void test_event_numbers_after_a_restart(void **state)
{
	struct hive_unit *u = *state;
	int64_t before, after;
	json_t *answer;

	spawn(u, "alice");
	before = last_event(u);
	hive_crash(u);
	usleep(1100000);
	hive_start(u);
	await_agent(u, "alice", "running");
	after = last_event(u);
	assert_true(after > before);
	answer = hive_must(hive_ask(u, "{'cmd':'subscribe_agent_status','since':%lld}",
				    (long long)before));
	assert_true(json_is_true(json_object_get(answer, "snapshot")));
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_log_of_what_is_never_built),
		hive_test(test_requests_behind_a_log),
		hive_test(test_descriptors_of_the_next_request),
		hive_test(test_event_numbers_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
