/* Another name for agents that Nix builds: the name is in the flake, the lock and the system,
 * which is built before anything is touched. The builder is played. */
#include "hive_crash.h"

#define META "git --git-dir=meta/.git "

static const char newer[] =
	"{\"nodes\":{\"root\":{\"inputs\":{\"nixpkgs\":\"nixpkgs\",\"base\":\"base\"}},"
	"\"nixpkgs\":{\"locked\":{\"type\":\"git\",\"url\":\"file:///n\","
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
	hive_do(hive_ask(
		u, "{'cmd':'set','name':'%s','settings':{'probe.grace':'1','probe.soak':'0'}}",
		name));
}

static void approve(struct hive_unit *u, int64_t id)
{
	hive_do(hive_ask(u, "{'cmd':'approve','id':%lld,'wait':true}", (long long)id));
}

static void deploy(struct hive_unit *u, const char *agent, const char *text)
{
	char commit[256];

	change(u, agent, text, commit);
	approve(u, submit(u, agent, commit));
}

/* What is deployed is made of newer inputs then than its tag says. */
static void update_inputs(struct hive_unit *u)
{
	_cleanup_free_ char *path = str_format("%s/locked", u->dir);
	json_t *answer;

	assert_int_equal(file_write_atomic(AT_FDCWD, path, newer, strlen(newer), 0600, NULL),
			 0);
	answer = hive_must(hive_ask(u, "{'cmd':'update_inputs'}"));
	approve(u, json_integer_value(json_object_get(answer, "id")));
	json_decref(answer);
}

static void rename_agent(struct hive_unit *u, const char *from, const char *to)
{
	hive_do(hive_ask(u, "{'cmd':'rename','name':'%s','to':'%s','wait':true}", from, to));
}

static void system_of(struct hive_unit *u, const char *name, const char *key, char out[256])
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'%s'}", name));

	hive_text(out, answer, "agent", key);
	json_decref(answer);
}

/* The agent is called so and not otherwise, wherever its name is, and runs what meta says. */
static void assert_called(struct hive_unit *u, const char *name, const char *other)
{
	_cleanup_free_ char *dirs = str_format("applied:%sproposed:%s", name, name);
	_cleanup_free_ char *lock =
		str_format("[ \"$(" META
			   "show main:flake.lock | grep -A6 '\"agent-%s\": {' | grep -o "
			   "'[0-9a-f]\\{40\\}')\" = \"$(git -C applied/%s/.git rev-parse "
			   "main)\" ] && echo "
			   "same",
			   name, name);
	_cleanup_free_ char *flake =
		str_format(META "show main:flake.nix | grep -c 'agent-%s.url.*applied/%s?'",
			   name, name);
	_cleanup_free_ char *none =
		str_format(META
			   "show main:flake.nix main:flake.lock main:agents.json | grep -c "
			   "'%s' || true",
			   other);
	char wanted[256], runs[256];

	hive_refused(hive_ask(u, "{'cmd':'agent','name':'%s'}", other), "not_found");
	await_agent(u, name, "running");
	system_of(u, name, "system", wanted);
	system_of(u, name, "system_running", runs);
	assert_string_equal(wanted, runs);
	assert_out(u, "ls applied proposed | tr -d '\\n'", dirs);
	assert_out(u, "find applied -type l | wc -l", "0");
	assert_out(u, lock, "same");
	assert_out(u, flake, "1");
	assert_out(u, none, "0");
	assert_out(u, META "for-each-ref refs/skep/candidate | wc -l", "0");
	assert_whole(u);
}

static void assert_silent(struct hive_unit *u)
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'drift'}"));
	json_t *rows = json_object_get(answer, "drift");

	if (json_array_size(rows) != 0) {
		_cleanup_free_ char *text = json_line(answer);

		fail_msg("%s", text);
	}
	json_decref(answer);
}

