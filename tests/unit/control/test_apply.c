/* Declared hives: what is planned, what is applied, and that a generation holds whole or leaves
 * everything as it was. */
#include "hive_apply.h"

#define THREE                                                                     \
	"{'version':1,'hive':'prod','source':'git abc','agents':{'alice':{" QUIET \
	",'limits':{'memory_max':'512M'},'labels':{'team':'red'}},'bob':{" QUIET  \
	",'parent':'alice'},'carol':{" QUIET ",'desired':'stopped'}}}"

#define CHANGED                                                                 \
	"{'version':1,'hive':'prod','agents':{'alice':{" QUIET                  \
	",'limits':{'memory_max':'1G'},'labels':{'team':'blue'}},'bob':{" QUIET \
	",'parent':'alice','network':'private','paused':true},'carol':{" QUIET  \
	",'desired':'running'},'dave':{" QUIET "}}}"

static void count_commits(struct hive_unit *u, char out[256])
{
	sh(u, "git -C meta/.git rev-list --count main", out);
}

static void test_three(void **state)
{
	struct hive_unit *u = *state;
	char before[256], after[256];

	assert_plan(u, THREE, false, "3 0 0 0 0");
	count_commits(u, before);
	hive_do(apply(u, THREE, false));
	count_commits(u, after);
	assert_int_equal(atoi(after), atoi(before) + 1);
	sh(u,
	   "git -C meta/.git log -1 --format=%B main | grep -cE '^apply prod generation "
	   "1$|^Skep-Hive: prod$|^Skep-Generation: 1$|^Skep-Source: git abc$|^Skep-Actor: "
	   "uid|^Skep-Document: [0-9a-f]{64}$'",
	   after);
	assert_string_equal(after, "6");
	sh(u, "git -C meta/.git for-each-ref refs/skep/generation | wc -l", after);
	assert_string_equal(after, "0");
	await_agent(u, "alice", "running");
	await_agent(u, "carol", "stopped");
	assert_plan(u, THREE, false, "0 0 0 0 3");

	/* nothing to do is nothing in the record */
	count_commits(u, before);
	hive_do(apply(u, THREE, false));
	count_commits(u, after);
	assert_string_equal(after, before);
	assert_audit(u);
}

static void test_change(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer, *changes, *fields;
	char out[256];

	hive_do(apply(u, THREE, false));
	answer = hive_must(plan(u, CHANGED, false));
	changes = json_object_get(json_object_get(answer, "plan"), "changes");
	fields = json_object_get(json_array_get(changes, 0), "fields");
	assert_string_equal(json_string_value(
				    json_object_get(json_array_get(fields, 0), "field")),
			    "memory_max");
	assert_string_equal(json_string_value(
				    json_object_get(json_array_get(fields, 0), "from")),
			    "512M");
	assert_string_equal(json_string_value(json_object_get(json_array_get(fields, 0), "to")),
			    "1G");
	assert_int_equal(json_array_size(fields), 2);
	json_decref(answer);
	hive_do(apply(u, CHANGED, false));
	assert_plan(u, CHANGED, false, "0 0 0 0 4");
	await_agent(u, "carol", "running");
	await_agent(u, "dave", "running");
	sh(u, "grep -c bob starts", out); /* another network is another start */
	assert_string_equal(out, "2");
	sh(u, "grep -c alice starts", out); /* limits are not */
	assert_string_equal(out, "1");
	sh(u, "ls paused-bob", out);
	assert_string_equal(out, "paused-bob");
	/* what is not declared any more is as without `set` */
	hive_do(apply(u,
		      "{'version':1,'hive':'prod','agents':{'alice':{},'bob':{},'carol':{},"
		      "'dave':{}}}",
		      false));
	sh(u, "git -C meta/.git show main:agents.json | grep -c memory_max || true", out);
	assert_string_equal(out, "0");
}

