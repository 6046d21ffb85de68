/* An agent's life from the outside: spawn, power, restart and recovery, destroy, rights. */
#include "hive_steps.h"

#include "wire/verb.h"

static void test_spawn(void **state)
{
	struct hive_unit *u = *state;
	char out[256], proposed[256];
	json_t *answer;

	hive_refused(hive_ask(u, "{'cmd':'spawn','name':'../x'}"), "bad_name");
	hive_refused(hive_ask(u, "{'cmd':'spawn','name':'a b'}"), "bad_name");
	hive_refused(hive_ask(u, "{'cmd':'spawn','name':'x','drvier':'nspawn'}"),
		     "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'spawn','name':'x','driver':'lxd'}"), "unsupported");
	hive_refused(hive_ask(u, "{'cmd':'spawn','name':'x','memory_max':'2 potatoes'}"),
		     "bad_request");
	answer = hive_must(hive_ask(u, "{'cmd':'list'}"));
	assert_int_equal(json_array_size(json_object_get(answer, "agents")), 0);
	json_decref(answer);

	spawn(u, "alice");
	hive_refused(hive_ask(u, "{'cmd':'spawn','name':'alice'}"), "exists");
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(out, answer, "agent", "state"), "running");
	assert_string_equal(hive_text(out, answer, "agent", "container"), "h-alice");
	assert_string_equal(hive_text(out, answer, "agent", "parent"), "hm1nd");
	assert_int_equal(json_integer_value(
				 json_object_get(json_object_get(answer, "agent"), "port")),
			 8879);
	json_decref(answer);

	/* both repositories hold the same first commit, and the record says so */
	sh(u, "git -C applied/alice/.git rev-parse 'deployed/0^{commit}'", out);
	sh(u, "git -C proposed/alice rev-parse HEAD", proposed);
	assert_string_equal(out, proposed);
	sh(u, "git -C applied/alice/.git rev-parse main", proposed);
	assert_string_equal(out, proposed);
	sh(u, "git -C proposed/alice remote get-url applied", out);
	assert_string_equal(out, "/applied/alice/.git");
	sh(u,
	   "git -C applied/alice/.git fsck --strict >&2 && git -C meta/.git fsck --strict >&2; "
	   "echo good",
	   out);
	assert_string_equal(out, "good");
	sh(u, "git -C meta/.git show main:agents.json | grep -c '\"alice\"'", out);
	assert_string_equal(out, "1");
	assert_audit(u);
}

/* Adopting is a spawn that asks for the container before anything is made. */
static void test_adopt(void **state)
{
	struct hive_unit *u = *state;
	char out[256];

	hive_refused(hive_ask(u, "{'cmd':'adopt','name':'alice','builder':'overlay'}"),
		     "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'adopt','name':'alice','driver':'nspawn'}"),
		     "bad_request");
	sh(u, "touch no-container", out);
	hive_refused(hive_ask(u, "{'cmd':'adopt','name':'alice','wait':true}"), "not_found");
	hive_refused(hive_ask(u, "{'cmd':'agent','name':'alice'}"), "not_found");
	sh(u, "test ! -e applied/alice && echo nothing", out);
	assert_string_equal(out, "nothing");
}

static void test_restart(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];
	_cleanup_free_ char *before = NULL, *after = NULL;
	json_t *answer;

	spawn(u, "alice");
	change(u, "alice", "kept", commit);
	(void)submit(u, "alice", commit);
	hive_do(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'memory_max':'512M','"
			    "label.team':'red'}}"));
	answer = hive_must(hive_ask(u, "{'cmd':'pending'}"));
	before = json_line(answer);
	json_decref(answer);
	hive_crash(u);
	hive_start(u);
	answer = hive_must(hive_ask(u, "{'cmd':'pending'}"));
	after = json_line(answer);
	json_decref(answer);
	assert_string_equal(before, after);
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(json_object_get(answer, "agent"), "limits"),
				    "memory_max")),
			    "512M");
	json_decref(answer);
	assert_audit(u);

	/* an approval whose build never ended is built by the next start, once */
	sh(u, "touch hang-build; echo x", out);
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s'}", commit));
	hive_crash(u);
	sh(u, "rm hang-build; echo x", out);
	hive_start(u);
	await_state(u, 1, "deployed");
	sh(u, "git -C applied/alice/.git tag -l '*/1' | wc -l", out);
	assert_string_equal(out, "4");
	assert_audit(u);
}

