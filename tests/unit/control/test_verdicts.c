/* Proposals and verdicts from the outside: requests on a socket, tags and commits on disk. */
#include "hive_steps.h"

static void test_approve(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];
	json_t *answer;
	int64_t id;

	spawn(u, "alice");
	change(u, "alice", "hello", commit);
	id = submit(u, "alice", commit);
	assert_int_equal(id, 1);
	assert_state(u, id, "needs-review");

	/* the same commit again is the same proposal */
	assert_int_equal(submit(u, "alice", commit), id);

	answer = hive_must(hive_ask(u, "{'cmd':'diff','id':1}"));
	assert_int_equal(json_array_size(
				 json_object_get(json_object_get(answer, "diff"), "files")),
			 1);
	json_decref(answer);

	hive_do(hive_ask(u, "{'cmd':'diff','id':1,'against':0}"));
	hive_refused(hive_ask(u, "{'cmd':'diff','id':1,'against':7}"), "not_found");

	hive_refused(hive_ask(u, "{'cmd':'approve','id':7}"), "not_found");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'comit':'x'}"), "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%040d'}", 0), "stale");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'tree':'%s'}", commit), "stale");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'base':'%s'}", commit), "stale");
	assert_state(u, id, "needs-review");

	answer = hive_must(
		hive_ask(u,
			 "{'cmd':'approve','id':1,'commit':'%s','idem_key':'k1','wait':true}",
			 commit));
	assert_string_equal(hive_text(out, answer, "proposal", "state"), "deployed");
	json_decref(answer);
	answer = hive_must(
		hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','idem_key':'k1'}", commit));
	assert_true(json_is_true(json_object_get(answer, "already")));
	json_decref(answer);
	hive_refused(hive_ask(u, "{'cmd':'deny','id':1,'note':'no'}"), "wrong_state");

	sh(u, "git -C applied/alice/.git rev-parse main", out);
	assert_string_equal(out, commit);
	sh(u, "git -C applied/alice/.git cat-file -t deployed/1", out);
	assert_string_equal(out, "tag");
	sh(u, "git -C applied/alice/.git cat-file -t building/1", out);
	assert_string_equal(out, "commit");
	sh(u, "git -C meta/.git log -1 --format=%s main | cut -d' ' -f3", out);
	assert_string_equal(out, "deployed/1");
	hive_refused(hive_ask(u, "{'cmd':'submit','agent':'alice','commit':'%s'}", commit),
		     "wrong_state");
	assert_audit(u);
}

static void test_submit_refusals(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];

	spawn(u, "alice");
	hive_refused(hive_ask(u, "{'cmd':'submit','agent':'alice','commit':'main'}"),
		     "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'submit','agent':'alice','commit':'HEAD~1'}"),
		     "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'submit','agent':'alice','commit':'abc'}"),
		     "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'submit','agent':'bob','commit':'%040d'}", 1),
		     "not_found");
	hive_refused(hive_ask(u, "{'cmd':'submit','agent':'alice','commit':'%040d'}", 1),
		     "not_found");
	hive_refused(hive_ask(u, "{'cmd':'submit','agent':'alice'}"), "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'submit','agent':'alice','commit':7}"), "bad_request");
	change(u, "alice", "short", commit);
	commit[9] = '\0';
	assert_int_equal(submit(u, "alice", commit), 1);
	sh(u, "git -C applied/alice/.git tag -l 'proposal/*' | wc -l", out);
	assert_string_equal(out, "1");
}

/* Whatever becomes of the agent, everybody who submitted hears of it. */
static void test_submit_while_it_is_destroyed(void **state)
{
	struct hive_unit *u = *state;
	char commit[256];
	int fds[5];

	spawn(u, "alice");
	change(u, "alice", "late", commit);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		_cleanup_free_ char *line = str_format(
			"{\"cmd\":\"submit\",\"agent\":\"alice\",\"commit\":\"%s\"}\n", commit);

		fds[i] = sock_connect(u->socket_path, SOCK_STREAM, NULL);
		assert_true(fds[i] >= 0);
		assert_int_equal(file_write_all(fds[i], line, strlen(line)), 0);
	}
	hive_do(hive_ask(u, "{'cmd':'destroy','name':'alice','wait':true}"));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		struct pollfd p = {.fd = fds[i], .events = POLLIN};

		assert_int_equal(poll(&p, 1, 20000), 1);
		close(fds[i]);
	}
	assert_audit(u);
}