/* Whatever fails, nothing of it stays. */
static void test_all_or_nothing(void **state)
{
	static const char *const faults[] = {"fail-start-dave", "fail-seed-dave",
					     "fail-limits",     "fail-start-bob",
					     "fail-pause",      "fail-stop-bob"};
	struct hive_unit *u = *state;
	char before[256], after[256];

	hive_do(apply(u, THREE, false));
	recorded(u, before);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		json_t *answer;

		touch(u, faults[i]);
		answer = apply(u, CHANGED, false);
		untouch(u, faults[i]);
		assert_false(json_is_true(json_object_get(answer, "ok")));
		assert_non_null(strstr(json_string_value(json_object_get(answer, "error")),
				       "generation 2 of 'prod' does not hold"));
		json_decref(answer);
		assert_string_equal(recorded(u, after), before);
		hive_refused(hive_ask(u, "{'cmd':'agent','name':'dave'}"), "not_found");
		/* nobody is held any longer */
		hive_do(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'label.team':"
				    "'red'}}"));
		await_agent(u, "alice", "running");
	}
	hive_do(hive_ask(u, "{'cmd':'start','name':'bob','wait':true}"));
	hive_do(apply(u, CHANGED, false));
	assert_plan(u, CHANGED, false, "0 0 0 0 4");
	assert_audit(u);
}

static void test_prune(void **state)
{
	static const char fewer[] =
		"{'version':1,'hive':'prod','agents':{'alice':{" QUIET "}}}";
	struct hive_unit *u = *state;
	char before[256], after[256];

	spawn(u, "mine");
	hive_do(apply(u, THREE, false));
	hive_do(apply(u, "{'version':1,'hive':'other','agents':{'theirs':{" QUIET "}}}",
		      false));
	assert_plan(u, fewer, false, "0 1 0 2 0");
	assert_plan(u, fewer, true, "0 1 2 0 0");
	hive_do(apply(u, fewer, false));
	assert_plan(u, fewer, false, "0 0 0 2 1");
	count_commits(u, before);
	hive_do(apply(u, fewer, true));
	count_commits(u, after);
	assert_int_equal(atoi(after), atoi(before) + 1);
	assert_plan(u, fewer, true, "0 0 0 0 1");
	hive_refused(hive_ask(u, "{'cmd':'agent','name':'bob'}"), "not_found");
	await_agent(u, "mine", "running");
	await_agent(u, "theirs", "running");
	/* its state was kept: it comes back with its port */
	sh(u, "git -C meta/.git show main:agents.json | grep -c '\"carol\": {\"port\"'", after);
	assert_string_equal(after, "1");
	hive_do(apply(u, THREE, false));
	assert_plan(u, THREE, false, "0 0 0 0 3");
	assert_audit(u);
}

static void test_refusals(void **state)
{
	static const char one[] = "{'version':1,'hive':'prod','agents':{'alice':{}}}";
	struct hive_unit *u = *state;
	static const struct {
		const char *document, *code, *said;
	} cases[] = {
		{"[]", "bad_request", "must be an object"},
		{"{'version':2}", "bad_request", "version"},
		{"{'version':1,'hive':'p','agents':{'alice':{'limits':{'memory_max':'1Q'}}}}",
		 "bad_request", "agent 'alice': 'limits.memory_max'"},
		{"{'version':1,'hive':'p','agents':{'alice':{'image':'x'}}}", "not_found",
		 "agent 'alice': there is no image 'x'"},
		{"{'version':1,'hive':'p','agents':{'new':{'parent':'nobody'}}}", "not_found",
		 "'new': no agent 'nobody' to be a parent"},
		{"{'version':1,'hive':'p','agents':{'a':{'parent':'b'},'b':{'parent':'a'}}}",
		 "bad_request", "would be its own ancestor"},
		{"{'version':1,'hive':'p','agents':{'x':{'image':'i'}},'images':{'i':{'files':"
		 "[{'path':'../x','data':''}]}}}",
		 "bad_request", "image 'i': '../x' is no path"},
		{"{'version':1,'hive':'other','agents':{'alice':{}}}", "exists",
		 "'alice': it belongs to the declared hive 'prod'"},
		{"{'version':1,'hive':'prod','agents':{'alice':{'image':'i'}},'images':{'i':{"
		 "'builder':'nix'}}}",
		 "exists", "its image is for the builder nix"},
	};
	json_t *answer;

	hive_do(apply(u, one, false));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_says(plan(u, cases[i].document, false), cases[i].code, cases[i].said);
	assert_says(take_answer(send_document(u, "{'cmd':'plan'}", sealed(one, 0))),
		    "bad_request", "sealed memory");
	assert_says(take_answer(send_document(u, "{'cmd':'plan'}",
					      open("/dev/null", O_RDONLY | O_CLOEXEC))),
		    "bad_request", "sealed memory");
	assert_says(hive_ask(u, "{'cmd':'plan'}"), "bad_request", "1 descriptor");
	assert_says(take_answer(send_document(u, "{'cmd':'apply'}", sealed(one, SEALS))),
		    "bad_request", "'meta' is missing");
	/* somebody was quicker */
	answer = take_answer(send_document(
		u, "{'cmd':'apply','meta':'0123456789012345678901234567890123456789'}",
		sealed(one, SEALS)));
	assert_says(answer, "stale", "has changed since");
}