static void test_everything_follows(void **state)
{
	struct hive_unit *u = *state;
	char was[256], is[256], again[256];

	spawn_nix(u, "alice");
	deploy(u, "alice", "one");
	deploy(u, "alice", "two");
	update_inputs(u);
	system_of(u, "alice", "system", was);
	rename_agent(u, "alice", "mary");
	assert_called(u, "mary", "alice");
	system_of(u, "mary", "system", is);
	assert_string_not_equal(was, is);
	/* what its commit showed is what came of it, but for what was built since */
	assert_out(u, META "diff --stat main 'proposal/4^{commit}' | grep -c '|'", "1");
	assert_out(u, META "diff --numstat main 'proposal/4^{commit}' | tr '\\t' ,",
		   "1,1,agents.json");
	assert_silent(u);

	/* nothing is left to do: neither now, nor after a start */
	assert_out(u, "wc -l < starts > count; cat count", "5");
	hive_do(hive_ask(u, "{'cmd':'rebuild','name':'mary','wait':true}"));
	assert_out(u, "wc -l < starts", "5");
	hive_crash(u);
	hive_start(u);
	assert_called(u, "mary", "alice");
	system_of(u, "mary", "system", again);
	assert_string_equal(is, again);
	assert_silent(u);

	deploy(u, "mary", "three");
	hive_do(hive_ask(u, "{'cmd':'rollback','name':'mary','to':1,'wait':true}"));
	assert_called(u, "mary", "alice");
	assert_out(u, "git -C applied/mary/.git diff --quiet deployed/1 main && echo same",
		   "same");
	rename_agent(u, "mary", "alice");
	assert_called(u, "alice", "mary");
	/* what is stopped is built, and stays so */
	hive_do(hive_ask(u, "{'cmd':'stop','name':'alice','wait':true}"));
	system_of(u, "alice", "system", was);
	rename_agent(u, "alice", "carol");
	await_agent(u, "carol", "stopped");
	system_of(u, "carol", "system", is);
	assert_string_not_equal(was, is);
	hive_do(hive_ask(u, "{'cmd':'start','name':'carol','wait':true}"));
	assert_called(u, "carol", "alice");
	/* a Nix agent among others, whose parent it is */
	spawn_nix(u, "zoe");
	hive_do(hive_ask(u, "{'cmd':'set_parent','child':'zoe','new_parent':'carol'}"));
	rename_agent(u, "carol", "yves");
	assert_out(u, META "show main:flake.nix | grep -o 'agent-[a-z]*.url' | paste -sd,",
		   "agent-yves.url,agent-zoe.url");
	assert_whole(u);
}

/* Whatever fails: the old name, the old system, running. */
static void test_failures(void **state)
{
	struct hive_unit *u = *state;
	char was[256], is[256], head[256], out[256];

	spawn_nix(u, "alice");
	update_inputs(u);
	system_of(u, "alice", "system", was);
	sh(u, META "rev-parse 'main^{tree}'", head);
	sh(u, "echo no such attribute > fail-build; wc -l < starts > count; echo x", out);
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'alice','to':'bob','wait':true}"),
		     "build_failed");
	assert_state(u, 2, "failed");
	assert_out(u, META "cat-file tag failed/2 | grep -c 'no such attribute'", "2");
	assert_out(u, "rm fail-build; wc -l < starts | cmp - count && echo same", "same");
	assert_called(u, "alice", "bob");

	touch(u, "once-rename");
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'alice','to':'bob','wait':true}"),
		     "deploy_failed");
	assert_called(u, "alice", "bob");
	touch(u, "fail-start-bob");
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'alice','to':'bob','wait':true}"),
		     "deploy_failed");
	assert_called(u, "alice", "bob");
	system_of(u, "alice", "system", is);
	assert_string_equal(was, is);
	assert_out(u, META "rev-parse 'main^{tree}'", head);
	assert_silent(u);

	/* somebody put something where its repository would be found */
	sh(u, "mkdir applied/bob; echo x", out);
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'alice','to':'bob','wait':true}"),
		     "build_failed");
	sh(u, "rmdir applied/bob; rm fail-start-bob; echo x", out);
	assert_called(u, "alice", "bob");
	rename_agent(u, "alice", "bob");
	assert_called(u, "bob", "alice");
}

/* What was cancelled takes a moment to end. */
static void rebuild_when_free(struct hive_unit *u, const char *name)
{
	bool ok = false;

	for (int i = 0; i < 500 && !ok; i++) {
		json_t *answer = hive_ask(u, "{'cmd':'rebuild','name':'%s','wait':true}", name);

		ok = json_is_true(json_object_get(answer, "ok"));
		json_decref(answer);
		if (!ok)
			usleep(20000);
	}
	assert_true(ok);
}

