/* Each command against a daemon from a table: the exact request it sends and what it prints of
 * the answer. */

#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

#define OK "{\"version\":1,\"ok\":true}"
#define ROW                                                                                   \
	"{\"id\":3,\"agent\":\"alice\",\"kind\":\"apply_commit\",\"commit_ref\":"             \
	"\"1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c\","                                       \
	"\"requested_at\":\"2026-09-12T09:15:00Z\",\"status\":\"pending\",\"state\":\"needs-" \
	"review\",\"title\":\"say hello\","                                                   \
	"\"tree\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"base\":"                     \
	"\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\",\"flags\":[]}"
#define COMMIT "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c"

struct request_case {
	const char *argv[10];
	const char *answer;
	const char *request;
	const char *out; /* NULL: not looked at */
	int status;
};

static const struct request_case cases[] = {
	{{"status", "--json"},
	 "{\"version\":1,\"ok\":true,\"status\":{\"mode\":\"standalone\"}}",
	 "{\"cmd\":\"status\"}",
	 "{\"mode\":\"standalone\"}\n",
	 0},
	{{"list", "--plain"},
	 "{\"version\":1,\"ok\":true,\"agent_statuses\":[{\"name\":\"alice\",\"running\":true,"
	 "\"failed\":false,"
	 "\"deployed_sha\":\"1f2e3d4c5b6a\",\"open_proposal\":3,\"status_text\":\"indexing\"},"
	 "{\"name\":\"bob\",\"running\":false,\"failed\":true,\"parent\":\"hm1nd\"}]}",
	 "{\"cmd\":\"agent_status\"}",
	 "alice\trunning\t1f2e3d4c5b6a\t3\t-\tindexing\nbob\tfailed\t-\t-\thm1nd\t-\n",
	 0},
	{{"list", "--json"},
	 "{\"version\":1,\"ok\":true,\"agent_statuses\":[]}",
	 "{\"cmd\":\"agent_status\"}",
	 "[]\n",
	 0},
	{{"list"},
	 "{\"version\":1,\"ok\":true,\"agent_statuses\":[]}",
	 "{\"cmd\":\"agent_status\"}",
	 "",
	 0},
	{{"show", "alice", "--json"},
	 "{\"version\":1,\"ok\":true,\"agent\":{\"name\":\"alice\"}}",
	 "{\"cmd\":\"agent\",\"name\":\"alice\"}",
	 "{\"name\":\"alice\"}\n",
	 0},
	{{"spawn", "alice", "--no-wait"}, OK, "{\"cmd\":\"spawn\",\"name\":\"alice\"}", "", 0},
	{{"spawn", "alice", "--driver", "nspawn", "--label=team=red", "--label",
	  "tier=", "--network", "private"},
	 OK,
	 "{\"cmd\":\"spawn\",\"name\":\"alice\",\"driver\":\"nspawn\",\"network\":\"private\","
	 "\"labels\":{\"team\":\"red\","
	 "\"tier\":\"\"},\"wait\":true}",
	 "",
	 0},
	{{"spawn", "alice", "--memory-max", "2G", "--cpu-quota=50%", "--tasks-max", "100",
	  "--builder", "overlay"},
	 OK,
	 "{\"cmd\":\"spawn\",\"name\":\"alice\",\"builder\":\"overlay\",\"memory_max\":\"2G\","
	 "\"cpu_quota\":\"50%\","
	 "\"tasks_max\":\"100\",\"wait\":true}",
	 "",
	 0},
	{{"adopt", "alice", "--builder", "nix", "--label", "team=red"},
	 OK,
	 "{\"cmd\":\"adopt\",\"name\":\"alice\",\"builder\":\"nix\","
	 "\"labels\":{\"team\":\"red\"},\"wait\":true}",
	 "",
	 0},
	{{"import-hyperhive", "/", "alice", "bob", "--dry-run", "--no-state", "--json"},
	 "{\"version\":1,\"ok\":true,\"import\":{\"agents\":[]}}",
	 "{\"cmd\":\"import_hyperhive\",\"names\":[\"alice\",\"bob\"],\"dry_run\":true,"
	 "\"state\":false}",
	 "{\"agents\":[]}\n",
	 0},
	{{"request-spawn", "bob", "--memory-max", "2G", "-m", "writes"},
	 "{\"version\":1,\"ok\":true,\"id\":4,\"proposal\":{\"id\":4,\"agent\":\"bob\","
	 "\"kind\":\"spawn\",\"title\":\"spawn bob\",\"state\":\"needs-review\"}}",
	 "{\"cmd\":\"request_spawn\",\"name\":\"bob\",\"memory_max\":\"2G\","
	 "\"description\":\"writes\"}",
	 "4\n",
	 0},
	{{"start", "alice", "bob", "--json"},
	 "{\"version\":1,\"ok\":true,\"touched\":[\"alice\",\"bob\"],\"op_id\":\"x1\"}",
	 "{\"cmd\":\"start\",\"scope\":{\"agent_names\":[\"alice\",\"bob\"]},\"wait\":true}",
	 "{\"touched\":[\"alice\",\"bob\"],\"op_id\":\"x1\"}\n",
	 0},
	{{"stop", "alice", "--no-wait"},
	 OK,
	 "{\"cmd\":\"stop\",\"scope\":{\"agent_names\":[\"alice\"]}}",
	 "",
	 0},
	{{"restart", "alice", "bob"},
	 OK,
	 "{\"cmd\":\"restart\",\"scope\":{\"agent_names\":[\"alice\",\"bob\"]},\"wait\":true}",
	 "",
	 0},
	{{"restart", "alice", "--deadline", "7"},
	 OK,
	 "{\"cmd\":\"restart\",\"name\":\"alice\",\"deadline_s\":7,\"wait\":true}",
	 "",
	 0},
	{{"restart", "alice", "--deadline", "0"}, OK, "", "", 2},
	{{"stop", "--all", "--no-wait", "--deadline=3"},
	 OK,
	 "{\"cmd\":\"stop\",\"scope\":{\"all\":true},\"deadline_s\":3}",
	 "",
	 0},
	{{"start", "alice", "--label", "team=red", "--label", "new", "--no-wait"},
	 OK,
	 "{\"cmd\":\"start\",\"scope\":{\"agent_names\":[\"alice\"],\"labels\":[\"team=red\","
	 "\"new\"]}}",
	 "",
	 0},
	{{"start"}, OK, "", "", 2},
	{{"start", "--label", "=x"}, OK, "", "", 2},
	{{"start", "--all", "alice"}, OK, "", "", 2},
	{{"freeze", "alice"}, OK, "{\"cmd\":\"freeze\",\"name\":\"alice\"}", "", 0},
	{{"thaw", "--all"}, OK, "{\"cmd\":\"thaw\",\"scope\":{\"all\":true}}", "", 0},
	{{"freeze"}, OK, "", "", 2},
	{{"pause", "--label", "team"},
	 OK,
	 "{\"cmd\":\"set_paused\",\"paused\":true,\"scope\":{\"labels\":[\"team\"]}}",
	 "",
	 0},
	{{"set", "--label", "team=red", "memory_max=1G"},
	 OK,
	 "{\"cmd\":\"set\",\"scope\":{\"labels\":[\"team=red\"]},\"settings\":{\"memory_max\":"
	 "\"1G\"}}",
	 "",
	 0},
	{{"set", "alice"}, OK, "", "", 2},
	{{"destroy", "--label", "team=red", "--no-wait"},
	 OK,
	 "{\"cmd\":\"destroy\",\"scope\":{\"labels\":[\"team=red\"]}}",
	 "",
	 0},
	{{"destroy", "--all", "--purge"}, OK, "", "", 2},
	{{"list", "--label", "team=red", "--json"},
	 "{\"version\":1,\"ok\":true,\"agent_statuses\":[]}",
	 "{\"cmd\":\"agent_status\",\"labels\":[\"team=red\"]}",
	 "[]\n",
	 0},
	{{"top", "bob", "--plain"},
	 "{\"version\":1,\"ok\":true,\"usage\":[{\"name\":\"bob\",\"memory_bytes\":1536,"
	 "\"tasks\":7,"
	 "\"cpu_usec\":5,\"cpu_percent\":12.5,\"pressure\":{\"cpu\":0.25}}]}",
	 "{\"cmd\":\"usage\",\"names\":[\"bob\"]}",
	 "bob\t12.5\t-\t1.5K\t-\t7\t-\t-\t0.2\t-\t-\n",
	 0},
	{{"top", "--sort", "beauty"}, OK, "", "", 2},
	{{"top", "--interval", "0"}, OK, "", "", 2},
	{{"rebuild", "alice"},
	 OK,
	 "{\"cmd\":\"rebuild\",\"name\":\"alice\",\"wait\":true}",
	 "",
	 0},
	{{"destroy", "alice"},
	 OK,
	 "{\"cmd\":\"destroy\",\"name\":\"alice\",\"purge\":false,\"wait\":true}",
	 "",
	 0},
	{{"destroy", "alice", "--purge", "--confirm", "alice"},
	 OK,
	 "{\"cmd\":\"destroy\",\"name\":\"alice\",\"purge\":true,\"confirm\":\"alice\","
	 "\"wait\":true}",
	 "",
	 0},
	{{"destroy", "alice", "--purge"}, OK, "", "", 2},
	{{"destroy", "alice", "--purge", "--confirm", "bob"}, OK, "", "", 2},
	{{"set", "alice", "memory_max=1G", "label.team=", "parent=hm1nd"},
	 "{\"version\":1,\"ok\":true,\"agent\":{}}",
	 "{\"cmd\":\"set\",\"name\":\"alice\",\"settings\":{\"memory_max\":\"1G\",\"label."
	 "team\":\"\",\"parent\":\"hm1nd\"}}",
	 "",
	 0},
	{{"set", "alice", "memory_max"}, OK, "", "", 2},
	{{"pause", "alice"},
	 OK,
	 "{\"cmd\":\"set_paused\",\"paused\":true,\"name\":\"alice\"}",
	 "",
	 0},
	{{"resume", "alice"},
	 OK,
	 "{\"cmd\":\"set_paused\",\"paused\":false,\"name\":\"alice\"}",
	 "",
	 0},
	{{"submit", "alice", "1f2e3d4", "-m", "say hello"},
	 "{\"version\":1,\"ok\":true,\"proposal\":" ROW "}",
	 "{\"cmd\":\"submit\",\"agent\":\"alice\",\"commit\":\"1f2e3d4\",\"description\":\"say "
	 "hello\"}",
	 "3\n",
	 0},
	{{"submit", "alice", "main"}, OK, "", "", 2},
	{{"submit", "../alice", COMMIT}, OK, "", "", 2},
	{{"proposals", "--plain"},
	 "{\"version\":1,\"ok\":true,\"approvals\":[" ROW
	 ",{\"id\":2,\"agent\":\"bob\",\"status\":\"failed\"}]}",
	 "{\"cmd\":\"pending\"}",
	 "3\talice\tneeds-review\t" COMMIT "\t0\t2026-09-12T09:15:00Z\tsay hello\n",
	 0},
	{{"proposals", "--state", "deployed", "--state=stale", "--state", "building", "--agent",
	  "alice", "--json"},
	 "{\"version\":1,\"ok\":true,\"approvals\":[{\"id\":1,\"state\":\"building\"},{\"id\":"
	 "2,\"state\":\"denied\"},"
	 "{\"id\":4,\"state\":\"stale\"}]}",
	 "{\"cmd\":\"pending\",\"status\":[\"approved\",\"cancelled\"],\"agent\":\"alice\"}",
	 "[{\"id\":1,\"state\":\"building\"},{\"id\":4,\"state\":\"stale\"}]\n",
	 0},
	{{"proposals", "--state", "all", "--limit", "1", "--json"},
	 "{\"version\":1,\"ok\":true,\"approvals\":[{\"id\":1},{\"id\":2}]}",
	 "{\"cmd\":\"pending\",\"status\":\"all\"}",
	 "[{\"id\":2}]\n",
	 0},
	{{"proposals", "--state", "nonsense"}, OK, "", "", 2},
	{{"diff", "3", "--against", "2", "--json"},
	 "{\"version\":1,\"ok\":true,\"diff\":{\"files\":[]}}",
	 "{\"cmd\":\"diff\",\"against\":2,\"id\":3}",
	 "{\"files\":[]}\n",
	 0},
	{{"diff", "3", "--against=deployed", "--json"},
	 "{\"version\":1,\"ok\":true,\"diff\":{\"files\":[]}}",
	 "{\"cmd\":\"diff\",\"against\":\"deployed\",\"id\":3}",
	 "{\"files\":[]}\n",
	 0},
	{{"diff", "3", "--against=seen", "--json"},
	 "{\"version\":1,\"ok\":true,\"diff\":{\"files\":[]}}",
	 "{\"cmd\":\"diff\",\"against\":\"seen\",\"id\":3}",
	 "{\"files\":[]}\n",
	 0},
	{{"diff", "alice", "--to", "1", "--json"},
	 "{\"version\":1,\"ok\":true,\"diff\":{\"files\":[]}}",
	 "{\"cmd\":\"diff\",\"name\":\"alice\",\"to\":1}",
	 "{\"files\":[]}\n",
	 0},
	{{"diff", "alice", "--from", "0", "--to", "deployed"},
	 "{\"version\":1,\"ok\":true,\"diff\":{\"agent\":\"alice\",\"to\":{\"label\":"
	 "\"deployed/2\"},"
	 "\"against\":{\"label\":\"deployed/0\"},\"files\":[]}}",
	 "{\"cmd\":\"diff\",\"name\":\"alice\",\"from\":0,\"to\":\"deployed\"}",
	 NULL,
	 0},
	{{"diff", "alice"}, OK, "", "", 2},
	{{"diff", "alice", "--against", "1"}, OK, "", "", 2},
	{{"diff", "alice", "--to", "seen"}, OK, "", "", 2},
	{{"diff", "3", "--to", "1"}, OK, "", "", 2},
	{{"deny", "3", "-m", "no"}, OK, "{\"cmd\":\"deny\",\"id\":3,\"note\":\"no\"}", "", 0},
	{{"deny", "3"}, OK, "", "", 2},
	{{"cancel", "3"}, OK, "{\"cmd\":\"withdraw\",\"id\":3}", "", 0},
	{{"rollback", "alice"},
	 OK,
	 "{\"cmd\":\"rollback\",\"name\":\"alice\",\"wait\":true}",
	 "",
	 0},
	{{"rollback", "alice", "0", "--no-wait", "--json"},
	 "{\"version\":1,\"ok\":true,\"proposal\":{\"id\":9}}",
	 "{\"cmd\":\"rollback\",\"name\":\"alice\",\"to\":0}",
	 "{\"id\":9}\n",
	 0},
	{{"log", "3"},
	 "{\"version\":1,\"ok\":true,\"log\":\"one\\ntwo\"}\n{\"version\":1,\"ok\":true,"
	 "\"log\":\"three\\n\"}\n"
	 "{\"version\":1,\"ok\":true,\"end\":true,\"proposal\":" ROW "}",
	 "{\"cmd\":\"build_log\",\"id\":3,\"follow\":false}",
	 "one\ntwo\nthree\n",
	 0},
	{{"log", "3", "-n", "2"},
	 "{\"version\":1,\"ok\":true,\"log\":\"one\\ntwo\"}\n{\"version\":1,\"ok\":true,"
	 "\"log\":\"three\\n\"}\n"
	 "{\"version\":1,\"ok\":true,\"end\":true}",
	 "{\"cmd\":\"build_log\",\"id\":3,\"follow\":false}",
	 "two\nthree\n",
	 0},
	{{"log", "3", "-f"},
	 "{\"version\":1,\"ok\":true,\"log\":\"one\\n\"}\n{\"version\":1,\"ok\":true,\"end\":"
	 "true}",
	 "{\"cmd\":\"build_log\",\"id\":3,\"follow\":true}",
	 "one\n",
	 0},
	{{"log", "3", "--since", "today"}, OK, "", "", 2},
	{{"log", "3", "-f", "-n", "5"}, OK, "", "", 2},
	{{"log", "3", "--show-cursor"}, OK, "", "", 2},
	{{"events", "--since", "x"}, OK, "", "", 2},
	{{"events", "--since", "41", "--kind", "approval", "--json"},
	 "{\"version\":1,\"ok\":true,\"seq\":42,\"approvals\":[]}\n"
	 "{\"version\":1,\"ok\":true,\"seq\":42,\"heartbeat\":true}",
	 "{\"cmd\":\"subscribe_agent_status\",\"since\":41,\"kinds\":[\"approval\"],"
	 "\"heartbeat_s\":1}",
	 "{\"seq\":42,\"approvals\":[]}\n",
	 0},
	{{"log", "alice", "--since", "-1h", "-n", "5"},
	 OK,
	 "{\"cmd\":\"logs\",\"name\":\"alice\",\"lines\":5,\"follow\":false,\"since\":\"-1h\"}",
	 "",
	 0},
	{{"history", "alice", "-n", "5", "--plain"},
	 "{\"version\":1,\"ok\":true,\"deploys\":[{\"meta_commit\":\"" COMMIT
	 "\",\"at\":\"2026-09-12T09:15:00Z\","
	 "\"message\":\"deploy alice\",\"agent\":\"alice\",\"n\":3}]}",
	 "{\"cmd\":\"history\",\"limit\":5,\"name\":\"alice\"}",
	 "2026-09-12T09:15:00Z\t" COMMIT "\talice\t3\tdeploy alice\n",
	 0},
	{{"audit", "--plain"},
	 "{\"version\":1,\"ok\":true,\"audit\":[{\"seq\":7,\"at\":\"2026-09-12T09:15:00Z\","
	 "\"kind\":\"tag\",\"actor\":\"uid 0\","
	 "\"channel\":\"operator\",\"verb\":\"approve\",\"agent\":\"alice\",\"id\":3,"
	 "\"result\":\"ok\"}]}",
	 "{\"cmd\":\"audit\"}",
	 "7\t2026-09-12T09:15:00Z\tuid 0\toperator\tapprove\talice\t3\tok\t-\n",
	 0},
	{{"dashboard", "--json"},
	 "{\"version\":1,\"ok\":true,\"login\":{\"url\":\"u\",\"code\":\"c\",\"expires_s\":60}"
	 "}",
	 "{\"cmd\":\"dashboard\"}",
	 "{\"url\":\"u\",\"code\":\"c\",\"expires_s\":60}\n",
	 0},
	{{"dashboard", "3", "--confirm"},
	 "{\"version\":1,\"ok\":true,\"login\":{\"url\":\"u\",\"code\":\"c\",\"expires_s\":60}"
	 "}",
	 "{\"cmd\":\"dashboard\",\"id\":3,\"confirm\":true}",
	 "u\n",
	 0},
	{{"dashboard", "x"}, OK, "", "", 2},
	{{"sessions", "--plain"},
	 "{\"version\":1,\"ok\":true,\"sessions\":[{\"id\":2,\"login\":\"ann\",\"uid\":7,"
	 "\"created_at\":\"a\",\"last_seen_at\":\"b\",\"expires_at\":\"c\"}]}",
	 "{\"cmd\":\"sessions\"}",
	 "2\tann\ta\tb\tc\n",
	 0},
	{{"sessions", "revoke", "2"}, OK, "{\"cmd\":\"sessions_revoke\",\"id\":2}", "", 0},
	{{"sessions", "revoke", "--all"},
	 OK,
	 "{\"cmd\":\"sessions_revoke\",\"all\":true}",
	 "",
	 0},
	{{"sessions", "revoke"}, OK, "", "", 2},
	{{"sessions", "revoke", "2", "--all"}, OK, "", "", 2},
	{{"audit", "verify"},
	 "{\"version\":1,\"ok\":true,\"audit_verify\":{\"valid\":false,\"entries\":2,\"head\":"
	 "\"abc\",\"problems\":[\"gap at 2\"]}}",
	 "{\"cmd\":\"audit_verify\"}",
	 "the record is NOT whole: 2 entries, head abc\n  gap at 2\n",
	 1},
	{{"audit", "repair"}, OK, "", "", 2},
	{{"drift", "alice", "bob", "--plain"},
	 "{\"version\":1,\"ok\":true,\"drift\":[{\"agent\":\"alice\",\"field\":\"port\","
	 "\"want\":"
	 "\"8123\",\"have\":\"1\",\"since\":\"2026-01-01T00:00:00Z\"}],\"looked_at\":"
	 "\"2026-01-01T00:00:09Z\"}",
	 "{\"cmd\":\"drift\",\"names\":[\"alice\",\"bob\"]}",
	 "alice\tport\t8123\t1\t2026-01-01T00:00:00Z\n",
	 1},
	{{"drift"},
	 "{\"version\":1,\"ok\":true,\"drift\":[],\"looked_at\":\"2026-01-01T00:00:09Z\"}",
	 "{\"cmd\":\"drift\",\"names\":[]}",
	 "",
	 0},
	{{"drift", "--json"},
	 "{\"version\":1,\"ok\":true,\"drift\":[],\"looked_at\":\"2026-01-01T00:00:09Z\","
	 "\"problem\":\"no\"}",
	 "{\"cmd\":\"drift\",\"names\":[]}",
	 "[]\n",
	 1},
	{{"drift"},
	 "{\"version\":1,\"ok\":true,\"drift\":[]}",
	 "{\"cmd\":\"drift\",\"names\":[]}",
	 "",
	 1},
	{{"drift", "a/b"}, OK, "", "", 2},
	{{"doctor", "--plain"},
	 "{\"version\":1,\"ok\":true,\"checks\":[{\"name\":\"userns\",\"ok\":true,\"detail\":"
	 "\"on\"},{\"name\":\"disk\",\"ok\":false,"
	 "\"detail\":\"full\",\"fix\":\"free some\"}]}",
	 "{\"cmd\":\"doctor\"}",
	 "userns\tok\ton\ndisk\tfailed\tfull\n",
	 1},
	{{"whoami"},
	 "{\"version\":1,\"ok\":true,\"name\":\"alice\",\"role\":\"agent\"}",
	 "{\"cmd\":\"whoami\"}",
	 "name         alice\nrole         agent\n",
	 0},
	{{"events", "--json"},
	 "{\"version\":1,\"ok\":true,\"seq\":5,\"snapshot\":true,\"agent_statuses\":[]}",
	 "{\"cmd\":\"subscribe_agent_status\",\"snapshot\":true,\"kinds\":[\"agent_status\","
	 "\"approval\",\"question\","
	 "\"queue\",\"drift\"],\"heartbeat_s\":30}",
	 "{\"seq\":5,\"snapshot\":true,\"agent_statuses\":[]}\n",
	 0},
};

