/*
 * The daemon dies at a named point; the next start makes the record whole: one outcome per
 * number, main at the highest deployed/N, the chain valid, no lock left, and what was promised
 * kept.
 */
#include "hive_crash.h"

static void test_deploy(void **state)
{
	static const char *const points[] = {"approved", "building", "built",     "switched",
					     "probed",   "deployed", "main-moved"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		_cleanup_free_ char *request = NULL;
		struct hive_unit u = {};
		char commit[256], out[256];

		hive_up(&u);
		spawn(&u, "alice");
		change(&u, "alice", points[i], commit);
		assert_int_equal(submit(&u, "alice", commit), 1);
		arm(&u, points[i]);
		request = str_format("{'cmd':'approve','id':1,'commit':'%s','wait':true}",
				     commit);
		ask_into_the_void(&u, request);
		restart_after(&u, points[i]);
		await_state(&u, 1, "deployed");
		sh(&u, "git -C applied/alice/.git rev-parse main", out);
		assert_string_equal(out, commit);
		sh(&u, "git -C meta/.git show main:agents.json | grep -c '\"deployed\": 1'",
		   out);
		assert_string_equal(out, "1");
		assert_whole(&u);
		hive_down(&u);
	}
}

static void test_failing_deploy(void **state)
{
	static const char *const points[] = {"switched", "rolling-back", "failing"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		_cleanup_free_ char *request = NULL, *script = NULL;
		struct hive_unit u = {};
		char commit[256], system[256], out[256];
		json_t *answer;

		hive_up(&u);
		touch(&u, "keep-world");
		spawn(&u, "alice");
		sh(&u,
		   "sed -i 's/\"grace\": 20/\"grace\": 0/' proposed/alice/agent.json; "
		   "git -C applied/alice/.git rev-parse 'deployed/0^{tree}'",
		   system);
		change(&u, "alice", points[i], commit);
		assert_int_equal(submit(&u, "alice", commit), 1);
		script = str_format(
			"git -C proposed/alice rev-parse %s^{tree} > bad-system; echo x",
			commit);
		sh(&u, script, out);
		arm(&u, points[i]);
		request = str_format("{'cmd':'approve','id':1,'commit':'%s','wait':true}",
				     commit);
		ask_into_the_void(&u, request);
		restart_after(&u, points[i]);
		await_state(&u, 1, "failed");
		answer = hive_must(hive_ask(&u, "{'cmd':'agent','name':'alice'}"));
		assert_string_equal(hive_text(out, answer, "agent", "system_running"), system);
		json_decref(answer);
		assert_whole(&u);
		hive_down(&u);
	}
}

/* It had switched, and then its system cannot be built any more: what was deployed runs again.
 */
