/* What is not as it should be is told with its field, and put right or left, as the policy
 * says. */
#include "hive_drift.h"

#define OTHER_TREE "dddddddddddddddddddddddddddddddddddddddd"

static void test_none(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer;

	spawn(u, "hm1nd");
	spawn(u, "alice");
	await_look(u);
	answer = hive_must(hive_ask(u, "{'cmd':'drift','names':['alice']}"));
	assert_int_equal(json_array_size(json_object_get(answer, "drift")), 0);
	assert_non_null(json_object_get(answer, "looked_at"));
	assert_null(json_object_get(answer, "problem"));
	json_decref(answer);
	hive_refused(hive_ask(u, "{'cmd':'drift','names':['nobody']}"), "not_found");
	hive_refused(hive_ask(u, "{'cmd':'drift','names':['..']}"), "bad_name");
}

static const struct {
	const char *entry, *field, *row;
} differences[] = {
	{"{'system':'" OTHER_TREE "'}", "system", NULL},
	{"{'spec':{'port':4711}}", "port", "port|8879|4711"},
	{"{'spec':{'network':'private'}}", "network", "network|host|private"},
	{"{'spec':{'label':'bob'}}", "label", "label|alice|bob"},
	{"{'spec':{'dashboard_port':1}}", "dashboard_port", "dashboard_port|7700|1"},
	{"{'spec':{'env':['A=b']}}", "env A", "env A|nothing|b"},
	{"{'spec':{'limits':{'memory_max_bytes':1073741824,'cpu_quota_percent':50,"
	 "'tasks_max':4096}}}",
	 "memory_max", "memory_max|2G|1G"},
	{"{'spec_hash':'0','spec':{'uid_base':1966080}}", "uid_base", NULL},
	{"{'paused':true}", "paused", "paused|no marker|a marker"},
	{"{'restarts':4}", "restarts", "restarts|none|4 in a row"},
	{"{'differs':[{'field':'bind /state','want':'/a','have':'/b'}]}", "bind /state",
	 "bind /state|/a|/b"},
	{"{'differs':[{'field':'listener','want':'x','have':'y'}]}", "listener",
	 "listener|x|y"},
	{"{'differs':[{'field':'socket','want':'x','have':'nothing'}]}", "socket",
	 "socket|x|nothing"},
	/* nobody can be held to a limit that this machine does not enforce */
	{"{'differs':[{'field':'tasks_max','want':'4096','have':'none'}]}", "tasks_max", ""},
	{"{'state':'stopped','exit':'killed'}", "state", "state|running|stopped: killed"},
};

/* Under this policy each is told, and that is all. */
static void test_report(void **state)
{
	struct hive_unit *u = *state;
	char now[256];

	spawn(u, "hm1nd");
	spawn(u, "alice");
	set(u, "reconcile", "report");
	for (size_t i = 0; i < ARRAY_SIZE(differences); i++) {
		const char *row = differences[i].row;

		found(u, "entry-alice", differences[i].entry);
		if (!row) {
			for (int k = 0; k < 500; k++) {
				row_of(u, "alice", differences[i].field, now);
				if (now[0])
					break;
				usleep(20000);
			}
			assert_true(strstr(now, differences[i].field) == now);
		} else if (row[0]) {
			await_row(u, "alice", differences[i].field, row);
		} else {
			await_look(u);
			await_row(u, "alice", differences[i].field, "");
		}
	}
	await_look(u);
	assert_int_equal(ended(u, "heal") + ended(u, "restart") + ended(u, "stop"), 0);
	/* nothing of it was real */
	untouch(u, "entry-alice");
	hive_event(u, "{'event':'files'}");
	await_none(u);
}

/* The number of alice's differences, as measured. */
static int measured(struct hive_unit *u)
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'metrics'}")), *family, *sample;
	int n = -1;
	size_t i;

	json_array_foreach (json_object_get(answer, "metrics"), i, family) {
		if (strcmp(json_string_value(json_object_get(family, "name")),
			   "skep_agent_drift") != 0)
			continue;
		sample = json_array_get(json_object_get(family, "samples"), 0);
		n = (int)json_integer_value(json_object_get(sample, "value"));
	}
	json_decref(answer);
	return n;
}

