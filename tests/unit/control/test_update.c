/* Newer inputs for all that Nix builds: one proposal, one work, and nothing halfway. */
#include "hive_crash.h"

#define META "git -C meta/.git "

static const char newer[] =
	"{\"nodes\":{\"root\":{\"inputs\":{\"nixpkgs\":\"nixpkgs\",\"base\":\"base\"}},"
	"\"nixpkgs\":{\"locked\":{\"type\":\"git\",\"url\":\"file:///"
	"n\",\"lastModified\":86400,"
	"\"rev\":\"2222222222222222222222222222222222222222\"}},"
	"\"base\":{\"locked\":{\"type\":\"path\"}}},\"root\":\"root\",\"version\":7}";

static void assert_out(struct hive_unit *u, const char *script, const char *wanted)
{
	char out[256];

	sh(u, script, out);
	if (strcmp(out, wanted) != 0)
		fail_msg("%s: %s, not %s", script, out, wanted);
}

static void spawn_nix(struct hive_unit *u, const char *name)
{
	hive_do(hive_ask(u, "{'cmd':'spawn','name':'%s','builder':'nix','wait':true}", name));
	hive_do(hive_ask(u,
			 "{'cmd':'set','name':'%s','settings':{'probe.grace':'1','probe.soak':"
			 "'0'}}",
			 name));
}

static void be_newer(struct hive_unit *u)
{
	_cleanup_free_ char *path = str_format("%s/locked", u->dir);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, newer, strlen(newer), 0600, NULL),
			 0);
}

/* A manager, four agents of which one is stopped, and one that Nix does not build. */
static void populate(struct hive_unit *u)
{
	static const char *const names[] = {"alice", "bob", "carol", "hm1nd"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		spawn_nix(u, names[i]);
	spawn_nix(u, "still");
	spawn(u, "plain");
	hive_do(hive_ask(u, "{'cmd':'stop','name':'still','wait':true}"));
}

/* Asks for newer inputs; the number of the proposal. */
static int64_t ask(struct hive_unit *u)
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'update_inputs','description':'d'}"));
	int64_t id = json_integer_value(json_object_get(answer, "id"));

	json_decref(answer);
	assert_true(id > 0);
	return id;
}

static void approve(struct hive_unit *u, int64_t id)
{
	hive_do(hive_ask(u, "{'cmd':'approve','id':%lld,'wait':true}", (long long)id));
}

static void change_and_deploy(struct hive_unit *u, const char *agent)
{
	char commit[256];

	change(u, agent, "more", commit);
	approve(u, submit(u, agent, commit));
}

static void system_of(struct hive_unit *u, const char *name, char out[256])
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'%s'}", name));

	hive_text(out, answer, "agent", "system");
	json_decref(answer);
}

static void count_starts(struct hive_unit *u, char out[256])
{
	sh(u, "wc -l < starts", out);
}

/* Meta says what runs: building everything once more changes nothing. */
static void assert_settled(struct hive_unit *u)
{
	char before[256], after[256], head[256];

	count_starts(u, before);
	sh(u, META "rev-parse main", head);
	hive_do(hive_ask(u, "{'cmd':'rebuild','scope':{'all':true},'wait':true}"));
	/* what is stopped is started to see that it comes up, and stopped again */
	await_agent(u, "still", "stopped");
	count_starts(u, after);
	assert_true(atoi(after) - atoi(before) <= 1);
	assert_out(u, META "for-each-ref refs/skep/candidate | wc -l", "0");
	assert_whole(u);
}

static void test_nothing_newer(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer;

	hive_refused(hive_ask(u, "{'cmd':'update_inputs'}"), "unsupported");
	spawn_nix(u, "alice");
	answer = hive_must(hive_ask(u, "{'cmd':'update_inputs'}"));
	assert_true(json_is_true(json_object_get(answer, "end")));
	assert_true(json_is_true(json_object_get(answer, "unchanged")));
	assert_null(json_object_get(answer, "proposal"));
	json_decref(answer);
	assert_out(u, META "tag -l | wc -l", "0");
	hive_refused(hive_ask(u, "{'cmd':'update_inputs','names':['tools']}"), "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'update_inputs','names':[7]}"), "bad_request");
	touch(u, "fail-lock");
	hive_refused(hive_ask(u, "{'cmd':'update_inputs'}"), "storage");
}

