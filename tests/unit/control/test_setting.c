/* Settings and what keeps them from being true: limits, pause, a port that is taken, a full
 * line. */
#include "hive_steps.h"

static void await_file(const struct hive_unit *u, const char *name, bool there)
{
	_cleanup_free_ char *path = str_format("%s/%s", u->dir, name);

	for (int i = 0; i < 250 && (access(path, F_OK) == 0) != there; i++)
		usleep(20000);
	assert_int_equal(access(path, F_OK) == 0, there);
}

/* Recorded, but the container did not take it: that is no success. */
static void test_limits_not_applied(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer;
	char out[256];

	spawn(u, "alice");
	touch(u, "fail-limits");
	answer = hive_ask(u, "{'cmd':'set','name':'alice','settings':{'memory_max':'512M'}}");
	assert_false(json_is_true(json_object_get(answer, "ok")));
	assert_non_null(strstr(json_string_value(json_object_get(answer, "error")),
			       "it was told to fail"));
	assert_non_null(strstr(json_string_value(json_object_get(answer, "hint")), "restart"));
	json_decref(answer);
	sh(u, "git -C meta/.git show main:agents.json | grep -c '\"memory_max\": \"512M\"'",
	   out);
	assert_string_equal(out, "1");
	/* what has nothing to do with limits does not ask for any */
	hive_do(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'label.a':'b'}}"));
	untouch(u, "fail-limits");
	hive_do(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'memory_max':'1G'}}"));
}

/* The operator's word on the probe holds from the next deploy on, over the agent's own. */
static void test_probe(void **state)
{
	struct hive_unit *u = *state;
	char commit[256];
	json_t *answer, *row;

	spawn(u, "alice");
	answer =
		hive_must(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'probe':'tcp:9',"
				      "'probe.grace':'0','probe.soak':'0'}}"));
	row = json_object_get(answer, "agent");
	assert_string_equal(json_string_value(
				    json_object_get(json_object_get(row, "probe"), "kind")),
			    "tcp");
	assert_string_equal(json_string_value(
				    json_object_get(json_object_get(row, "settings"), "probe")),
			    "tcp:9");
	json_decref(answer);
	change(u, "alice", "one", commit);
	(void)submit(u, "alice", commit);
	answer = hive_ask(u, "{'cmd':'approve','id':1,'wait':true}");
	assert_non_null(strstr(json_string_value(json_object_get(answer, "error")),
			       "nothing answers on port 9"));
	hive_refused(answer, "deploy_failed");
	hive_do(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'probe':'none'}}"));
	change(u, "alice", "two", commit);
	(void)submit(u, "alice", commit);
	hive_do(hive_ask(u, "{'cmd':'approve','id':2,'wait':true}"));
	hive_refused(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'probe':'magic'}}"),
		     "bad_request");
	/* it is part of the record */
	hive_crash(u);
	hive_start(u);
	await_agent(u, "alice", "running");
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	row = json_object_get(answer, "agent");
	assert_string_equal(json_string_value(
				    json_object_get(json_object_get(row, "settings"), "probe")),
			    "none");
	assert_non_null(json_object_get(row, "up_since"));
	assert_string_equal(json_string_value(json_object_get(row, "url")),
			    "http://localhost:8879/");
	json_decref(answer);
}

static void test_pause(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	touch(u, "fail-pause");
	hive_refused(hive_ask(u, "{'cmd':'set_paused','name':'alice','paused':true}"),
		     "storage");
	untouch(u, "fail-pause");
	hive_do(hive_ask(u, "{'cmd':'set_paused','name':'alice','paused':true}"));
	await_file(u, "paused-alice", true);
	hive_do(hive_ask(u, "{'cmd':'set_paused','name':'alice','paused':false}"));
	await_file(u, "paused-alice", false);
}

static void take_port(struct hive_unit *u, const char *listener)
{
	_cleanup_free_ char *path = str_format("%s/listener-8879", u->dir);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, listener, strlen(listener), 0600,
					   NULL),
			 0);
}

