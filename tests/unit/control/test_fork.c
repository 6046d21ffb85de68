/* Agents made from what others have deployed: whole repositories, settings of their own, across
 * a death at every step. */
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

static void test_fork(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer, *row;
	char first[256], out[256];

	spawn(u, "alice");
	hive_do(hive_ask(u,
			 "{'cmd':'set','name':'alice','settings':{'memory_max':'512M','label."
			 "team':'red'}}"));
	deploy(u, "alice", "one");
	deploy(u, "alice", "two");
	sh(u, "git -C applied/alice/.git rev-parse 'deployed/1^{commit}'", first);

	answer =
		hive_must(hive_ask(u, "{'cmd':'fork','name':'alice','to':'bob','deployed':1}"));
	assert_int_equal(json_integer_value(json_object_get(answer, "id")), 3);
	row = json_object_get(answer, "proposal");
	assert_string_equal(json_string_value(json_object_get(row, "kind")), "fork");
	assert_string_equal(json_string_value(json_object_get(row, "agent")), "bob");
	row = json_object_get(row, "payload");
	assert_string_equal(json_string_value(json_object_get(row, "from")), "alice");
	assert_string_equal(json_string_value(json_object_get(row, "commit")), first);
	json_decref(answer);
	hive_refused(hive_ask(u, "{'cmd':'agent','name':'bob'}"), "not_found");
	hive_do(hive_ask(u, "{'cmd':'diff','id':3}"));

	answer = hive_must(hive_ask(u, "{'cmd':'approve','id':3,'wait':true}"));
	row = json_object_get(answer, "proposal");
	assert_string_equal(json_string_value(json_object_get(row, "state")), "deployed");
	json_decref(answer);
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'bob'}"));
	row = json_object_get(answer, "agent");
	assert_string_equal(json_string_value(json_object_get(row, "commit")), first);
	assert_string_equal(json_string_value(json_object_get(json_object_get(row, "limits"),
							      "memory_max")),
			    "512M");
	assert_string_equal(json_string_value(
				    json_object_get(json_object_get(row, "labels"), "team")),
			    "red");
	json_decref(answer);
	sh(u, "git -C applied/bob/.git rev-parse main", out);
	assert_string_equal(out, first);
	sh(u, "git -C applied/bob/.git tag -l", out);
	assert_string_equal(out, "deployed/0");
	sh(u, "git -C proposed/bob rev-parse HEAD", out);
	assert_string_equal(out, first);
	sh(u, "git -C proposed/bob status --porcelain | wc -l", out);
	assert_string_equal(out, "0");
	sh(u, "cat proposed/bob/rootfs/etc/motd", out);
	assert_string_equal(out, "one");
	sh(u, "ls state-bob-of-alice", out);
	sh(u, "git -C meta/.git log --format=%s main | grep -c 'fork bob deployed/0'", out);
	assert_string_equal(out, "1");

	/* each goes its own way */
	deploy(u, "bob", "three");
	sh(u, "git -C applied/alice/.git log --format=%s main | head -1", out);
	assert_string_equal(out, "two");
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'alice','purge':true,'confirm':'alice','"
			    "wait':true}"));
	sh(u, "git -C applied/bob/.git fsck --strict 2>&1 | grep -v dangling | wc -l", out);
	assert_string_equal(out, "0");
	hive_do(hive_ask(u, "{'cmd':'rollback','name':'bob','wait':true}"));
	assert_whole(u);
}

static void test_refusals(void **state)
{
	struct hive_unit *u = *state;
	char out[256];

	spawn(u, "hm1nd");
	spawn(u, "alice");
	spawn(u, "bob");
	hive_refused(hive_ask(u, "{'cmd':'fork','name':'nobody','to':'carol'}"), "not_found");
	hive_refused(hive_ask(u, "{'cmd':'fork','name':'alice','to':'bob'}"), "exists");
	hive_refused(hive_ask(u, "{'cmd':'fork','name':'alice','to':'Carol'}"), "bad_name");
	hive_refused(hive_ask(u, "{'cmd':'fork','name':'hm1nd','to':'carol'}"), "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'fork','name':'alice','to':'carol','deployed':7}"),
		     "not_found");
	hive_refused(hive_ask(u, "{'cmd':'fork','name':'alice','to':'carol','stat':false}"),
		     "bad_request");
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'bob','wait':true}"));
	hive_refused(hive_ask(u, "{'cmd':'fork','name':'alice','to':'bob'}"), "exists");

	/* without its state; and the source goes away before the verdict */
	hive_do(hive_ask(u, "{'cmd':'fork','name':'alice','to':'carol','state':false}"));
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'wait':true}"));
	sh(u, "ls state-carol-of-alice 2>/dev/null || echo none", out);
	assert_string_equal(out, "none");
	hive_do(hive_ask(u, "{'cmd':'fork','name':'alice','to':'dave'}"));
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'alice','wait':true}"));
	hive_refused(hive_ask(u, "{'cmd':'approve','id':2}"), "stale");
	assert_state(u, 2, "stale");

	/* what goes wrong is told, recorded, and leaves no agent */
	hive_do(hive_ask(u, "{'cmd':'fork','name':'carol','to':'erin'}"));
	touch(u, "fail-copy-state");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':3,'wait':true}"), "storage");
	untouch(u, "fail-copy-state");
	assert_state(u, 3, "failed");
	hive_refused(hive_ask(u, "{'cmd':'agent','name':'erin'}"), "not_found");
	hive_refused(hive_ask(u, "{'cmd':'fork','name':'carol','to':'erin'}"), "exists");
	hive_do(hive_ask(u,
			 "{'cmd':'destroy','name':'erin','purge':true,'confirm':'erin','wait'"
			 ":true}"));
	hive_do(hive_ask(u, "{'cmd':'fork','name':'carol','to':'erin'}"));
	hive_do(hive_ask(u, "{'cmd':'approve','id':4,'wait':true}"));
	assert_whole(u);
}

static void test_crash(void **state)
{
	static const char *const points[] = {"approved",     "building", "first-tag",
					     "state-copied", "seeded",   "entered",
					     "done",         "recorded"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct hive_unit u = {};
		char out[256], first[256];

		hive_up(&u);
		spawn(&u, "alice");
		deploy(&u, "alice", "one");
		hive_do(hive_ask(&u, "{'cmd':'fork','name':'alice','to':'bob'}"));
		arm(&u, points[i]);
		ask_into_the_void(&u, "{'cmd':'approve','id':2,'wait':true}");
		restart_after(&u, points[i]);
		await_state(&u, 2, "deployed");
		await_agent(&u, "bob", "running");
		sh(&u, "git -C applied/alice/.git rev-parse main", first);
		sh(&u, "git -C applied/bob/.git rev-parse main", out);
		assert_string_equal(out, first);
		sh(&u, "git -C proposed/bob rev-parse HEAD", out);
		assert_string_equal(out, first);
		assert_whole(&u);
		hive_down(&u);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_fork),
		hive_test(test_refusals),
		cmocka_unit_test(test_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