static void test_recovery_rolls_forward(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], first[256], out[256];
	_cleanup_free_ char *script = NULL;

	spawn(u, "alice");
	sh(u, "git -C applied/alice/.git rev-parse main", first);
	change(u, "alice", "forward", commit);
	(void)submit(u, "alice", commit);
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','wait':true}", commit));
	hive_crash(u);
	/* as a crash right after the commit point leaves it: the tag is there, main and meta
	 * are not, a lock is */
	script = str_format("git -C applied/alice/.git update-ref refs/heads/main %s && "
			    "git -C meta/.git update-ref refs/heads/main main~1 && "
			    "touch applied/alice/.git/refs/heads/main.lock; echo x",
			    first);
	sh(u, script, out);
	hive_start(u);
	sh(u, "git -C applied/alice/.git rev-parse main", out);
	assert_string_equal(out, commit);
	sh(u, "git -C meta/.git show main:agents.json | grep -c '\"deployed\": 1'", out);
	assert_string_equal(out, "1");
	sh(u, "find . -name '*.lock' | wc -l", out);
	assert_string_equal(out, "0");
	assert_audit(u);
}

static void test_destroy_and_purge(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];

	spawn(u, "hm1nd");
	spawn(u, "alice");
	hive_refused(hive_ask(u, "{'cmd':'destroy','name':'hm1nd'}"), "wrong_state");
	change(u, "alice", "one", commit);
	(void)submit(u, "alice", commit);
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'alice','wait':true}"));
	hive_refused(hive_ask(u, "{'cmd':'agent','name':'alice'}"), "not_found");
	sh(u, "git -C applied/alice/.git cat-file -t cancelled/1", out);
	assert_string_equal(out, "tag");

	/* the same name again is the same agent */
	spawn(u, "alice");
	sh(u, "git -C applied/alice/.git tag -l 'deployed/*' | wc -l", out);
	assert_string_equal(out, "1");

	hive_refused(hive_ask(u, "{'cmd':'destroy','name':'alice','purge':true}"),
		     "bad_request");
	hive_do(hive_ask(
		u,
		"{'cmd':'destroy','name':'alice','purge':true,'confirm':'alice','wait':true}"));
	sh(u, "ls applied proposed | grep -c alice || true", out);
	assert_string_equal(out, "0");
	assert_audit(u);
	hive_crash(u);
	hive_start(u);
	assert_audit(u);

	/* no number comes back */
	spawn(u, "alice");
	change(u, "alice", "two", commit);
	assert_int_equal(submit(u, "alice", commit), 2);
	assert_audit(u);
}