static void test_port_taken(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer;
	char out[256];

	take_port(u, "{\"pid\":7,\"name\":\"nginx\"}");
	answer = hive_ask(u, "{'cmd':'spawn','name':'alice','wait':true}");
	assert_non_null(strstr(json_string_value(json_object_get(answer, "error")),
			       "port 8879 of 'alice' is taken by 'nginx' (process 7)"));
	hive_refused(answer, "busy");
	/* nothing is left of it */
	sh(u, "ls -A applied proposed | grep -c alice || true", out);
	assert_string_equal(out, "0");
	sh(u, "git -C meta/.git log --format=%s main | wc -l", out);
	assert_string_equal(out, "1");
	/* with a network of its own there is nobody to be in the way */
	hive_do(hive_ask(u, "{'cmd':'spawn','name':'alice','network':'private','wait':true}"));
	hive_do(hive_ask(u, "{'cmd':'stop','name':'alice','wait':true}"));
	hive_do(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'network':'host'}}"));
	take_port(u, "{\"pid\":8,\"name\":\"python3\",\"agent\":\"bob\"}");
	answer = hive_ask(u, "{'cmd':'start','name':'alice','wait':true}");
	assert_non_null(strstr(json_string_value(json_object_get(answer, "error")),
			       "'python3' of agent 'bob' (process 8)"));
	hive_refused(answer, "busy");
	await_agent(u, "alice", "stopped");
	/* once it is free the container that is wanted comes by itself */
	untouch(u, "listener-8879");
	await_agent(u, "alice", "running");
}

static void test_line_is_full(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	touch(u, "hang-build");
	for (int i = 0; i < 16; i++)
		hive_do(hive_ask(u, "{'cmd':'rebuild','name':'alice'}"));
	hive_refused(hive_ask(u, "{'cmd':'rebuild','name':'alice'}"), "busy");
	hive_refused(hive_ask(u, "{'cmd':'stop','scope':{'agent_names':['alice']}}"), "busy");
	untouch(u, "hang-build");
}

static void test_scope_is_a_set(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer;

	spawn(u, "alice");
	answer =
		hive_must(hive_ask(u, "{'cmd':'stop','scope':{'agent_names':['alice','alice']},"
				      "'wait':true}"));
	assert_int_equal(json_array_size(json_object_get(answer, "touched")), 1);
	json_decref(answer);
}

/* The time a stop is given is the one that was asked for. */
static void test_deadline_of_a_stop(void **state)
{
	struct hive_unit *u = *state;
	char out[256];
	json_t *answer;

	spawn(u, "alice");
	hive_refused(hive_ask(u, "{'cmd':'stop','name':'alice','deadline_s':0}"),
		     "bad_request");
	hive_do(hive_ask(u, "{'cmd':'stop','name':'alice','deadline_s':7,'wait':true}"));
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(out, answer, "agent", "exit"), "stopped within 7 s");
	json_decref(answer);
}

/* A manager that was destroyed and kept stands in its own way no longer. */
static void test_kept_manager(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "hm1nd");
	spawn(u, "alice");
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'alice','purge':true,'confirm':'alice','"
			    "wait':true}"));
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'hm1nd','wait':true}"));
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'hm1nd','purge':true,'confirm':'hm1nd','"
			    "wait':true}"));
	assert_audit(u);
}

/* Clients of other hives read both. */
static void test_urls(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer = hive_ask(u, "{'cmd':'urls'}");
	_cleanup_free_ char *line = json_line(answer);

	assert_string_equal(line, "{\"version\":1,\"ok\":true,\"urls\":{\"domain\":"
				  "\"localhost\",\"home\":\"http://localhost:7700/\"}}");
	json_decref(answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_limits_not_applied),
		hive_test(test_pause),
		hive_test(test_probe),
		hive_test(test_port_taken),
		hive_test(test_line_is_full),
		hive_test(test_scope_is_a_set),
		hive_test(test_kept_manager),
		hive_test(test_urls),
		hive_test(test_deadline_of_a_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
