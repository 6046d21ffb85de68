/* Agents that Nix builds, by what skepd writes and asks for. The builder is played; that Nix
 * takes it is for the tests with Nix. */
#include "hive_crash.h"

#define META "git --git-dir=meta/.git "

static int64_t propose(struct hive_unit *u, const char *agent, const char *text,
		       char commit[256])
{
	change(u, agent, text, commit);
	return submit(u, agent, commit);
}

static void approve(struct hive_unit *u, int64_t id, const char *commit)
{
	hive_do(hive_ask(u, "{'cmd':'approve','id':%lld,'commit':'%s','wait':true}",
			 (long long)id, commit));
}

static void spawn_nix(struct hive_unit *u, const char *name)
{
	hive_do(hive_ask(u, "{'cmd':'spawn','name':'%s','builder':'nix','wait':true}", name));
}

static void assert_out(struct hive_unit *u, const char *script, const char *wanted)
{
	char out[256];

	sh(u, script, out);
	assert_string_equal(out, wanted);
}

static void test_meta(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "plain");
	assert_out(u, META "ls-tree --name-only main | paste -sd,", "README.md,agents.json");
	spawn_nix(u, "alice");
	assert_out(u, META "ls-tree --name-only main | paste -sd,",
		   "README.md,agents.json,flake.lock,flake.nix");
	assert_out(u,
		   META "show --name-only --format=%s main | paste -sd, | tr ' ' _ | sed "
			"'s/deployed.0_[0-9a-f]*/deployed/'",
		   "spawn_alice_deployed,,agents.json,flake.lock,flake.nix");
	assert_out(u, META "show main:flake.nix | grep -c 'agent-.*.url'", "1");
	assert_out(u, META "show main:flake.lock | grep -c narHash || true", "0");
	assert_out(u, META "show main:agents.json | grep -c '^    \"'", "4");
	assert_out(
		u,
		"[ \"$(" META "show main:flake.lock | grep -A6 agent-alice | grep -o "
		"'[0-9a-f]\\{40\\}')\" = \"$(git -C applied/alice/.git rev-parse main)\" ] && "
		"echo same",
		"same");
	assert_out(u, "ls proposed/alice | paste -sd,", "README.md,agent.nix,flake.nix");
	assert_out(u,
		   "git -C applied/alice/.git cat-file tag deployed/0 | grep -c "
		   "'Skep-System: /nix/store/'",
		   "1");
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'alice','confirm':'alice','wait':true}"));
	assert_out(u, META "show main:flake.nix main:flake.lock | grep -c agent-", "1");
	assert_out(u, META "show --name-only --format= main | paste -sd,",
		   "agents.json,flake.lock,flake.nix");
	assert_audit(u);
}

static void test_deploy(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], main[256], out[256];
	int64_t id;

	spawn_nix(u, "alice");
	id = propose(u, "alice", "one", commit);
	approve(u, id, commit);
	assert_state(u, id, "deployed");
	assert_out(u, META "show --numstat --format= main | cut -f3 | paste -sd,",
		   "agents.json,flake.lock");
	assert_out(u, META "for-each-ref refs/skep/candidate | wc -l", "0");
	sh(u, META "rev-parse main", main);
	sh(u, "git -C applied/alice/.git cat-file tag deployed/1 | sed -n 's/^Skep-Meta: //p'",
	   out);
	assert_string_equal(out, main);

	/* a build that fails moves nothing */
	id = propose(u, "alice", "two", commit);
	sh(u, "echo no such attribute > fail-build; echo x", out);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':%lld,'commit':'%s','wait':true}",
			      (long long)id, commit),
		     "build_failed");
	assert_state(u, id, "failed");
	assert_out(u, "rm fail-build; " META "rev-parse main", main);
	assert_out(u, META "for-each-ref refs/skep/candidate | wc -l", "0");
	assert_audit(u);
}

/* The same tree in another commit is the same system: nothing needs to be built for it. */
static void test_memo(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], first[256], second[256];
	int64_t id;

	spawn_nix(u, "alice");
	for (int i = 0; i < 2; i++) {
		id = propose(u, "alice", i ? "two" : "one", commit);
		approve(u, id, commit);
	}
	hive_do(hive_ask(u, "{'cmd':'rollback','name':'alice','to':1,'wait':true}"));
	sh(u,
	   "git -C applied/alice/.git cat-file tag deployed/1 | sed -n 's/^Skep-System: //p'",
	   first);
	sh(u,
	   "git -C applied/alice/.git cat-file tag deployed/2 | sed -n 's/^Skep-System: //p'",
	   second);
	assert_string_not_equal(first, second);
	sh(u,
	   "git -C applied/alice/.git cat-file tag deployed/3 | sed -n 's/^Skep-System: //p'",
	   second);
	assert_string_equal(first, second);
}

static void await_effect(struct hive_unit *u, int64_t id, const char *state)
{
	for (int i = 0; i < 600; i++) {
		json_t *answer =
			hive_must(hive_ask(u, "{'cmd':'effect','id':%lld}", (long long)id));
		const char *now = json_string_value(
			json_object_get(json_object_get(answer, "effect"), "state"));
		bool there = now && strcmp(now, state) == 0;

		json_decref(answer);
		if (there)
			return;
		usleep(50000);
	}
	fail_msg("the preview of %lld is never %s", (long long)id, state);
}

static void test_effect(void **state)
{
	struct hive_unit *u = *state;
	char commit[256];
	int64_t id;

	spawn_nix(u, "alice");
	id = propose(u, "alice", "one", commit);
	await_effect(u, id, "ready");
	assert_out(u, META "for-each-ref refs/skep | wc -l", "0");
	/* of an overlay it is read from the commits */
	spawn(u, "bob");
	change(u, "bob", "x", commit);
	id = submit(u, "bob", commit);
	await_effect(u, id, "ready");
}

/* A fork is a system of its own, of the same commit. */
static void test_fork(void **state)
{
	struct hive_unit *u = *state;

	spawn_nix(u, "alice");
	hive_do(hive_ask(u, "{'cmd':'fork','name':'alice','to':'bob'}"));
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'wait':true}"));
	await_agent(u, "bob", "running");
	assert_out(u, "git -C applied/bob/.git tag -l | paste -sd,", "deployed/0");
	assert_out(u,
		   "[ $(git -C applied/bob/.git rev-parse main) = $(git -C applied/alice/.git "
		   "rev-parse main) ] && echo same",
		   "same");
	assert_out(u, META "show main:flake.lock | grep -c '\"agent-bob\": {'", "1");
	assert_out(
		u,
		"for a in alice bob; do git "
		"-C applied/$a/.git cat-file tag deployed/0 | grep ^Skep-System; done | sort "
		"-u | wc -l",
		"2");
	assert_whole(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_meta, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deploy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_effect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fork, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
