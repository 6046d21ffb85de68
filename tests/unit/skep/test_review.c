/* Verdicts: bound to what was looked at, asked for on a terminal, explained when refused;
 * differences as text. */

#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "skep/diff_text.h"

#include <signal.h>
#include <string.h>

#define COMMIT "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c"
#define TREE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BASE "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ROW(state, flags)                                                                  \
	"{\"id\":3,\"agent\":\"alice\",\"kind\":\"apply_commit\",\"commit_ref\":\"" COMMIT \
	"\",\"status\":\"pending\","                                                       \
	"\"state\":\"" state "\",\"title\":\"say hello\",\"tree\":\"" TREE                 \
	"\",\"base\":\"" BASE "\",\"flags\":[" flags "]}"
#define ANSWER(row) "{\"version\":1,\"ok\":true,\"proposal\":" row "}"
#define ACK_FLAG                                                                       \
	"{\"name\":\"binary-file\",\"strength\":\"ack\",\"sentence\":\"a file is not " \
	"text\",\"place\":\"x.png\"}"
#define BLOCK_FLAG                                                                         \
	"{\"name\":\"symlink-escape\",\"strength\":\"block\",\"sentence\":\"a link leads " \
	"out\",\"place\":\"y\"}"

static const struct fake_rule good[] = {
	{"proposal", ANSWER(ROW("needs-review", ACK_FLAG "," ACK_FLAG)), NULL},
	{"approve", ANSWER(ROW("deployed", ACK_FLAG)), NULL},
	{},
};

/* The line that begins with prefix, as JSON; the caller owns it. */
static json_t *find_request(const char *lines, const char *cmd)
{
	_cleanup_free_ char *prefix = str_format("{\"cmd\":\"%s\"", cmd);
	const char *line = strstr(lines, prefix);

	return line ? json_loadb(line, strcspn(line, "\n"), 0, NULL) : NULL;
}

static void check_approval(const char *lines, bool waits)
{
	json_auto_t *request = find_request(lines, "approve"), *wanted = NULL;
	const char *key;

	assert_non_null(request);
	key = json_string_value(json_object_get(request, "idem_key"));
	assert_non_null(key);
	assert_int_equal(strlen(key), 32);
	json_object_del(request, "idem_key");
	wanted = json_pack("{ss si ss ss ss s[s]}", "cmd", "approve", "id", 3, "commit", COMMIT,
			   "tree", TREE, "base", BASE, "flags_ack", "binary-file");
	if (waits)
		json_object_set_new(wanted, "wait", json_true());
	assert_true(json_equal(request, wanted));
}

static void test_approve(void **state)
{
	struct fake *fake = fake_start(good);
	_cleanup_free_ char *lines = NULL;
	struct run run = {};

	(void)state;
	run_skep(&run, SKEP(fake, "approve", "3", "--commit", "1f2e3d4c5b6a", "--ack",
			    "binary-file"));
	lines = fake_stop(fake);
	assert_int_equal(run.status, 0);
	assert_string_equal(buf_str(&run.err),
			    "proposal 3 is deployed: alice has commit 1f2e3d4c5b6a\n");
	check_approval(lines, true);
	run_release(&run);
}

static void test_approve_no_wait(void **state)
{
	struct fake *fake = fake_start(good);
	_cleanup_free_ char *lines = NULL;
	struct run run = {};

	(void)state;
	run_skep(&run, SKEP(fake, "approve", "3", "--no-wait", "--commit", COMMIT, "--ack",
			    "binary-file", "--ack", "binary-file"));
	lines = fake_stop(fake);
	assert_int_equal(run.status, 0);
	assert_string_equal(buf_str(&run.err),
			    "approved proposal 3\nhint: follow it with: skep log 3 -f\n");
	check_approval(lines, false);
	run_release(&run);
}