static void test_metric(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	set(u, "reconcile", "report");
	found(u, "entry-alice", "{'spec':{'label':'bob','port':4711}}");
	await_row(u, "alice", "label", "label|alice|bob");
	assert_int_equal(measured(u), 2);
	untouch(u, "entry-alice");
	hive_event(u, "{'event':'files'}");
	await_none(u);
	assert_int_equal(measured(u), 0);
}

static void test_since(void **state)
{
	struct hive_unit *u = *state;
	char first[256], now[256];
	json_t *before;

	spawn(u, "alice");
	set(u, "reconcile", "report");
	found(u, "entry-alice", "{'spec':{'label':'bob'}}");
	await_row(u, "alice", "label", "label|alice|bob");
	sh(u, "echo 3600 > clock; echo x", now);
	before = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	hive_text(first, before, "agent", "drift");
	json_decref(before);
	assert_string_equal(first, "label");
	found(u, "entry-alice", "{'spec':{'label':'carol'}}");
	await_row(u, "alice", "label", "label|alice|carol");
	{
		json_t *answer = hive_must(hive_ask(u, "{'cmd':'drift'}"));
		json_t *row = json_array_get(json_object_get(answer, "drift"), 0);
		char soon[CLOCK_TEXT_SIZE];

		/* it differs since it differed first, not since it was looked at last */
		assert_true(strcmp(json_string_value(json_object_get(row, "since")),
				   clock_format(soon, clock_wall_s() + 60)) < 0);
		json_decref(answer);
	}
}

/* Each of those that can be is put right by what it takes and no more. */
static void test_apply(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	found(u, "entry-alice", "{'system':'" OTHER_TREE "'}");
	await_ended(u, "heal", 1);
	await_none(u);
	assert_int_equal(ended(u, "restart"), 0);
	sh(u, "echo; ! test -e entry-alice", (char[256]){});
	/* the pause after the first is two seconds */
	usleep(2100000);
	found(u, "entry-alice", "{'spec':{'port':4711}}");
	await_ended(u, "restart", 1);
	await_none(u);
	usleep(4100000);
	found(u, "entry-alice",
	      "{'spec':{'limits':{'memory_max_bytes':1073741824,"
	      "'cpu_quota_percent':50,'tasks_max':4096}}}");
	await_row(u, "alice", "memory_max", "");
	await_none(u);
	assert_int_equal(ended(u, "restart"), 1);
	assert_int_equal(ended(u, "heal"), 1);
}

/* What the next start goes by, and nothing that runs. */
static void test_files(void **state)
{
	struct hive_unit *u = *state;
	char started[256], now[256];

	spawn(u, "alice");
	set(u, "reconcile", "report");
	await_look(u);
	sh(u, "grep -c . starts", started);
	found(u, "entry-alice",
	      "{'differs':[{'field':'conf','want':'x','have':'y'},"
	      "{'field':'conf PRIVATE_NETWORK','want':'0','have':'1'},"
	      "{'field':'profile','want':'x','have':'y'}]}");
	await_row(u, "alice", "conf PRIVATE_NETWORK", "conf PRIVATE_NETWORK|0|1");
	set(u, "reconcile", "apply");
	await_none(u);
	sh(u, "grep -c . starts", now);
	assert_string_equal(now, started);
	assert_int_equal(ended(u, "heal") + ended(u, "restart"), 0);
	/* flags that it runs with are another thing */
	usleep(2100000);
	found(u, "entry-alice", "{'differs':[{'field':'flags','want':'x','have':'y'}]}");
	await_ended(u, "restart", 1);
	await_none(u);
}

/* What comes back at once is not fought without end. */
static void test_pauses(void **state)
{
	struct hive_unit *u = *state;
	int64_t began = clock_boot_ms();
	int most = 1;

	spawn(u, "alice");
	touch(u, "stubborn");
	found(u, "entry-alice", "{'spec':{'label':'bob'}}");
	await_ended(u, "restart", 1);
	for (int i = 0; i < 5; i++)
		await_look(u);
	/* after 2 s, 4 s more, 8 s more: however long the looks took here */
	for (int64_t pause = 2000, at = pause; at <= clock_boot_ms() - began; at += pause *= 2)
		most++;
	assert_in_range(ended(u, "restart"), 1, most);
	await_row(u, "alice", "label", "label|alice|bob");
}