static void test_update(void **state)
{
	struct hive_unit *u = *state;
	char was[256], is[256], stopped[256], plain[256];
	json_t *answer, *change;
	int64_t id;

	populate(u);
	system_of(u, "alice", was);
	system_of(u, "still", stopped);
	system_of(u, "plain", plain);
	be_newer(u);
	id = ask(u);
	answer = hive_must(hive_ask(u, "{'cmd':'proposal','id':%lld}", (long long)id));
	hive_text(is, answer, "proposal", "kind");
	assert_string_equal(is, "update_meta_inputs");
	hive_text(is, answer, "proposal", "agent");
	assert_string_equal(is, "");
	change = json_object_get(json_object_get(answer, "proposal"), "payload");
	change = json_array_get(json_object_get(change, "inputs"), 0);
	assert_string_equal(json_string_value(json_object_get(change, "name")), "nixpkgs");
	change = json_object_get(change, "to");
	assert_string_equal(json_string_value(json_object_get(change, "rev")),
			    "2222222222222222222222222222222222222222");
	assert_string_equal(json_string_value(json_object_get(change, "at")),
			    "1970-01-02T00:00:00Z");
	json_decref(answer);
	hive_do(hive_ask(u, "{'cmd':'diff','id':%lld}", (long long)id));
	/* nothing has moved yet */
	assert_out(u, META "show main:flake.lock | grep -c 222222222 || true", "0");

	sh(u, "rm starts; echo x", is);
	approve(u, id);
	assert_state(u, id, "deployed");
	/* the manager first; what is stopped stays so, what Nix does not build is left alone */
	assert_out(u, "paste -sd, starts", "hm1nd,alice,bob,carol");
	system_of(u, "alice", is);
	assert_string_not_equal(is, was);
	system_of(u, "still", is);
	assert_string_not_equal(is, stopped);
	system_of(u, "plain", is);
	assert_string_equal(is, plain);
	await_agent(u, "still", "stopped");
	assert_out(u, META "show main:flake.lock | grep -c 222222222", "1");
	assert_out(u, META "log -1 --format=%s main | cut -d' ' -f1,2 | tr ' ' _",
		   "update_nixpkgs");
	assert_out(u, META "cat-file tag deployed/1 | grep -c ^Skep-System || true", "0");
	assert_out(u, "git -C applied/alice/.git tag -l | paste -sd,", "deployed/0");
	assert_settled(u);

	/* a start finds what meta says; a deploy begins with it */
	hive_crash(u);
	hive_start(u);
	await_agent(u, "alice", "running");
	system_of(u, "alice", was);
	assert_settled(u);
	change_and_deploy(u, "alice");
	system_of(u, "alice", is);
	assert_string_not_equal(is, was);
	assert_out(u, META "show main:agents.json | grep alice | grep -c /nix/store || true",
		   "0");
	hive_do(hive_ask(u, "{'cmd':'rollback','name':'alice','wait':true}"));
	system_of(u, "alice", is);
	assert_string_equal(is, was);
	assert_settled(u);
}

static void test_failed_build(void **state)
{
	struct hive_unit *u = *state;
	char was[256], head[256], now[256], starts[256];
	int64_t id;

	populate(u);
	system_of(u, "alice", was);
	sh(u, META "rev-parse main", head);
	be_newer(u);
	id = ask(u);
	touch(u, "fail-build-carol");
	count_starts(u, starts);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':%lld,'wait':true}", (long long)id),
		     "build_failed");
	assert_state(u, id, "failed");
	count_starts(u, now);
	assert_string_equal(now, starts);
	assert_out(u, META "rev-parse main", head);
	assert_out(u, META "cat-file tag failed/1 | grep -c \"^'carol': .*told\"", "1");
	system_of(u, "alice", now);
	assert_string_equal(now, was);
	untouch(u, "fail-build-carol");
	assert_settled(u);

	/* the same again, and it works */
	approve(u, ask(u));
	assert_settled(u);
}

static void test_failed_probe(void **state)
{
	struct hive_unit *u = *state;
	char was[256], head[256], now[256], script[300];
	int64_t id;

	populate(u);
	sh(u, META "rev-parse main", head);
	system_of(u, "carol", was);
	snprintf(script, sizeof(script), "echo %s > sick-carol; rm starts; echo x", was);
	system_of(u, "alice", was);
	sh(u, script, now);
	be_newer(u);
	id = ask(u);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':%lld,'wait':true}", (long long)id),
		     "deploy_failed");
	assert_state(u, id, "failed");
	assert_out(u, META "rev-parse main", head);
	/* all that were switched went back, and the record says who */
	system_of(u, "alice", now);
	assert_string_equal(now, was);
	assert_out(u, "head -3 starts | paste -sd,", "hm1nd,alice,bob");
	assert_out(u, "wc -l < starts", "8");
	assert_out(u,
		   META "cat-file tag failed/1 | grep -c \"'carol': the probe failed.*back on "
			"what they ran: [abhinlmoecd1, ]*$\"",
		   "1");
	untouch(u, "sick-carol");
	assert_settled(u);
}

/* What it runs is what it ran before, though nothing was told to the record yet. */
static void test_crash(void **state)
{
	static const char *const points[] = {"approved", "building", "built", "all-built",
					     "switched", "updated",  "done",  "recorded"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct hive_unit u = {};
		char was[256], is[256];
		int64_t id;

		hive_up(&u);
		spawn_nix(&u, "hm1nd");
		spawn_nix(&u, "alice");
		spawn_nix(&u, "still");
		hive_do(hive_ask(&u, "{'cmd':'stop','name':'still','wait':true}"));
		system_of(&u, "alice", was);
		be_newer(&u);
		id = ask(&u);
		arm(&u, points[i]);
		ask_into_the_void(&u, "{'cmd':'approve','id':1,'wait':true}");
		restart_after(&u, points[i]);
		await_state(&u, id, "deployed");
		system_of(&u, "alice", is);
		assert_string_not_equal(is, was);
		await_agent(&u, "alice", "running");
		await_agent(&u, "still", "stopped");
		assert_settled(&u);
		hive_down(&u);
	}
}

