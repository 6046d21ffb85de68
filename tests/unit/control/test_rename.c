/* Agents that get another name: everything of them follows, and a rename that fails or dies
 * half-way ends in one of the two names, whole. */
#include "hive_crash.h"

static void deploy(struct hive_unit *u, const char *agent, const char *text)
{
	char commit[256];
	int64_t id;

	change(u, agent, text, commit);
	id = submit(u, agent, commit);
	hive_do(hive_ask(u, "{'cmd':'approve','id':%lld,'commit':'%s','wait':true}",
			 (long long)id, commit));
}

static void test_everything_follows(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer, *row;
	json_int_t port;
	char commit[256], out[256];

	spawn(u, "hm1nd");
	spawn(u, "zoe");
	spawn(u, "alice");
	deploy(u, "alice", "one");
	hive_do(hive_ask(u, "{'cmd':'set_parent','child':'zoe','new_parent':'alice'}"));
	change(u, "alice", "two", commit);
	assert_int_equal(submit(u, "alice", commit), 2);
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	port = json_integer_value(json_object_get(json_object_get(answer, "agent"), "port"));
	json_decref(answer);

	answer = hive_must(
		hive_ask(u, "{'cmd':'rename','name':'alice','to':'mary','wait':true}"));
	row = json_object_get(answer, "proposal");
	assert_string_equal(json_string_value(json_object_get(row, "kind")), "rename");
	assert_string_equal(json_string_value(json_object_get(row, "state")), "deployed");
	assert_string_equal(json_string_value(json_object_get(row, "title")),
			    "rename alice to mary");
	json_decref(answer);
	hive_refused(hive_ask(u, "{'cmd':'agent','name':'alice'}"), "not_found");
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'mary'}"));
	row = json_object_get(answer, "agent");
	assert_int_equal(json_integer_value(json_object_get(row, "port")), port);
	assert_string_equal(json_string_value(json_object_get(row, "state")), "running");
	json_decref(answer);
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'zoe'}"));
	assert_string_equal(hive_text(out, answer, "agent", "parent"), "mary");
	json_decref(answer);
	sh(u, "ls applied | tr -d '\\n'", out);
	assert_string_equal(out, "hm1ndmaryzoe");
	sh(u, "git -C meta/.git show main:agents.json | grep -c alice || true", out);
	assert_string_equal(out, "0");
	/* what its commit showed is what came of it */
	sh(u, "git -C meta/.git diff --quiet main 'proposal/3^{commit}' && echo same", out);
	assert_string_equal(out, "same");
	assert_audit(u);

	/* its proposals are its own still, and the next ones too */
	hive_do(hive_ask(u, "{'cmd':'approve','id':2,'commit':'%s','wait':true}", commit));
	deploy(u, "mary", "three");
	hive_do(hive_ask(u, "{'cmd':'rollback','name':'mary','wait':true}"));
	assert_audit(u);

	/* somebody else may have the old name, and the record tells them apart, after a start
	 */
	spawn(u, "alice");
	deploy(u, "alice", "other");
	hive_crash(u);
	hive_start(u);
	assert_whole(u);
	hive_do(hive_ask(u, "{'cmd':'rename','name':'mary','to':'carol','wait':true}"));
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'carol','purge':true,'confirm':'carol','"
			    "wait':true}"));
	assert_audit(u);
}

static void test_refusals(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "hm1nd");
	spawn(u, "alice");
	spawn(u, "bob");
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'nobody','to':'x'}"), "not_found");
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'alice','to':'bob'}"), "exists");
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'alice','to':'Bob'}"), "bad_name");
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'hm1nd','to':'x'}"), "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'alice'}"), "bad_request");
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'bob','wait':true}"));
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'alice','to':'bob'}"), "exists");
	/* what waits for a name that is gone then */
	hive_do(hive_ask(u, "{'cmd':'request_spawn','name':'carol'}"));
	hive_do(hive_ask(u, "{'cmd':'fork','name':'alice','to':'dave'}"));
	hive_do(hive_ask(u, "{'cmd':'stop','name':'alice','wait':true}"));
	hive_do(hive_ask(u, "{'cmd':'rename','name':'alice','to':'erin','wait':true}"));
	assert_state(u, 1, "needs-review");
	assert_state(u, 2, "stale");
	await_agent(u, "erin", "stopped");
	hive_do(hive_ask(u, "{'cmd':'start','name':'erin','wait':true}"));
	assert_whole(u);
}

/* Between its two names its container is stopped, and is not said to run. */
static void test_meanwhile(void **state)
{
	struct hive_unit *u = *state;
	char out[256];
	bool is_there = false;

	spawn(u, "hm1nd");
	spawn(u, "alice");
	sh(u, "touch hang-start; echo x", out);
	hive_do(hive_ask(u, "{'cmd':'rename','name':'alice','to':'mary'}"));
	for (int i = 0; i < 500 && !is_there; i++) {
		json_t *answer = hive_ask(u, "{'cmd':'agent','name':'mary'}");

		is_there = json_is_true(json_object_get(answer, "ok"));
		json_decref(answer);
		if (!is_there)
			usleep(20000);
	}
	await_agent(u, "mary", "stopped");
}

/* Whatever step fails: the old name, running, and nothing of the new one. */
static void test_failures(void **state)
{
	static const char *const verbs[] = {"rename", "start"};
	struct hive_unit *u = *state;
	char out[256];

	spawn(u, "alice");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		_cleanup_free_ char *once = str_format("once-%s", verbs[i]);

		touch(u, once);
		hive_refused(hive_ask(u,
				      "{'cmd':'rename','name':'alice','to':'bob','wait':true}"),
			     "deploy_failed");
		assert_state(u, (int64_t)i + 1, "failed");
		hive_refused(hive_ask(u, "{'cmd':'agent','name':'bob'}"), "not_found");
		await_agent(u, "alice", "running");
		sh(u, "ls applied proposed | tr -d '\\n'", out);
		assert_string_equal(out, "applied:aliceproposed:alice");
		assert_audit(u);
	}
	hive_do(hive_ask(u, "{'cmd':'rename','name':'alice','to':'bob','wait':true}"));
	assert_whole(u);
}

static void test_crash(void **state)
{
	static const struct {
		const char *point;
		bool fails;
	} cases[] = {
		{"approved", false},      {"building", false},   {"moved", false},
		{"applied-moved", false}, {"renamed", false},    {"done", false},
		{"recorded", false},      {"moving-back", true}, {"failing", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hive_unit u = {};
		char out[256];

		hive_up(&u);
		spawn(&u, "alice");
		deploy(&u, "alice", "one");
		if (cases[i].fails)
			touch(&u, "fail-start-bob");
		arm(&u, cases[i].point);
		ask_into_the_void(&u, "{'cmd':'rename','name':'alice','to':'bob','wait':true}");
		restart_after(&u, cases[i].point);
		await_state(&u, 2, cases[i].fails ? "failed" : "deployed");
		await_agent(&u, cases[i].fails ? "alice" : "bob", "running");
		sh(&u, "ls applied proposed | tr -d '\\n'", out);
		assert_string_equal(out, cases[i].fails ? "applied:aliceproposed:alice"
							: "applied:bobproposed:bob");
		assert_whole(&u);
		deploy(&u, cases[i].fails ? "alice" : "bob", "two");
		hive_down(&u);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_everything_follows), hive_test(test_refusals),
		hive_test(test_meanwhile),          hive_test(test_failures),
		cmocka_unit_test(test_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