/* Another commit than the reviewed one never leaves this machine. */
static void test_other_commit(void **state)
{
	struct fake *fake = fake_start(good);
	_cleanup_free_ char *lines = NULL;
	struct run run = {};

	(void)state;
	run_skep(&run, SKEP(fake, "approve", "3", "--commit", "1f2e3d4c5b6b"));
	lines = fake_stop(fake);
	assert_int_equal(run.status, 5);
	assert_string_equal(lines, "{\"cmd\":\"proposal\",\"id\":3}\n");
	assert_non_null(strstr(buf_str(&run.err), "is commit 1f2e3d4c5b6a, not 1f2e3d4c5b6b"));
	assert_non_null(strstr(buf_str(&run.err), "skep diff 3"));
	run_release(&run);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *answer;
		int status;
		const char *says[3];
	} cases[] = {
		{"{\"version\":1,\"ok\":false,\"error\":\"the base "
		 "moved\",\"code\":\"stale\",\"now\":"
		 "{\"state\":\"stale\",\"base\":\"cc\",\"tree\":\"" TREE "\"}}",
		 5,
		 {"state was needs-review, is stale", "base was " BASE ", is cc",
		  "skep: the base moved"}},
		{"{\"version\":1,\"ok\":false,\"error\":\"flags\",\"code\":\"needs_ack\","
		 "\"flags\":[" ACK_FLAG ",{\"name\":\"limits-up\",\"strength\":\"ack\"}]}",
		 8,
		 {"ack binary-file: a file is not text: x.png",
		  "--ack binary-file --ack limits-up", "skep: flags"}},
		{"{\"version\":1,\"ok\":false,\"error\":\"held "
		 "back\",\"code\":\"blocked\",\"flags\":[\"symlink-escape\"]}",
		 8,
		 {"block symlink-escape", "skep: held back", ""}},
		{"{\"version\":1,\"ok\":false,\"error\":\"make: "
		 "no\",\"code\":\"build_failed\"}",
		 6,
		 {"skep: make: no", "", ""}},
		{"{\"version\":1,\"ok\":false,\"error\":\"unit "
		 "down\",\"code\":\"deploy_failed\"}",
		 7,
		 {"skep: unit down", "", ""}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct fake_rule rules[] = {
			{"proposal", ANSWER(ROW("needs-review", "")), NULL},
			{"approve", cases[i].answer, NULL},
			{},
		};
		struct fake *fake = fake_start(rules);
		struct run run = {};

		run_skep(&run, SKEP(fake, "approve", "3", "--commit", COMMIT));
		free(fake_stop(fake));
		assert_int_equal(run.status, cases[i].status);
		for (size_t j = 0; j < ARRAY_SIZE(cases[i].says); j++)
			if (!strstr(buf_str(&run.err), cases[i].says[j]))
				fail_msg("'%s' is not in: %s", cases[i].says[j],
					 buf_str(&run.err));
		run_release(&run);
	}
}

static void test_ask(void **state)
{
	struct fake *fake = fake_start(good);
	_cleanup_free_ char *lines = NULL;
	struct run run = {.on_terminal = true, .term = "dumb", .input = "y\nyes\n"};

	(void)state;
	run_skep(&run, SKEP(fake, "approve", "3"));
	lines = fake_stop(fake);
	assert_int_equal(run.status, 0);
	assert_non_null(strstr(buf_str(&run.out), COMMIT));
	assert_non_null(strstr(buf_str(&run.out), TREE));
	assert_non_null(
		strstr(buf_str(&run.out), "ack binary-file: a file is not text: x.png"));
	assert_non_null(strstr(buf_str(&run.out), "accept the risk 'binary-file'?"));
	check_approval(lines, true);
	run_release(&run);
}

static void test_ask_no(void **state)
{
	static const struct fake_rule blocked[] = {
		{"proposal", ANSWER(ROW("needs-review", BLOCK_FLAG)), NULL}, {}};
	static const struct {
		const char *input;
		int status;
	} cases[] = {{"n\n", 8}, {"\n", 8}, {"y\nn\n", 1}, {"y\n\n", 1}, {"\x04", 8}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake *fake = fake_start(good);
		_cleanup_free_ char *lines = NULL;
		struct run run = {.on_terminal = true, .term = "dumb", .input = cases[i].input};

		run_skep(&run, SKEP(fake, "approve", "3"));
		lines = fake_stop(fake);
		assert_int_equal(run.status, cases[i].status);
		assert_null(strstr(lines, "\"approve\""));
		run_release(&run);
	}
	for (int i = 0; i < 2; i++) {
		struct fake *fake = fake_start(i ? good : blocked);
		_cleanup_free_ char *lines = NULL;
		struct run run = {.on_terminal = true, .term = "dumb", .input = "y\ny\n"};

		run_skep(&run, i ? SKEP(fake, "--no-input", "approve", "3")
				 : SKEP(fake, "approve", "3"));
		lines = fake_stop(fake);
		assert_int_equal(run.status, i ? 2 : 8);
		assert_null(strstr(lines, "\"approve\""));
		run_release(&run);
	}
}

static void test_purge_asks(void **state)
{
	static const struct fake_rule rules[] = {{"destroy", "{\"version\":1,\"ok\":true}",
						  NULL},
						 {}};
	struct fake *fake = fake_start(rules);
	_cleanup_free_ char *lines = NULL;
	struct run wrong = {.on_terminal = true, .term = "dumb", .input = "yes\n"};
	struct run right = {.on_terminal = true, .term = "dumb", .input = "alice\n"};

	(void)state;
	run_skep(&wrong, SKEP(fake, "destroy", "alice", "--purge"));
	run_skep(&right, SKEP(fake, "-q", "destroy", "alice", "--purge"));
	lines = fake_stop(fake);
	assert_int_equal(wrong.status, 2);
	assert_int_equal(right.status, 0);
	assert_string_equal(lines, "{\"cmd\":\"destroy\",\"name\":\"alice\",\"purge\":true,"
				   "\"confirm\":\"alice\",\"wait\":true}\n");
	run_release(&wrong);
	run_release(&right);
}