/* On the way back as well; and the failure is recorded once. */
static void test_crash_back(void **state)
{
	static const char *const points[] = {"rolling-back", "failing"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct hive_unit u = {};
		char was[256], is[256], script[300];

		hive_up(&u);
		spawn_nix(&u, "hm1nd");
		spawn_nix(&u, "alice");
		system_of(&u, "hm1nd", was);
		system_of(&u, "alice", is);
		snprintf(script, sizeof(script), "echo %s > sick-alice; echo x", is);
		sh(&u, script, is);
		be_newer(&u);
		(void)ask(&u);
		arm(&u, points[i]);
		ask_into_the_void(&u, "{'cmd':'approve','id':1,'wait':true}");
		restart_after(&u, points[i]);
		await_state(&u, 1, "failed");
		system_of(&u, "hm1nd", is);
		assert_string_equal(is, was);
		assert_out(&u, META "show main:flake.lock | grep -c 222222222 || true", "0");
		hive_down(&u);
	}
}

/* The hive goes down while agents wait for each other. */
static void test_stop(void **state)
{
	struct hive_unit *u = *state;

	spawn_nix(u, "hm1nd");
	spawn_nix(u, "alice");
	be_newer(u);
	(void)ask(u);
	touch(u, "hang-switch");
	hive_do(hive_ask(u, "{'cmd':'approve','id':1}"));
	for (int i = 0; i < 200; i++)
		usleep(5000);
	assert_false(hive_stop(u, 1)); /* a switch is left its time */
	hive_crash(u);
	untouch(u, "hang-switch");
	touch(u, "hang-build-alice");
	hive_start(u);
	for (int i = 0; i < 100; i++)
		usleep(5000);
	assert_true(hive_stop(u, 10));
	untouch(u, "hang-build-alice");
	hive_crash(u);
	hive_start(u);
	await_state(u, 1, "deployed");
	assert_whole(u);
}

/* An agent that is made meanwhile is taken along. */
static void test_spawn_meanwhile(void **state)
{
	struct hive_unit *u = *state;
	char starts[256], now[256];

	spawn_nix(u, "alice");
	be_newer(u);
	(void)ask(u);
	touch(u, "slow-build");
	hive_do(hive_ask(u, "{'cmd':'approve','id':1}"));
	spawn_nix(u, "bob");
	untouch(u, "slow-build");
	await_state(u, 1, "deployed");
	count_starts(u, starts);
	hive_do(hive_ask(u, "{'cmd':'rebuild','scope':{'all':true},'wait':true}"));
	count_starts(u, now);
	assert_string_equal(now, starts);
	assert_whole(u);
}

/* While it is built an operator may think better of it. */
static void test_cancel(void **state)
{
	struct hive_unit *u = *state;
	char starts[256], now[256], head[256];
	int waits;
	char c;

	spawn_nix(u, "alice");
	spawn_nix(u, "bob");
	be_newer(u);
	(void)ask(u);
	sh(u, META "rev-parse main", head);
	count_starts(u, starts);
	touch(u, "hang-build-alice");
	waits = ask_later(u, "{'cmd':'approve','id':1,'wait':true}");
	await_state(u, 1, "building");
	usleep(300000);
	hive_do(hive_ask(u, "{'cmd':'withdraw','id':1,'note':'no'}"));
	assert_state(u, 1, "cancelled");
	assert_int_equal(read(waits, &c, 1), 1); /* whoever waits is told */
	(void)close(waits);
	count_starts(u, now);
	assert_string_equal(now, starts);
	assert_out(u, META "rev-parse main", head);
	untouch(u, "hang-build-alice");
	hive_refused(hive_ask(u, "{'cmd':'withdraw','id':1}"), "wrong_state");
	approve(u, ask(u));
	assert_out(u, META "show main:flake.lock | grep -c 222222222", "1");
	assert_whole(u);
}

/* What was proposed on other inputs than there are is of no use. */
static void test_stale(void **state)
{
	struct hive_unit *u = *state;
	int64_t first, second;

	spawn_nix(u, "alice");
	be_newer(u);
	first = ask(u);
	second = ask(u);
	assert_state(u, first, "superseded");
	touch(u, "hang-build");
	hive_do(hive_ask(u, "{'cmd':'approve','id':%lld}", (long long)second));
	first = ask(u);
	assert_state(u, first, "needs-review");
	untouch(u, "hang-build");
	hive_crash(u);
	hive_start(u);
	await_state(u, second, "deployed");
	await_state(u, first, "stale");
	assert_whole(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_nothing_newer), hive_test(test_update),
		hive_test(test_failed_build),  hive_test(test_failed_probe),
		cmocka_unit_test(test_crash),  cmocka_unit_test(test_crash_back),
		hive_test(test_stop),          hive_test(test_spawn_meanwhile),
		hive_test(test_cancel),        hive_test(test_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