/* While one is on its way its agents are nobody else's, and there is no second one. */
static void test_meanwhile(void **state)
{
	struct hive_unit *u = *state;
	char after[256];
	int fd;

	hive_do(apply(u, THREE, false));
	spawn(u, "else");
	touch(u, "hang-seed");
	fd = apply_later(u, CHANGED, false);
	for (int i = 0; i < 250; i++) {
		json_t *answer =
			hive_ask(u, "{'cmd':'set','name':'alice','settings':{'label.x':'y'}}");
		bool busy = !json_is_true(json_object_get(answer, "ok"));

		if (busy) {
			assert_says(answer, "wrong_state", "part of a generation");
			break;
		}
		json_decref(answer);
		usleep(20000);
	}
	hive_refused(hive_ask(u, "{'cmd':'destroy','name':'bob'}"), "wrong_state");
	hive_refused(hive_ask(u, "{'cmd':'stop','name':'carol'}"), "wrong_state");
	hive_refused(apply(u, "{'version':1,'hive':'q','agents':{'zoe':{}}}", false), "busy");
	/* others are not its business, and nothing of it is recorded with them */
	hive_do(hive_ask(u, "{'cmd':'set','name':'else','settings':{'label.x':'y'}}"));
	sh(u, "git -C meta/.git show main:agents.json | grep -c dave || true", after);
	assert_string_equal(after, "0");
	untouch(u, "hang-seed");
	hive_crash(u);
	json_decref(take_answer(fd));
	hive_start(u);
	await_settled(u);
	await_agent(u, "alice", "running");
	assert_plan(u, CHANGED, false, "1 3 0 0 0");
	hive_do(apply(u, CHANGED, false));
}

/* Wherever it dies, the next start has the one or the other whole. */
static void test_crash(void **state)
{
	static const struct {
		const char *point;
		bool is_new;
	} points[] = {
		{"generation-begun", false},   {"seeded", false},
		{"generation-created", false}, {"generation-changed", false},
		{"generation-held", false},    {"generation-recorded", true},
	};
	static const char next[] = "{'version':1,'hive':'prod','agents':{'alice':{" QUIET
				   ",'limits':{'memory_max':'1G'}},'bob':{" QUIET
				   ",'network':'private'},'dave':{" QUIET "}}}";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		struct hive_unit u;
		char before[256], after[256];
		int fd;

		hive_up(&u);
		hive_do(apply(&u, THREE, false));
		recorded(&u, before);
		arm(&u, points[i].point);
		fd = apply_later(&u, next, true);
		json_decref(take_answer(fd));
		restart_after(&u, points[i].point);
		await_agent(&u, "alice", "running");
		await_settled(&u);
		if (!points[i].is_new) {
			assert_string_equal(recorded(&u, after), before);
			assert_plan(&u, THREE, true, "0 0 0 0 3");
			hive_refused(hive_ask(&u, "{'cmd':'agent','name':'dave'}"),
				     "not_found");
			hive_do(apply(&u, next, true));
		}
		assert_plan(&u, next, true, "0 0 0 0 3");
		await_agent(&u, "dave", "running");
		hive_refused(hive_ask(&u, "{'cmd':'agent','name':'carol'}"), "not_found");
		assert_whole(&u);
		hive_down(&u);
	}
}