static void run_case(const struct request_case *c)
{
	_cleanup_free_ char *cmd =
		str_format("%.*s", (int)strcspn(c->request[0] ? c->request + 8 : "", "\""),
			   c->request[0] ? c->request + 8 : "");
	const struct fake_rule rules[] = {{cmd, c->answer, NULL}, {}};
	struct fake *fake = fake_start(rules);
	const char *argv[16] = {"skep", "--socket", fake_path(fake)};
	_cleanup_free_ char *got = NULL, *wanted = NULL;
	struct run run = {};

	for (size_t i = 0; c->argv[i]; i++)
		argv[3 + i] = c->argv[i];
	run_skep(&run, argv);
	got = fake_stop(fake);
	wanted = str_format("%s%s", c->request, c->request[0] ? "\n" : "");
	if (run.status != c->status)
		print_error("%s %s: %s\n", c->argv[0], c->argv[1], buf_str(&run.err));
	assert_string_equal(got, wanted);
	assert_int_equal(run.status, c->status);
	if (c->out)
		assert_string_equal(buf_str(&run.out), c->out);
	run_release(&run);
}

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i]);
}

/* The verbs an agent's own socket has under another name. */
static void test_agent_socket(void **state)
{
	static const struct fake_rule rules[] = {
		{"list", "{\"version\":1,\"ok\":true,\"agents\":[\"alice\",\"bob\"]}", NULL},
		{"proposals", "{\"version\":1,\"ok\":true,\"approvals\":[]}", NULL},
		{},
	};
	struct fake *fake = fake_start(rules);
	_cleanup_free_ char *dir = str_dup(fake_path(fake)), *path = NULL, *got = NULL;
	struct run list = {}, proposals = {};

	(void)state;
	*strrchr(dir, '/') = '\0';
	path = str_format("%s/agent.sock", dir);
	assert_int_equal(symlink(fake_path(fake), path), 0);
	run_skep(&list, (const char *const[]){"skep", "--socket", path, "list", NULL});
	run_skep(&proposals,
		 (const char *const[]){"skep", "--socket", path, "proposals", NULL});
	got = fake_stop(fake);
	assert_string_equal(got, "{\"cmd\":\"list\"}\n{\"cmd\":\"proposals\"}\n");
	assert_string_equal(buf_str(&list.out), "alice\nbob\n");
	assert_int_equal(proposals.status, 0);
	assert_non_null(strstr(buf_str(&proposals.err), "nothing waits"));
	run_release(&list);
	run_release(&proposals);
}

