/* Going down: at once, whatever is in line, and the next start goes on where this one stopped.
 */
#include "hive_steps.h"

static void test_nothing_to_do(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	assert_true(hive_stop(u, 5));
}

static void test_while_building(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];

	spawn(u, "alice");
	change(u, "alice", "slow to build", commit);
	(void)submit(u, "alice", commit);
	sh(u, "touch hang-build; echo x", out);
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s'}", commit));
	await_state(u, 1, "building");
	assert_true(hive_stop(u, 5));
	sh(u, "rm hang-build; git -C applied/alice/.git tag -l 'failed/*' | wc -l", out);
	assert_string_equal(out, "0");
	hive_crash(u);
	hive_start(u);
	await_state(u, 1, "deployed");
	assert_audit(u);
}

static void test_while_probing(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];

	spawn(u, "alice");
	sh(u,
	   "sed -i 's/\"soak\": *[0-9]*/\"soak\": 500/' proposed/alice/agent.json; "
	   "grep -c '\"soak\": 500' proposed/alice/agent.json",
	   out);
	assert_string_equal(out, "1");
	change(u, "alice", "slow to judge", commit);
	(void)submit(u, "alice", commit);
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s'}", commit));
	for (int i = 0; i < 500; i++) {
		sh(u, "grep -c 'came good' logs/1.log || true", out);
		if (strcmp(out, "1") == 0)
			break;
		usleep(20000);
	}
	assert_true(hive_stop(u, 5));
	sh(u,
	   "git -C applied/alice/.git tag -l '*/1' | grep -vE 'proposal|approved|building' | "
	   "wc -l",
	   out);
	assert_string_equal(out, "0");
}

/* The last operation takes its agent with it: nobody is left to say that all is quiet. */
static void test_while_purging(void **state)
{
	struct hive_unit *u = *state;
	char out[256];
	int fd;

	spawn(u, "alice");
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'alice','wait':true}"));
	sh(u, "touch slow-destroy; echo x", out);
	fd = ask_later(u, "{'cmd':'destroy','name':'alice','purge':true,'confirm':'alice'}");
	usleep(100000);
	assert_true(hive_stop(u, 5));
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_nothing_to_do),
		hive_test(test_while_building),
		hive_test(test_while_probing),
		hive_test(test_while_purging),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