static void test_build_that_fails_again(void **state)
{
	_cleanup_free_ char *request = NULL;
	char commit[256], system[256], out[256];
	struct hive_unit u = {};
	json_t *answer;

	(void)state;
	hive_up(&u);
	sh(&u, "touch keep-world", out);
	spawn(&u, "alice");
	sh(&u, "git -C applied/alice/.git rev-parse 'deployed/0^{tree}'", system);
	change(&u, "alice", "one", commit);
	assert_int_equal(submit(&u, "alice", commit), 1);
	arm(&u, "switched");
	sh(&u, "touch slow-inspect", out);
	request = str_format("{'cmd':'approve','id':1,'commit':'%s','wait':true}", commit);
	ask_into_the_void(&u, request);
	sh(&u, "rm slow-inspect; echo 'no room' > fail-build; cut -d' ' -f2 world", out);
	assert_string_not_equal(out, system);
	restart_after(&u, "switched");
	await_state(&u, 1, "failed");
	answer = hive_must(hive_ask(&u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(out, answer, "agent", "system_running"), system);
	json_decref(answer);
	sh(&u, "git -C applied/alice/.git tag -ln9 failed/1 | grep -c 'rolled back'", out);
	assert_string_equal(out, "1");
	assert_whole(&u);
	hive_down(&u);
}

static void test_submit_and_deny(void **state)
{
	char first[256], second[256], now[256];
	_cleanup_free_ char *request = NULL, *again = NULL;
	struct hive_unit u = {};

	(void)state;
	hive_up(&u);
	spawn(&u, "alice");
	change(&u, "alice", "one", first);
	assert_int_equal(submit(&u, "alice", first), 1);
	change(&u, "alice", "two", second);
	request = str_format("{'cmd':'submit','agent':'alice','commit':'%s'}", second);

	/* before the tag nothing happened; a number that nobody was told is free */
	arm(&u, "imported");
	ask_into_the_void(&u, request);
	restart_after(&u, "imported");
	assert_string_equal(state_of(&u, 1, now), "needs-review");
	hive_refused(hive_ask(&u, "{'cmd':'proposal','id':2}"), "not_found");

	/* after the tag it stands, and the older one is closed by the next start */
	arm(&u, "proposed");
	ask_into_the_void(&u, request);
	restart_after(&u, "proposed");
	assert_state(&u, 2, "needs-review");
	assert_state(&u, 1, "superseded");
	again = str_format("%s", second);
	assert_int_equal(submit(&u, "alice", again), 2);

	arm(&u, "denied");
	ask_into_the_void(&u, "{'cmd':'deny','id':2,'note':'no'}");
	restart_after(&u, "denied");
	assert_state(&u, 2, "denied");
	assert_whole(&u);
	hive_down(&u);
}

static void test_spawn_and_destroy(void **state)
{
	static const char *const spawns[] = {"first-tag", "seeded", "entered"};
	static const char *const destroys[] = {"container-gone", "record-kept", "entry-gone",
					       "repository-going"};
	struct hive_unit u = {};
	char out[256];

	(void)state;
	hive_up(&u);
	for (size_t i = 0; i < ARRAY_SIZE(spawns); i++) {
		_cleanup_free_ char *request =
			str_format("{'cmd':'spawn','name':'agent%zu','wait':true}", i);
		_cleanup_free_ char *name = str_format("agent%zu", i);
		json_t *answer;

		arm(&u, spawns[i]);
		ask_into_the_void(&u, request);
		restart_after(&u, spawns[i]);
		/* entered: the start goes on by itself; before that, asking again is all it
		 * takes */
		answer = hive_ask(&u, "{'cmd':'spawn','name':'%s','wait':true}", name);
		if (strcmp(spawns[i], "entered") == 0)
			hive_refused(answer, "exists");
		else
			hive_do(answer);
		sh(&u, "git -C proposed/agent0 rev-parse HEAD", out);
		assert_whole(&u);
	}
	spawn(&u, "agent3");
	for (size_t i = 0; i < ARRAY_SIZE(destroys); i++) {
		_cleanup_free_ char *request =
			str_format("{'cmd':'destroy','name':'agent%zu','purge':true,'confirm':'"
				   "agent%zu','wait':true}",
				   i, i);
		json_t *answer;

		arm(&u, destroys[i]);
		ask_into_the_void(&u, request);
		restart_after(&u, destroys[i]);
		/* what was half removed goes at the start, whether it is asked for again or not
		 */
		sh(&u, "ls -A applied | grep -c going || true", out);
		assert_string_equal(out, "0");
		answer = hive_ask(&u,
				  "{'cmd':'destroy','name':'agent%zu','purge':true,'confirm':'"
				  "agent%zu','wait':true}",
				  i, i);
		hive_do(answer);
		assert_audit(&u);
	}
	sh(&u, "ls -A applied | wc -l", out);
	assert_string_equal(out, "0");
	hive_down(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deploy),
		cmocka_unit_test(test_failing_deploy),
		cmocka_unit_test(test_build_that_fails_again),
		cmocka_unit_test(test_submit_and_deny),
		cmocka_unit_test(test_spawn_and_destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