/* While it is built nothing is touched, the name is taken, and it can be cancelled. */
static void test_cancel(void **state)
{
	struct hive_unit *u = *state;
	char was[256], is[256];

	spawn_nix(u, "alice");
	spawn_nix(u, "carol");
	system_of(u, "alice", "system_running", was);
	touch(u, "hang-build");
	hive_do(hive_ask(u, "{'cmd':'rename','name':'alice','to':'bob'}"));
	await_state(u, 1, "building");
	await_agent(u, "alice", "running");
	hive_refused(hive_ask(u, "{'cmd':'spawn','name':'bob'}"), "exists");
	hive_refused(hive_ask(u, "{'cmd':'rename','name':'carol','to':'bob'}"), "exists");
	hive_refused(hive_ask(u, "{'cmd':'request_spawn','name':'bob'}"), "exists");
	hive_refused(hive_ask(u, "{'cmd':'stop','name':'alice'}"), "wrong_state");
	assert_audit(u);
	hive_do(hive_ask(u, "{'cmd':'withdraw','id':1}"));
	assert_state(u, 1, "cancelled");
	untouch(u, "hang-build");
	rebuild_when_free(u, "alice");
	system_of(u, "alice", "system_running", is);
	assert_string_equal(was, is);
	assert_out(u, "ls applied | tr -d '\\n'", "alicecarol");
	assert_out(u, META "for-each-ref refs/skep/candidate | wc -l", "0");
	/* nothing of it is done at the next start */
	hive_crash(u);
	hive_start(u);
	await_agent(u, "alice", "running");
	rename_agent(u, "alice", "bob");
	await_agent(u, "bob", "running");
	assert_whole(u);
}

static void test_crash(void **state)
{
	static const struct {
		const char *point;
		bool fails; /* at the start under the new name */
	} cases[] = {
		{"approved", false}, {"building", false},   {"name-lent", false},
		{"built", false},    {"moved", false},      {"applied-moved", false},
		{"renamed", false},  {"done", false},       {"recorded", false},
		{"renamed", true},   {"moving-back", true}, {"failing", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool fails = cases[i].fails;
		struct hive_unit u = {};
		char was[256], is[256];

		hive_up(&u);
		spawn_nix(&u, "alice");
		deploy(&u, "alice", "one");
		update_inputs(&u);
		system_of(&u, "alice", "system", was);
		if (fails)
			touch(&u, "fail-start-bob");
		arm(&u, cases[i].point);
		ask_into_the_void(&u, "{'cmd':'rename','name':'alice','to':'bob','wait':true}");
		restart_after(&u, cases[i].point);
		await_state(&u, 3, fails ? "failed" : "deployed");
		assert_called(&u, fails ? "alice" : "bob", fails ? "bob" : "alice");
		system_of(&u, fails ? "alice" : "bob", "system", is);
		assert_int_equal(strcmp(was, is) == 0, fails);
		deploy(&u, fails ? "alice" : "bob", "two");
		hive_down(&u);
	}
}

/* It was cut short, and Nix is of no use any more: what was moved goes back. */
static void test_unbuilt_after_crash(void **state)
{
	static const char *const points[] = {"built", "moved", "applied-moved", "renamed"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct hive_unit u = {};
		char was[256], is[256];

		hive_up(&u);
		spawn_nix(&u, "alice");
		system_of(&u, "alice", "system", was);
		arm(&u, points[i]);
		ask_into_the_void(&u, "{'cmd':'rename','name':'alice','to':'bob','wait':true}");
		touch(&u, "fail-build");
		restart_after(&u, points[i]);
		await_state(&u, 1, "failed");
		assert_called(&u, "alice", "bob");
		system_of(&u, "alice", "system", is);
		assert_string_equal(was, is);
		hive_down(&u);
	}
}

/* A link that no rename needs any more is gone after a start, and what it led to is not. */
static void test_link_left_behind(void **state)
{
	struct hive_unit u = {};

	(void)state;
	hive_up(&u);
	spawn_nix(&u, "alice");
	assert_out(&u, "ln -s alice applied/stray && ls applied | paste -sd:", "alice:stray");
	assert_true(hive_stop(&u, 30));
	hive_start(&u);
	assert_out(&u, "ls applied | paste -sd:", "alice");
	hive_down(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_everything_follows),
		hive_test(test_failures),
		hive_test(test_cancel),
		cmocka_unit_test(test_crash),
		cmocka_unit_test(test_unbuilt_after_crash),
		cmocka_unit_test(test_link_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