static void test_deny(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];
	json_t *answer;
	int64_t id;

	spawn(u, "alice");
	change(u, "alice", "bad idea", commit);
	id = submit(u, "alice", commit);
	hive_do(hive_ask(u, "{'cmd':'deny','id':%lld,'note':'not like this\\n# really'}",
			 (long long)id));
	answer = hive_must(hive_ask(u, "{'cmd':'deny','id':%lld}", (long long)id));
	assert_true(json_is_true(json_object_get(answer, "already")));
	json_decref(answer);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':%lld}", (long long)id), "wrong_state");
	assert_state(u, id, "denied");
	/* the note is in the tag, line by line, comment characters and all */
	sh(u, "git -C applied/alice/.git cat-file tag denied/1 | grep -c '^# really$'", out);
	assert_string_equal(out, "1");
	assert_audit(u);
}

static void test_superseded_and_stale(void **state)
{
	struct hive_unit *u = *state;
	char first[256], second[256], third[256];

	spawn(u, "alice");
	change(u, "alice", "one", first);
	assert_int_equal(submit(u, "alice", first), 1);
	change(u, "alice", "two", second);
	assert_int_equal(submit(u, "alice", second), 2);
	assert_state(u, 1, "superseded");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1}"), "superseded");

	/* number 3 is proposed while 2 is being built: what it was based on is gone once 2 runs
	 */
	sh(u, "touch hang-build; echo x", third);
	hive_do(hive_ask(u, "{'cmd':'approve','id':2,'commit':'%s'}", second));
	change(u, "alice", "three", third);
	assert_int_equal(submit(u, "alice", third), 3);
	hive_crash(u);
	sh(u, "rm hang-build; echo x", first);
	hive_start(u);
	await_state(u, 2, "deployed");
	assert_state(u, 3, "stale");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':3}"), "stale");
	assert_audit(u);
}

static void test_failed_switch(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256], system[256];
	json_t *answer;

	spawn(u, "alice");
	sh(u, "git -C applied/alice/.git rev-parse 'deployed/0^{tree}'", system);
	change(u, "alice", "breaks", commit);
	(void)submit(u, "alice", commit);
	sh(u, "touch fail-switch", out);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','wait':true}", commit),
		     "deploy_failed");
	assert_state(u, 1, "failed");
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(out, answer, "agent", "state"), "running");
	assert_string_equal(hive_text(out, answer, "agent", "system_running"), system);
	json_decref(answer);
	sh(u, "git -C applied/alice/.git cat-file tag failed/1 | grep -c 'rolled back'", out);
	assert_string_not_equal(out, "0");
	/* what was said on the way, line by line and cleaned */
	sh(u, "grep -x -A2 stopping logs/1.log | tr ' \\n' _,", out);
	assert_string_equal(out, "stopping,no_\\x1b[1mway,of_starting,");
	sh(u, "git -C applied/alice/.git cat-file tag failed/1 | grep -c 'of starting'", out);
	assert_string_equal(out, "1");
	sh(u, "git -C applied/alice/.git rev-parse 'main^{tree}'", out);
	assert_string_equal(out, system);
	assert_audit(u);
}