/* An image is what its agents begin with. */
static void test_image(void **state)
{
	struct hive_unit *u = *state;
	char out[256];

	hive_do(apply(u,
		      "{'version':1,'hive':'p','agents':{'web':{'image':'i'," QUIET
		      "}},'images':{'i':{'builder':'overlay','files':[{'path':'rootfs/etc/who',"
		      "'data':'I am @NAME@'},{'path':'rootfs/bin/x','data':'x','executable':"
		      "true},{'path':'rootfs/etc/l','data':'who','symlink':true}]}}}",
		      false));
	sh(u, "git -C applied/web/.git show main:rootfs/etc/who | tr -d ' '", out);
	assert_string_equal(out, "Iamweb");
	sh(u, "git -C applied/web/.git ls-tree -r main | cut -d' ' -f1 | sort | paste -sd,",
	   out);
	assert_string_equal(out, "100644,100755,120000");
}

/* What could not be put back is tried again by the next start, and nothing that somebody made
 * meanwhile. */
static void test_left_behind(void **state)
{
	struct hive_unit *u = *state;
	char out[256];

	hive_do(apply(u, THREE, false));
	touch(u, "fail-limits");
	hive_refused(apply(u, CHANGED, false), "storage");
	untouch(u, "fail-limits");
	sh(u, "git -C meta/.git for-each-ref refs/skep/generation | wc -l", out);
	assert_string_equal(out, "1");
	spawn(u, "dave");
	hive_crash(u);
	hive_start(u);
	await_settled(u);
	await_agent(u, "dave", "running");
	await_agent(u, "alice", "running");
	assert_plan(u, THREE, false, "0 0 0 0 3");
}

/* Two that Nix builds are one generation as well, with one lock of both. */
static void test_nix(void **state)
{
	static const char two[] =
		"{'version':1,'hive':'p','agents':{'one':{'image':'n'," QUIET
		"},'two':{'image':'n'," QUIET "}},'images':{'n':{'builder':'nix','files':["
		"{'path':'agent.nix','data':'{ description = x; }'}]}}}";
	struct hive_unit *u = *state;
	char before[256], out[256];

	touch(u, "fail-start-two");
	hive_refused(apply(u, two, false), "deploy_failed");
	untouch(u, "fail-start-two");
	sh(u, "git -C meta/.git show main:agents.json | grep -c builder || true", out);
	assert_string_equal(out, "0");
	count_commits(u, before);
	hive_do(apply(u, two, false));
	count_commits(u, out);
	assert_int_equal(atoi(out), atoi(before) + 1);
	sh(u, "git -C meta/.git show main:flake.nix | grep -c 'agent-.*.url'", out);
	assert_string_equal(out, "2");
	sh(u,
	   "git -C meta/.git show main:flake.lock | grep -oE 'agent-(one|two)' | sort -u | wc "
	   "-l",
	   out);
	assert_string_equal(out, "2");
	sh(u, "git -C applied/two/.git ls-tree --name-only main | paste -sd,", out);
	assert_string_equal(out, "README.md,agent.nix,flake.nix");
	sh(u, "git -C applied/two/.git show main:agent.nix | grep -c 'description = x'", out);
	assert_string_equal(out, "1");
	assert_plan(u, two, false, "0 0 0 0 2");
	assert_audit(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_three),          hive_test(test_change),
		hive_test(test_all_or_nothing), hive_test(test_prune),
		hive_test(test_refusals),       hive_test(test_meanwhile),
		hive_test(test_image),          hive_test(test_nix),
		hive_test(test_left_behind),    cmocka_unit_test(test_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