/* The log is told while the answer is awaited, and its end is not the end of the waiting. */
static void slow_approve(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	(void)request;
	(void)fds;
	(void)n_fds;
	fake_wait();
	fake_send(conn_fd, ANSWER(ROW("deployed", "")), -1);
}

static void go(struct run *run)
{
	fake_go(run->fake);
}

static void test_progress(void **state)
{
	static const struct fake_rule rules[] = {
		{"proposal", ANSWER(ROW("needs-review", "")), NULL},
		{"approve", NULL, slow_approve},
		{"build_log",
		 "{\"version\":1,\"ok\":true,\"log\":\"checking "
		 "out\\n\"}\n{\"version\":1,\"ok\":true,\"end\":true}",
		 NULL},
		{},
	};
	struct fake *fake = fake_start(rules);
	struct run run = {.on_terminal = true,
			  .term = "dumb",
			  .cue = "checking",
			  .on_cue = go,
			  .fake = fake};

	(void)state;
	run_skep(&run, SKEP(fake, "approve", "3", "--commit", COMMIT));
	free(fake_stop(fake));
	assert_int_equal(run.status, 0);
	assert_string_equal(buf_str(&run.out), "  | checking out\r\nproposal 3 is deployed: "
					       "alice has commit 1f2e3d4c5b6a\r\n");
	run_release(&run);
}

static void never(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	char byte;

	(void)request;
	(void)fds;
	(void)n_fds;
	while (read(conn_fd, &byte, 1) > 0)
		;
}

static void interrupt(struct run *run)
{
	(void)kill(run->pid, SIGINT);
}

/* Ctrl-C ends the waiting and says how to look again. */
static void test_interrupt(void **state)
{
	static const struct fake_rule rules[] = {
		{"proposal", ANSWER(ROW("needs-review", "")), NULL},
		{"approve", NULL, never},
		{"build_log", "{\"version\":1,\"ok\":true,\"log\":\"checking out\\n\"}", NULL},
		{},
	};
	struct fake *fake = fake_start(rules);
	struct run run = {.on_terminal = true,
			  .term = "dumb",
			  .cue = "checking out",
			  .on_cue = interrupt};

	(void)state;
	run_skep(&run, SKEP(fake, "approve", "3", "--commit", COMMIT));
	free(fake_stop(fake));
	assert_int_equal(run.status, 130);
	assert_non_null(strstr(buf_str(&run.out), "stopped waiting; the work goes on"));
	assert_non_null(strstr(buf_str(&run.out), "skep log 3 -f"));
	run_release(&run);
}

#define DIFF                                                                                  \
	"{\"proposal\":" ROW(                                                                 \
		"needs-review",                                                               \
		ACK_FLAG) ",\"against\":{\"label\":\"deployed 2\",\"commit\":\"" BASE "\"},"  \
			  "\"base_moved\":true,\"files\":["                                   \
			  "{\"path\":\"a\",\"status\":\"modified\",\"old_mode\":\"100644\","  \
			  "\"new_mode\":\"100755\",\"binary\":false,"                         \
			  "\"too_large\":false,\"truncated\":true,\"added\":1,\"removed\":1," \
			  "\"hunks\":[{\"old_start\":1,\"old_lines\":2,"                      \
			  "\"new_start\":1,\"new_lines\":2,\"header\":\"main\",\"lines\":[["  \
			  "\" \",\"same\"],[\"-\",\"old\"],[\"+\",\"new\"]]}]},"              \
			  "{\"path\":\"b\",\"status\":\"added\",\"new_mode\":\"100644\","     \
			  "\"binary\":true,\"old_bytes\":0,\"new_bytes\":12},"                \
			  "{\"path\":\"d\",\"old_path\":\"c\",\"status\":\"renamed\",\"old_"  \
			  "mode\":\"100644\",\"new_mode\":\"100644\"},"                       \
			  "{\"path\":\"e\",\"status\":\"deleted\",\"old_mode\":\"100644\","   \
			  "\"removed\":1,\"hunks\":[{\"old_start\":1,"                        \
			  "\"old_lines\":1,\"new_start\":0,\"new_lines\":0,\"header\":\"@@ "  \
			  "-1 +0,0 @@\",\"lines\":[[\"-\",\"gone\"]]}]}],"                    \
			  "\"added\":1,\"removed\":2,\"files_total\":6,\"truncated\":false}"