static void test_power(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	set(u, "reconcile", "report");
	touch(u, "dead-alice");
	hive_event(u, "{'event':'container','agent':'alice','state':'failed','exit':'killed'}");
	await_row(u, "alice", "state", "state|running|stopped");
	usleep(1500000);
	await_agent(u, "alice", "stopped");
	assert_int_equal(ended(u, "restart"), 0);
	/* the hive is told otherwise, and does what is owed */
	set(u, "reconcile", "");
	await_agent(u, "alice", "running");
	await_none(u);
	/* one that runs and should not */
	hive_do(hive_ask(u, "{'cmd':'stop','name':'alice','wait':true}"));
	found(u, "entry-alice", "{'state':'running','leader':77}");
	await_ended(u, "stop", 2);
	untouch(u, "entry-alice");
	hive_event(u, "{'event':'files'}");
	await_none(u);
	await_agent(u, "alice", "stopped");
}

/* A restart of the daemon starts nothing that was only to be told of. */
static void test_restart_of_daemon(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	set(u, "reconcile", "report");
	assert_true(hive_stop(u, 5));
	hive_crash(u);
	hive_start(u);
	/* the machine was started as well: the stand-in knows no container any more */
	await_agent(u, "alice", "running");
}

static void test_failed_look(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer;

	spawn(u, "alice");
	set(u, "reconcile", "report");
	found(u, "entry-alice", "{'spec':{'label':'bob'}}");
	await_row(u, "alice", "label", "label|alice|bob");
	set(u, "reconcile", "");
	await_ended(u, "restart", 1);
	await_none(u);
	set(u, "reconcile", "report");
	found(u, "entry-alice", "{'spec':{'label':'bob'}}");
	await_row(u, "alice", "label", "label|alice|bob");
	found(u, "stray", "{'agent':'ghost','state':'running'}");
	await_row(u, "ghost", "agent", "agent|nothing|running");
	touch(u, "fail-inspect");
	untouch(u, "stray");
	found(u, "entry-alice", "{'state':'stopped'}");
	for (int i = 0; i < 500; i++) {
		answer = hive_must(hive_ask(u, "{'cmd':'drift'}"));
		if (json_object_get(answer, "problem"))
			break;
		json_decref(answer);
		usleep(20000);
	}
	assert_non_null(json_object_get(answer, "problem"));
	json_decref(answer);
	await_row(u, "alice", "label", "label|alice|bob");
	await_agent(u, "alice", "running");
	await_row(u, "ghost", "agent", "agent|nothing|running");
	untouch(u, "fail-inspect");
	/* a part that cannot be read is no difference either */
	found(u, "entry-alice", "{'unread':'no such process','spec':{'label':'carol'}}");
	await_look(u);
	await_row(u, "alice", "label", "label|alice|bob");
	untouch(u, "entry-alice");
	hive_event(u, "{'event':'files'}");
	await_none(u);
}

/* The system of a proposal that failed is what runs: healing goes to what is deployed. */
static void test_quarantine(void **state)
{
	struct hive_unit *u = *state;
	char commit[256], tree[256], out[256];

	spawn(u, "alice");
	change(u, "alice", "it fails", commit);
	assert_int_equal(submit(u, "alice", commit), 1);
	sh(u, "git -C applied/alice/.git rev-parse proposal/1^{tree}", tree);
	touch(u, "fail-switch");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':1,'commit':'%s','wait':true}", commit),
		     "deploy_failed");
	{
		_cleanup_free_ char *entry = str_format("{'system':'%s'}", tree);

		found(u, "entry-alice", entry);
	}
	await_ended(u, "heal", 1);
	await_none(u);
	sh(u, "git -C applied/alice/.git tag -l | tr '\\n' ,", out);
	assert_string_equal(out, "approved/1,building/1,deployed/0,failed/1,proposal/1,");
	assert_state(u, 1, "failed");
	/* a failure of the very commit that is wanted: nothing starts it */
	sh(u,
	   "cd applied/alice/.git && git cat-file tag proposal/1 | "
	   "sed \"1,/^$/d; s/^Skep-Commit: .*/Skep-Commit: $(git rev-parse main)/\" >x && "
	   "git tag -a proposal/2 main -F x && git tag -a failed/2 main -m x && rm x && echo x",
	   out);
	assert_true(hive_stop(u, 5));
	hive_crash(u);
	hive_start(u);
	await_row(u, "alice", "quarantine", "quarantine|deployed/0|failed/2");
	await_row(u, "alice", "state", "state|running|stopped");
	usleep(1500000);
	assert_int_equal(ended(u, "restart") + ended(u, "start"), 0);
	/* who asks for it gets it */
	hive_do(hive_ask(u, "{'cmd':'start','name':'alice','wait':true}"));
	await_agent(u, "alice", "running");
}