/* The socket is named by the option, else by the environment. */
static void test_socket_choice(void **state)
{
	static const struct fake_rule rules[] = {
		{"whoami", "{\"version\":1,\"ok\":true,\"name\":\"me\"}", NULL},
		{},
	};
	struct fake *fake = fake_start(rules);
	_cleanup_free_ char *variable = str_format("SKEP_SOCKET=%s", fake_path(fake)),
			    *got = NULL;
	struct run run = {.variable = variable};

	(void)state;
	run_skep(&run, (const char *const[]){"skep", "whoami", "--plain", NULL});
	got = fake_stop(fake);
	assert_int_equal(run.status, 0);
	assert_string_equal(got, "{\"cmd\":\"whoami\"}\n");
	run_release(&run);
}

/* --quiet leaves results and errors and nothing else. */
static void test_quiet(void **state)
{
	static const struct fake_rule rules[] = {{"set_paused", OK, NULL}, {}};
	struct fake *fake = fake_start(rules);
	struct run loud = {}, quiet = {};

	(void)state;
	run_skep(&loud, SKEP(fake, "pause", "alice"));
	run_skep(&quiet, SKEP(fake, "pause", "alice", "-q"));
	free(fake_stop(fake));
	assert_string_equal(buf_str(&loud.err), "paused alice\n");
	assert_string_equal(buf_str(&quiet.err), "");
	assert_string_equal(buf_str(&quiet.out), "");
	run_release(&loud);
	run_release(&quiet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_agent_socket),
		cmocka_unit_test(test_socket_choice),
		cmocka_unit_test(test_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