static void test_failed_probe_and_build(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];
	_cleanup_free_ char *script = NULL;

	spawn(u, "alice");
	sh(u, "sed -i 's/\"grace\": 20/\"grace\": 0/' proposed/alice/agent.json; echo x", out);
	change(u, "alice", "its unit fails", commit);
	(void)submit(u, "alice", commit);
	script = str_format("git -C proposed/alice rev-parse %s^{tree} > bad-system", commit);
	sh(u, script, out);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','wait':true}", commit),
		     "deploy_failed");
	sh(u,
	   "git -C applied/alice/.git cat-file tag failed/1 | grep -c \"unit 'agent.service' "
	   "failed\"",
	   out);
	assert_string_not_equal(out, "0");
	/* what its units said is in the record too, although their container is gone (the
	 * stand-in says the command's name) */
	sh(u, "git -C applied/alice/.git cat-file tag failed/1 | grep -c '^journalctl'", out);
	assert_string_equal(out, "1");

	change(u, "alice", "does not build", commit);
	(void)submit(u, "alice", commit);
	sh(u, "touch fail-build; echo x", out);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':2,'commit':'%s','wait':true}", commit),
		     "build_failed");
	assert_state(u, 2, "failed");
	sh(u, "git -C applied/alice/.git tag -l 'deployed/*' | wc -l", out);
	assert_string_equal(out, "1");
	assert_audit(u);
}

static void test_flags(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];

	spawn(u, "alice");
	sh(u,
	   "cd proposed/alice && head -c 300 /dev/urandom > rootfs/etc/blob && git add -A && "
	   "git commit -qm b && "
	   "git rev-parse HEAD",
	   commit);
	(void)submit(u, "alice", commit);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s'}", commit),
		     "needs_ack");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'flags_ack':['no-such-flag']}"),
		     "bad_request");
	hive_do(hive_ask(u,
			 "{'cmd':'approve','id':1,'commit':'%s','flags_ack':['binary-file'],'"
			 "wait':true}",
			 commit));
	sh(u,
	   "git -C applied/alice/.git cat-file tag approved/1 | grep -c '^Skep-Ack: "
	   "binary-file$'",
	   out);
	assert_string_equal(out, "1");

	sh(u,
	   "cd proposed/alice && ln -s ../../etc/shadow rootfs/../leak && git add -A && git "
	   "commit -qm l && "
	   "git rev-parse HEAD",
	   commit);
	(void)submit(u, "alice", commit);
	hive_refused(
		hive_ask(
			u,
			"{'cmd':'approve','id':2,'commit':'%s','flags_ack':['symlink-escape']}",
			commit),
		"blocked");
	assert_state(u, 2, "needs-review");
}

static void test_rollback(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256], tree[256];
	json_t *answer;

	spawn(u, "alice");
	hive_refused(hive_ask(u, "{'cmd':'rollback','name':'alice'}"), "wrong_state");
	sh(u, "git -C applied/alice/.git rev-parse 'deployed/0^{tree}'", tree);
	change(u, "alice", "forward", commit);
	(void)submit(u, "alice", commit);
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','wait':true}", commit));
	hive_refused(hive_ask(u, "{'cmd':'rollback','name':'alice','to':9}"), "not_found");
	answer = hive_must(hive_ask(u, "{'cmd':'rollback','name':'alice','wait':true}"));
	assert_string_equal(hive_text(out, answer, "proposal", "state"), "deployed");
	assert_string_equal(hive_text(out, answer, "proposal", "tree"), tree);
	json_decref(answer);
	sh(u, "git -C applied/alice/.git rev-parse 'main^{tree}'", out);
	assert_string_equal(out, tree);
	sh(u, "git -C applied/alice/.git rev-parse main~1", out);
	assert_string_equal(out, commit);
	assert_audit(u);
}

static size_t flags_in(const json_t *row)
{
	return json_array_size(json_object_get(row, "flags"));
}