static void test_stray(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer;

	spawn(u, "alice");
	found(u, "stray", "{'agent':'ghost','state':'running'}");
	await_row(u, "ghost", "agent", "agent|nothing|running");
	answer = hive_must(hive_ask(u, "{'cmd':'drift','names':['ghost']}"));
	assert_int_equal(json_array_size(json_object_get(answer, "drift")), 1);
	json_decref(answer);
	assert_int_equal(ended(u, "stop") + ended(u, "destroy"), 0);
}

/* References that somebody else moved; no word of skep-exec's is needed to see it. */
static void test_references(void **state)
{
	struct hive_unit *u = *state;
	char main[256], out[256];

	spawn(u, "alice");
	set(u, "reconcile", "report");
	sh(u, "git -C applied/alice/.git rev-parse main", main);
	await_look(u);
	sh(u,
	   "cd applied/alice/.git && c=$(git commit-tree -m x main^{tree}) && "
	   "git update-ref refs/heads/main $c && echo x",
	   out);
	for (int i = 0; i < 500 && count_rows(u) == 0; i++)
		usleep(20000);
	row_of(u, "alice", "main", out);
	assert_int_equal(strncmp(out, "main|", 5), 0);
	assert_int_equal(strncmp(out + 5, main, 40), 0);
	set(u, "reconcile", "apply");
	await_none(u);
	sh(u, "git -C applied/alice/.git rev-parse main", out);
	assert_string_equal(out, main);
	sh(u,
	   "cd meta/.git && c=$(git commit-tree -m x main^{tree}) && "
	   "git update-ref refs/heads/main $c && echo $c",
	   out);
	for (int i = 0; i < 500 && count_rows(u) == 0; i++)
		usleep(20000);
	row_of(u, "meta", "main", main);
	assert_non_null(strstr(main, out));
}

static void test_events(void **state)
{
	struct hive_unit *u = *state;
	char line[4096];
	FILE *f;
	int fd;

	spawn(u, "alice");
	set(u, "reconcile", "report");
	fd = ask_later(u, "{'cmd':'subscribe_agent_status','kinds':['drift'],"
			  "'snapshot':true}");
	f = fdopen(fd, "r");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_non_null(strstr(line, "\"drift\":[]"));
	found(u, "entry-alice", "{'spec':{'label':'bob'}}");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_non_null(strstr(line, "\"events\":[{\"kind\":\"drift\",\"agent\":\"alice\","
				     "\"field\":\"label\",\"want\":\"alice\",\"have\":\"bob\","
				     "\"since\":\""));
	untouch(u, "entry-alice");
	hive_event(u, "{'event':'files'}");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_non_null(strstr(line, "\"kind\":\"drift_resolved\",\"agent\":\"alice\""));
	(void)fclose(f);
}

static void test_setting(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer;
	char out[256];

	spawn(u, "alice");
	hive_refused(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'reconcile':'x'}}"),
		     "bad_request");
	set(u, "reconcile", "report");
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(out, answer, "agent", "reconcile"), "report");
	json_decref(answer);
	sh(u, "git -C meta/.git show main:agents.json | grep -c '\"reconcile\": \"report\"'",
	   out);
	assert_string_equal(out, "1");
	set(u, "reconcile", "");
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));
	assert_string_equal(hive_text(out, answer, "agent", "reconcile"), "apply");
	json_decref(answer);
	sh(u, "git -C meta/.git show main:agents.json | grep -c '\"reconcile\"' || true", out);
	assert_string_equal(out, "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_none),
		hive_test(test_report),
		hive_test(test_since),
		hive_test(test_metric),
		hive_test(test_apply),
		hive_test(test_files),
		hive_test(test_pauses),
		hive_test(test_power),
		hive_test(test_restart_of_daemon),
		hive_test(test_failed_look),
		hive_test(test_quarantine),
		hive_test(test_stray),
		hive_test(test_references),
		hive_test(test_events),
		hive_test(test_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