static void test_scopes_and_power(void **state)
{
	struct hive_unit *u = *state;
	char out[256], commit[256];
	json_t *answer;

	spawn(u, "alice");
	spawn(u, "bob");
	hive_refused(hive_ask(u, "{'cmd':'stop','scope':{}}"), "empty_scope");
	hive_refused(hive_ask(u, "{'cmd':'stop','scope':{'matrix':true}}"), "unsupported");
	hive_refused(hive_ask(u, "{'cmd':'stop','scope':{'agent_names':['alice','nobody']},'"
				 "wait':true}"),
		     "not_found");
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(out, answer, "agent", "state"), "running");
	json_decref(answer);
	hive_do(hive_ask(u, "{'cmd':'stop','scope':{'agent_names':['alice']},'wait':true}"));
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(out, answer, "agent", "state"), "stopped");
	assert_string_equal(hive_text(out, answer, "agent", "desired"), "stopped");
	json_decref(answer);

	/* a deploy needs it running for a while, and leaves it as it is wanted */
	change(u, "alice", "while it is stopped", commit);
	(void)submit(u, "alice", commit);
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','wait':true}", commit));
	assert_state(u, 1, "deployed");
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(out, answer, "agent", "state"), "stopped");
	json_decref(answer);

	hive_do(hive_ask(u, "{'cmd':'start','scope':{'agents':true},'wait':true}"));
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(out, answer, "agent", "state"), "running");
	json_decref(answer);
	hive_refused(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'memory_max':'1'}}"),
		     "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'colour':'red'}}"),
		     "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'set_parent','child':'alice','new_parent':'alice'}"),
		     "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'send','to':'alice'}"), "unknown_cmd");
}

static void test_agent_sockets(void **state)
{
	struct hive_unit *u = *state;
	const struct verb *table = verb_table();
	static const struct {
		const char *agent;
		enum principal who;
	} cases[] = {{"hm1nd", PRINCIPAL_MANAGER}, {"alice", PRINCIPAL_AGENT}};
	char commit[256];

	spawn(u, "hm1nd");
	spawn(u, "alice");
	spawn(u, "bob");
	change(u, "bob", "not yours", commit);
	(void)submit(u, "bob", commit);
	/* the stand-in's agents have the range of whoever runs the test, so the peer check is
	 * what answers */
	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		_cleanup_free_ char *path = str_format("%s/%s.sock", u->dir, cases[c].agent);
		json_t *answer = hive_ask_on(path, "{\"cmd\":\"whoami\"}");

		hive_refused(answer, "forbidden");
	}
	for (int v = 0; v < VERB_COUNT; v++) {
		bool verdict = v == VERB_APPROVE || v == VERB_DENY || v == VERB_ROLLBACK ||
			       v == VERB_EXEC || v == VERB_SHELL || v == VERB_SPAWN ||
			       v == VERB_DESTROY || v == VERB_SET;

		assert_int_equal(table[v].id, v);
		if (verdict)
			assert_false(table[v].allowed &
				     (PRINCIPAL_READER | PRINCIPAL_MANAGER | PRINCIPAL_AGENT));
		if (table[v].mutates)
			assert_false(table[v].allowed & PRINCIPAL_READER);
		for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
			_cleanup_free_ char *line =
				str_format("{\"cmd\":\"%s\"}", table[v].name);
			const struct verb *verb = NULL;
			json_t *request = NULL;
			struct error err = {};
			int r = verb_parse_request(line, strlen(line), cases[c].who, &request,
						   &verb, &err);

			assert_int_equal(r, table[v].allowed & cases[c].who ? 0 : -EACCES);
			json_decref(request);
		}
	}
}

/* One of several that could not be started is named. */
static void test_scope_names_who(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer;
	char out[256];

	spawn(u, "alice");
	spawn(u, "bob");
	hive_do(hive_ask(u,
			 "{'cmd':'stop','scope':{'agent_names':['alice','bob']},'wait':true}"));
	sh(u, "touch meta/.git/refs/heads/main.lock; echo x", out);
	answer = hive_ask(u, "{'cmd':'start','scope':{'agent_names':['alice','bob']}}");
	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_non_null(strstr(json_string_value(json_object_get(answer, "error")), "alice: "));
	json_decref(answer);
	untouch(u, "meta/.git/refs/heads/main.lock");
	hive_do(hive_ask(u, "{'cmd':'start','name':'bob','wait':true}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_spawn),
		hive_test(test_restart),
		hive_test(test_recovery_rolls_forward),
		hive_test(test_adopt),
		hive_test(test_destroy_and_purge),
		hive_test(test_scopes_and_power),
		hive_test(test_agent_sockets),
		hive_test(test_scope_names_who),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
