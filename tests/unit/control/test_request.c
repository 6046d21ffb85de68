/* Requests for new agents from the outside: proposals whose tags are in meta, what they promise
 * and what becomes of them, across a death at every step. */
#include "hive_crash.h"

static int64_t request(struct hive_unit *u, const char *name, const char *more)
{
	json_t *answer =
		hive_must(hive_ask(u, "{'cmd':'request_spawn','name':'%s'%s}", name, more));
	int64_t id = json_integer_value(json_object_get(answer, "id"));

	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(answer, "proposal"), "id")),
			 id);
	json_decref(answer);
	assert_true(id > 0);
	return id;
}

static json_int_t port_of(const json_t *row)
{
	return json_integer_value(
		json_object_get(json_object_get(json_object_get(row, "payload"), "settings"),
				"port"));
}

static void test_approve(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer, *row;
	json_int_t port;
	char out[256];

	assert_int_equal(request(u, "bob",
				 ",'memory_max':'512M','labels':{'team':'red'},'description':'"
				 "writes'"),
			 1);
	answer = hive_must(hive_ask(u, "{'cmd':'pending'}"));
	row = json_array_get(json_object_get(answer, "approvals"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "kind")), "spawn");
	assert_string_equal(json_string_value(json_object_get(row, "agent")), "bob");
	assert_string_equal(json_string_value(json_object_get(row, "description")), "writes");
	port = port_of(row);
	assert_in_range(port, 8100, 8999);
	json_decref(answer);
	answer = hive_must(hive_ask(u, "{'cmd':'pending','kind':['apply_commit']}"));
	assert_int_equal(json_array_size(json_object_get(answer, "approvals")), 0);
	json_decref(answer);

	/* the difference is the entry that would come, and nothing of it is there yet */
	answer = hive_must(hive_ask(u, "{'cmd':'diff','id':1}"));
	row = json_object_get(json_object_get(answer, "diff"), "files");
	assert_int_equal(json_array_size(row), 1);
	json_decref(answer);
	sh(u, "git -C meta/.git diff main 'proposal/1^{commit}' | grep -c '^+.*\"bob\"'", out);
	assert_string_equal(out, "1");
	sh(u, "git -C meta/.git show main:agents.json | grep -c bob || true", out);
	assert_string_equal(out, "0");
	hive_refused(hive_ask(u, "{'cmd':'agent','name':'bob'}"), "not_found");

	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%040d'}", 0), "stale");
	sh(u, "git -C meta/.git rev-parse 'proposal/1^{commit}'", out);
	answer = hive_must(
		hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','wait':true}", out));
	row = json_object_get(answer, "proposal");
	assert_string_equal(json_string_value(json_object_get(row, "state")), "deployed");
	json_decref(answer);
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'bob'}"));
	row = json_object_get(answer, "agent");
	assert_int_equal(json_integer_value(json_object_get(row, "port")), port);
	assert_string_equal(json_string_value(json_object_get(row, "state")), "running");
	assert_int_equal(json_integer_value(json_object_get(row, "deployed")), 0);
	json_decref(answer);
	sh(u,
	   "git -C meta/.git for-each-ref refs/tags | awk '{print $2\":\"$3}' | tr '\\n' ' ' | "
	   "tr -d ' '",
	   out);
	assert_string_equal(out, "tag:refs/tags/approved/1commit:refs/tags/building/1"
				 "tag:refs/tags/deployed/1tag:refs/tags/proposal/1");
	sh(u, "git -C meta/.git fsck --strict 2>&1 | grep -v dangling | wc -l", out);
	assert_string_equal(out, "0");
	hive_do(hive_ask(u, "{'cmd':'approve','id':1}"));
	hive_refused(hive_ask(u, "{'cmd':'request_spawn','name':'bob'}"), "exists");
	hive_do(hive_ask(u, "{'cmd':'build_log','id':1}"));

	/* the agent goes on from 0: the number of its making is not one of its deploys */
	hive_refused(hive_ask(u, "{'cmd':'rollback','name':'bob'}"), "wrong_state");
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'bob','wait':true}"));
	spawn(u, "bob");
	sh(u, "git -C meta/.git log -1 --format=%s main | cut -d' ' -f3", out);
	assert_string_equal(out, "deployed/0");
	assert_audit(u);
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'bob','purge':true,'confirm':'bob','wait':"
			    "true}"));
	assert_audit(u);
	assert_state(u, 1, "deployed");
}

static void test_other_ends(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer;
	char out[256];

	assert_int_equal(request(u, "bob", ""), 1);
	hive_do(hive_ask(u, "{'cmd':'deny','id':1,'note':'no'}"));
	assert_state(u, 1, "denied");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1}"), "wrong_state");

	assert_int_equal(request(u, "bob", ""), 2);
	assert_int_equal(request(u, "bob", ",'memory_max':'1G'"), 3);
	assert_state(u, 2, "superseded");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':2}"), "superseded");

	hive_do(hive_ask(u, "{'cmd':'withdraw','id':3}"));
	assert_state(u, 3, "cancelled");

	/* taken meanwhile */
	assert_int_equal(request(u, "bob", ""), 4);
	assert_int_equal(request(u, "carol", ""), 5);
	spawn(u, "bob");
	assert_state(u, 4, "stale");
	assert_state(u, 5, "needs-review");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':4}"), "stale");

	/* too old */
	sh(u, "echo 700000 > clock; echo x", out);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':5}"), "expired");
	assert_state(u, 5, "cancelled");

	/* fails: the record says so, and nothing of it stays */
	assert_int_equal(request(u, "dave", ""), 6);
	touch(u, "fail-start");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':6,'wait':true}"), "deploy_failed");
	untouch(u, "fail-start");
	assert_state(u, 6, "failed");
	hive_refused(hive_ask(u, "{'cmd':'agent','name':'dave'}"), "not_found");
	sh(u,
	   "git -C meta/.git show main:agents.json | python3 -c 'import json,sys; "
	   "print(\"dave\" in json.load(sys.stdin)[\"agents\"])'",
	   out);
	assert_string_equal(out, "False");
	sh(u, "git -C meta/.git cat-file tag failed/6 | grep -c 'told to fail'", out);
	assert_true(atoi(out) > 0);

	answer = hive_must(hive_ask(u, "{'cmd':'pending','status':'all','kind':['spawn']}"));
	assert_int_equal(json_array_size(json_object_get(answer, "approvals")), 6);
	json_decref(answer);
	assert_audit(u);
}