/* A decided proposal is remembered with few of its flags; its record keeps all of them. */
static void test_flags_of_what_is_decided(void **state)
{
	struct hive_unit *u = *state;
	char commit[256];
	json_t *answer;

	spawn(u, "alice");
	sh(u,
	   "cd proposed/alice && for i in 1 2 3; do head -c 300 /dev/urandom > "
	   "rootfs/etc/blob$i; done && git add -A && git commit -qm b && git rev-parse HEAD",
	   commit);
	(void)submit(u, "alice", commit);
	answer = hive_must(hive_ask(u, "{'cmd':'pending'}"));
	assert_int_equal(flags_in(json_array_get(json_object_get(answer, "approvals"), 0)), 3);
	json_decref(answer);
	hive_do(hive_ask(u, "{'cmd':'deny','id':1}"));
	for (int i = 0; i < 2; i++) {
		answer = hive_must(hive_ask(u, "{'cmd':'pending','status':'all'}"));
		assert_int_equal(flags_in(json_array_get(json_object_get(answer, "approvals"),
							 0)),
				 1);
		json_decref(answer);
		answer = hive_must(hive_ask(u, "{'cmd':'proposal','id':1}"));
		assert_int_equal(flags_in(json_object_get(answer, "proposal")), 3);
		json_decref(answer);
		hive_crash(u);
		hive_start(u);
	}
}

/* What an agent has had imported is bounded in all, not only one by one. */
static void test_room_for_submissions(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];

	spawn(u, "alice");
	change(u, "alice", "too much", commit);
	sh(u,
	   "mkdir -p applied/alice/.git/objects/pack && truncate -s 1G "
	   "applied/alice/.git/objects/pack/large && echo x",
	   out);
	hive_refused(hive_ask(u, "{'cmd':'submit','agent':'alice','commit':'%s'}", commit),
		     "too_large");
	sh(u, "rm applied/alice/.git/objects/pack/large; echo x", out);
	assert_int_equal(submit(u, "alice", commit), 1);
}

/* The key of a verdict: the same answer to the same, whatever became of it; never two uses. */
static void test_idem_key(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], other[256];
	json_t *answer;

	spawn(u, "alice");
	change(u, "alice", "one", commit);
	(void)submit(u, "alice", commit);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'idem_key':'a b'}"), "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'idem_key':'\\u200b'}"),
		     "bad_request");
	touch(u, "fail-build");
	hive_refused(
		hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','idem_key':'k','wait':true}",
			 commit),
		"build_failed");
	answer = hive_must(
		hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','idem_key':'k'}", commit));
	assert_true(json_is_true(json_object_get(answer, "already")));
	assert_string_equal(hive_text(other, answer, "proposal", "state"), "failed");
	json_decref(answer);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%040d','idem_key':'k'}", 1),
		     "idem_mismatch");
	hive_refused(hive_ask(u, "{'cmd':'deny','id':1,'idem_key':'k'}"), "idem_mismatch");
	change(u, "alice", "two", other);
	(void)submit(u, "alice", other);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':2,'commit':'%s','idem_key':'k'}",
			      other),
		     "idem_mismatch");
	hive_crash(u);
	hive_start(u);
	hive_refused(hive_ask(u, "{'cmd':'deny','id':2,'idem_key':'k'}"), "idem_mismatch");
	assert_audit(u);
}

/* An approval that comes too late is refused, on time, not at the next full hour. */
static void test_expired(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], out[256];

	spawn(u, "alice");
	change(u, "alice", "late", commit);
	(void)submit(u, "alice", commit);
	sh(u, "echo 604700 > clock; echo x", out);
	assert_state(u, 1, "needs-review");
	sh(u, "echo 604900 > clock; echo x", out);
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s'}", commit), "expired");
	assert_state(u, 1, "cancelled");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s'}", commit), "expired");
	assert_audit(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_approve),
		hive_test(test_submit_refusals),
		hive_test(test_submit_while_it_is_destroyed),
		hive_test(test_deny),
		hive_test(test_superseded_and_stale),
		hive_test(test_failed_switch),
		hive_test(test_failed_probe_and_build),
		hive_test(test_flags),
		hive_test(test_rollback),
		hive_test(test_flags_of_what_is_decided),
		hive_test(test_room_for_submissions),
		hive_test(test_idem_key),
		hive_test(test_expired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
