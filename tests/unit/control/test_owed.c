/* What is owed is done, whatever got in the way: containers that should run, approved
 * proposals. */
#include "hive_steps.h"

static const char dead[] =
	"{'event':'container','agent':'alice','state':'failed','exit':'killed'}";

static void test_container_ends(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	touch(u, "dead-alice");
	hive_event(u, dead);
	await_agent(u, "alice", "failed");
	await_agent(u, "alice", "running");
}

/* Its end is no news while an operation is in line; afterwards it must be. */
static void test_container_ends_meanwhile(void **state)
{
	struct hive_unit *u = *state;
	int fd;

	spawn(u, "alice");
	touch(u, "slow-build");
	touch(u, "fail-build");
	fd = ask_later(u, "{'cmd':'rebuild','name':'alice'}");
	usleep(100000);
	touch(u, "dead-alice");
	hive_event(u, dead);
	await_agent(u, "alice", "failed");
	untouch(u, "slow-build");
	untouch(u, "fail-build");
	await_agent(u, "alice", "running");
	(void)close(fd);
}

static void test_start_fails(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	hive_do(hive_ask(u, "{'cmd':'stop','name':'alice','wait':true}"));
	touch(u, "fail-start");
	hive_refused(hive_ask(u, "{'cmd':'start','name':'alice','wait':true}"),
		     "deploy_failed");
	await_agent(u, "alice", "stopped");
	untouch(u, "fail-start");
	await_agent(u, "alice", "running");
	/* one that is wanted stopped stays so */
	hive_do(hive_ask(u, "{'cmd':'stop','name':'alice','wait':true}"));
	hive_event(u, "{'event':'container','agent':'alice','state':'stopped'}");
	usleep(1500000);
	await_agent(u, "alice", "stopped");
}

/* After a cold start the manager is up before the others begin. */
static void test_manager_first(void **state)
{
	struct hive_unit *u = *state;
	char out[256];

	spawn(u, "hm1nd");
	spawn(u, "alice");
	spawn(u, "zoe");
	hive_crash(u);
	sh(u, "rm starts", out);
	hive_start(u);
	await_agent(u, "alice", "running");
	await_agent(u, "zoe", "running");
	sh(u, "head -n 1 starts", out);
	assert_string_equal(out, "hm1nd");
	sh(u, "sort starts | uniq | wc -l", out);
	assert_string_equal(out, "3");
}

static void test_resync(void **state)
{
	struct hive_unit *u = *state;
	char out[256];

	spawn(u, "alice");
	touch(u, "dead-alice");
	hive_event(u, "{'event':'resync'}");
	/* the stand-in takes the file away when it is asked */
	for (int i = 0; i < 250; i++) {
		sh(u, "ls dead-alice 2>/dev/null || true", out);
		if (!out[0])
			break;
		usleep(20000);
	}
	await_agent(u, "alice", "running");
	sh(u, "grep -c '\"verb\":\"restart\"' audit/log.jsonl", out);
	assert_string_equal(out, "1");
}

/* A system whose units nobody can list has not been found good. */
static void test_units_unknown(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];

	spawn(u, "alice");
	sh(u, "sed -i 's/\"grace\": 20/\"grace\": 0/' proposed/alice/agent.json; echo x", out);
	change(u, "alice", "who knows", commit);
	(void)submit(u, "alice", commit);
	touch(u, "no-units");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','wait':true}", commit),
		     "deploy_failed");
	sh(u, "git -C applied/alice/.git cat-file tag failed/1 | grep -c 'does not answer'",
	   out);
	assert_string_not_equal(out, "0");
}

/* An outcome that cannot be written down is written down later. */
static void test_record_blocked(void **state)
{
	static const struct {
		const char *lock, *state, *misbehave;
	} cases[] = {{"deployed", "deployed", NULL}, {"failed", "failed", "fail-build"}};
	struct hive_unit *u = *state;

	spawn(u, "alice");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *lock =
			str_format("mkdir -p applied/alice/.git/refs/tags/%s; touch "
				   "applied/alice/.git/refs/tags/%s/%zu.lock; echo x",
				   cases[i].lock, cases[i].lock, i + 1);
		_cleanup_free_ char *unlock =
			str_format("rm applied/alice/.git/refs/tags/%s/%zu.lock; echo x",
				   cases[i].lock, i + 1);
		_cleanup_free_ char *look =
			str_format("grep -c 'cannot record the outcome' logs/%zu.log || true",
				   i + 1);
		char commit[256], out[256];

		change(u, "alice", cases[i].lock, commit);
		assert_int_equal(submit(u, "alice", commit), i + 1);
		if (cases[i].misbehave)
			touch(u, cases[i].misbehave);
		sh(u, lock, out);
		hive_do(hive_ask(u, "{'cmd':'approve','id':%zu,'commit':'%s'}", i + 1, commit));
		for (int n = 0; n < 500; n++) {
			sh(u, look, out);
			if (strcmp(out, "0") != 0 && out[0])
				break;
			usleep(20000);
		}
		sh(u, unlock, out);
		await_state(u, (int64_t)i + 1, cases[i].state);
	}
	assert_audit(u);
}

/* The deploy was begun on something that is gone by now: it is not taken up again. */
static void test_begun_on_another_base(void **state)
{
	struct hive_unit *u = *state;
	char first[256], second[256], out[256];
	json_t *answer;

	spawn(u, "alice");
	change(u, "alice", "one", first);
	assert_int_equal(submit(u, "alice", first), 1);
	change(u, "alice", "two", second);
	assert_int_equal(submit(u, "alice", second), 2);
	hive_do(hive_ask(u, "{'cmd':'approve','id':2,'commit':'%s','wait':true}", second));
	hive_crash(u);
	sh(u,
	   "cd applied/alice/.git && git update-ref -d refs/tags/superseded/1 && "
	   "git update-ref refs/tags/building/1 proposal/1^{commit} && git rev-parse "
	   "deployed/2^{tree}",
	   out);
	hive_start(u);
	await_state(u, 1, "stale");
	await_agent(u, "alice", "running");
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(first, answer, "agent", "system_running"), out);
	json_decref(answer);
}

/* A destroy that cannot be recorded leaves an agent that works. */
static void test_destroy_fails(void **state)
{
	struct hive_unit *u = *state;
	_cleanup_free_ char *path = str_format("%s/alice.sock", u->dir);
	char commit[256], out[256];

	spawn(u, "alice");
	change(u, "alice", "open", commit);
	(void)submit(u, "alice", commit);
	sh(u,
	   "mkdir -p applied/alice/.git/refs/tags/cancelled && touch "
	   "applied/alice/.git/refs/tags/cancelled/1.lock && rm alice.sock; echo x",
	   out);
	hive_refused(hive_ask(u, "{'cmd':'destroy','name':'alice','wait':true}"), "busy");
	await_agent(u, "alice", "running");
	/* its socket is made again, which takes skep-exec */
	for (int i = 0; i < 500 && access(path, F_OK) < 0; i++)
		usleep(20000);
	hive_refused(hive_ask_on(path, "{\"cmd\":\"whoami\"}"), "forbidden");
	sh(u, "rm applied/alice/.git/refs/tags/cancelled/1.lock; echo x", out);
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'alice','wait':true}"));
	assert_audit(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_container_ends), hive_test(test_container_ends_meanwhile),
		hive_test(test_manager_first),  hive_test(test_start_fails),
		hive_test(test_resync),         hive_test(test_units_unknown),
		hive_test(test_record_blocked), hive_test(test_begun_on_another_base),
		hive_test(test_destroy_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