static const char diff_text[] =
	"diff a/a b/a\n"
	"mode changes from 100644 to 100755\n"
	"--- a/a\n"
	"+++ b/a\n"
	"@@ -1,2 +1,2 @@ main\n"
	" same\n"
	"-old\n"
	"+new\n"
	"cut: the rest of this file's changes is NOT shown\n"
	"diff a/b b/b\n"
	"new file mode 100644\n"
	"binary: 0 bytes before, 12 after, NOT shown\n"
	"diff a/c b/d\n"
	"renamed from c\n"
	"diff a/e b/e\n"
	"deleted file mode 100644\n"
	"--- a/e\n"
	"+++ /dev/null\n"
	"@@ -1 +0,0 @@\n"
	"-gone\n"
	"4 files, 1 line added, 2 removed\n"
	"NOT everything is shown: 1 binary, 0 too large, 1 cut, 2 files left out\n";

static void test_diff(void **state)
{
	static const struct fake_rule rules[] = {
		{"diff", "{\"version\":1,\"ok\":true,\"diff\":" DIFF "}", NULL}, {}};
	struct fake *fake = fake_start(rules);
	struct run whole = {}, stat = {};

	(void)state;
	run_skep(&whole, SKEP(fake, "diff", "3"));
	run_skep(&stat, SKEP(fake, "diff", "3", "--stat"));
	free(fake_stop(fake));
	assert_int_equal(whole.status, 0);
	assert_non_null(strstr(buf_str(&whole.out), diff_text));
	assert_non_null(
		strstr(buf_str(&whole.out), "against      deployed 2, commit " BASE "\n"));
	assert_non_null(strstr(buf_str(&whole.out), "another commit was deployed since"));
	assert_string_equal(
		buf_str(&whole.err),
		"hint: approve with: skep approve 3 --commit 1f2e3d4c5b6a --ack binary-file\n"
		"hint: deny with: skep deny 3 -m NOTE\n");
	assert_non_null(strstr(buf_str(&stat.out), "FILE  CHANGE    ADDED  REMOVED  LINES\n"
						   "a     modified      1        1  +-\n"
						   "b     binary        0        0   \n"));
	assert_non_null(strstr(buf_str(&stat.out), "NOT everything is shown"));
	run_release(&whole);
	run_release(&stat);
}

#define PLAIN_DIFF(row)                                          \
	"{\"version\":1,\"ok\":true,\"diff\":{\"proposal\":" row \
	",\"against\":{\"label\":\"base\","                      \
	"\"commit\":\"" BASE "\"},\"files\":[],\"files_total\":0,\"added\":0,\"removed\":0}}"

/* What cannot be approved is not said to be; a note keeps its lines. */
static void test_diff_hints(void **state)
{
	static const struct fake_rule blocked[] = {
		{"diff", PLAIN_DIFF(ROW("needs-review", ACK_FLAG "," BLOCK_FLAG)), NULL}, {}};
	static const struct fake_rule failed[] = {
		{"diff", PLAIN_DIFF(ROW("failed\",\"note\":\"it broke\\n\\nthe log", "")),
		 NULL},
		{}};
	struct fake *fake = fake_start(blocked);
	struct run run = {}, noted = {};

	(void)state;
	run_skep(&run, SKEP(fake, "diff", "3"));
	free(fake_stop(fake));
	assert_string_equal(buf_str(&run.err), "hint: deny with: skep deny 3 -m NOTE\n");
	fake = fake_start(failed);
	run_skep(&noted, SKEP(fake, "diff", "3"));
	free(fake_stop(fake));
	assert_string_equal(buf_str(&noted.err), "");
	assert_non_null(
		strstr(buf_str(&noted.out), "\nnote\n  it broke\n  \n  the log\nagainst "));
	run_release(&run);
	run_release(&noted);
}

static void test_diff_colors(void **state)
{
	json_auto_t *diff = json_loads(DIFF, 0, NULL);
	struct out out = {.fd = -1, .color = true};

	(void)state;
	diff_print(&out, diff);
	assert_non_null(
		strstr(buf_str(&out.pending), "\n\x1b[31m-old\x1b[0m\n\x1b[32m+new\x1b[0m\n"));
	out_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_approve),      cmocka_unit_test(test_approve_no_wait),
		cmocka_unit_test(test_other_commit), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_ask),          cmocka_unit_test(test_ask_no),
		cmocka_unit_test(test_purge_asks),   cmocka_unit_test(test_progress),
		cmocka_unit_test(test_interrupt),    cmocka_unit_test(test_diff),
		cmocka_unit_test(test_diff_colors),  cmocka_unit_test(test_diff_hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