static void test_promises(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer, *row;
	json_int_t first, second;
	char out[256];

	/* what is asked for is checked at once */
	assert_int_equal(request(u, "agent23", ""), 1);
	hive_refused(hive_ask(u, "{'cmd':'request_spawn','name':'Bob'}"), "bad_name");
	hive_refused(hive_ask(u, "{'cmd':'request_spawn','name':'bob','memry_max':'1G'}"),
		     "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'request_spawn','name':'bob','driver':'x'}"),
		     "unsupported");
	answer = hive_must(hive_ask(u, "{'cmd':'proposal','id':1}"));
	row = json_object_get(answer, "proposal");
	first = port_of(row);
	json_decref(answer);
	/* a direct spawn takes other ids than those that were shown, and the request holds */
	spawn(u, "alice");
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'wait':true}"));
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'agent23'}"));
	second = json_integer_value(json_object_get(json_object_get(answer, "agent"), "port"));
	json_decref(answer);
	assert_int_equal(first, second);
	sh(u, "git -C meta/.git show main:agents.json | grep uid_base | sort -u | wc -l", out);
	assert_string_equal(out, "2");

	/* only so many wait at once */
	for (int i = 0; i < 32; i++) {
		_cleanup_free_ char *name = str_format("w%d", i);

		(void)request(u, name, "");
	}
	hive_refused(hive_ask(u, "{'cmd':'request_spawn','name':'one-more'}"), "busy");
	assert_audit(u);
}

/* Many at once for one name: one stays, and it is spawned once. */
static void test_many_at_once(void **state)
{
	struct hive_unit *u = *state;
	int fds[12];
	char out[256];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = ask_later(u, "{'cmd':'request_spawn','name':'bob'}");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
	await_state(u, 12, "needs-review");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = ask_later(u, i == 5 ? "{'cmd':'spawn','name':'bob'}"
					     : "{'cmd':'approve','id':12}");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)close(fds[i]);
	await_state(u, 12, "deployed");
	sh(u, "git -C meta/.git tag -l 'superseded/*' | wc -l", out);
	assert_string_equal(out, "11");
	sh(u, "git -C applied/bob/.git tag -l | tr '\\n' ' ' | tr -d ' '", out);
	assert_string_equal(out, "deployed/0");
	assert_audit(u);
}

static void test_crash(void **state)
{
	static const char *const points[] = {"approved", "building", "first-tag", "seeded",
					     "entered",  "done",     "recorded"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct hive_unit u = {};
		char out[256];

		hive_up(&u);
		assert_int_equal(request(&u, "bob", ""), 1);
		arm(&u, points[i]);
		ask_into_the_void(&u, "{'cmd':'approve','id':1,'wait':true}");
		restart_after(&u, points[i]);
		await_state(&u, 1, "deployed");
		await_agent(&u, "bob", "running");
		sh(&u, "git -C applied/bob/.git tag -l | wc -l", out);
		assert_string_equal(out, "1");
		assert_whole(&u);
		hive_down(&u);
	}
}

static void test_crash_of_requests(void **state)
{
	struct hive_unit u = {};

	(void)state;
	hive_up(&u);
	assert_int_equal(request(&u, "bob", ""), 1);

	/* before the tag nothing happened */
	arm(&u, "imported");
	ask_into_the_void(&u, "{'cmd':'request_spawn','name':'bob'}");
	restart_after(&u, "imported");
	assert_state(&u, 1, "needs-review");
	hive_refused(hive_ask(&u, "{'cmd':'proposal','id':2}"), "not_found");

	/* after it, the older one is closed by the next start */
	arm(&u, "proposed");
	ask_into_the_void(&u, "{'cmd':'request_spawn','name':'bob'}");
	restart_after(&u, "proposed");
	assert_state(&u, 2, "needs-review");
	assert_state(&u, 1, "superseded");

	arm(&u, "denied");
	ask_into_the_void(&u, "{'cmd':'deny','id':2,'note':'no'}");
	restart_after(&u, "denied");
	assert_state(&u, 2, "denied");

	/* one that fails, and dies before it can say so, fails again */
	assert_int_equal(request(&u, "bob", ""), 3);
	touch(&u, "fail-start");
	arm(&u, "failing");
	ask_into_the_void(&u, "{'cmd':'approve','id':3,'wait':true}");
	restart_after(&u, "failing");
	await_state(&u, 3, "failed");
	untouch(&u, "fail-start");
	hive_refused(hive_ask(&u, "{'cmd':'agent','name':'bob'}"), "not_found");

	/* and the next number is not one of them */
	assert_int_equal(request(&u, "bob", ""), 4);
	hive_do(hive_ask(&u, "{'cmd':'approve','id':4,'wait':true}"));
	assert_whole(&u);
	hive_down(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_approve),      hive_test(test_other_ends),
		hive_test(test_promises),     hive_test(test_many_at_once),
		cmocka_unit_test(test_crash), cmocka_unit_test(test_crash_of_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
