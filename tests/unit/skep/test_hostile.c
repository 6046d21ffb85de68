/* Text that wants to be more than text, in every place an agent can put some: none of it
 * reaches the terminal. */

#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "skep/answer.h"
#include "skep/filter.h"
#include "skep/out.h"

#include <fcntl.h>
#include <string.h>

/* ESC sequences in 7 and 8 bits, C0, DEL, bidi, a title that ends a line: as JSON, for the
 * daemon to send. */
#define BAD                                                                                 \
	"\\u001b[2Jx\\u001b]0;"                                                             \
	"pwned\\u0007\\u009b31mred\\u007f\\b\\r\\u202egnp\\u2066\\u200b\\ufeff\\n\\nskep: " \
	"all is well"
#define S "\"" BAD "\""

#define OBJECT                                                                                \
	"{\"id\":3,\"name\":" S ",\"agent\":" S ",\"state\":" S ",\"status\":" S              \
	",\"title\":" S ",\"commit_title\":" S ",\"commit_ref\":" S ",\"tree\":" S            \
	",\"base\":" S ",\"description\":" S ",\"author\":" S ",\"note\":" S                  \
	",\"requested_at\":" S ",\"status_text\":" S ",\"deployed_sha\":" S ",\"parent\":" S  \
	",\"role\":" S ",\"desired\":" S ",\"container\":" S ",\"driver\":" S                 \
	",\"builder\":" S ",\"boot_state\":" S ",\"leader\":7"                                \
	",\"failed_units\":[" S "],\"network\":" S ",\"limits\":{\"memory_max\":" S           \
	",\"cpu_quota\":" S "}"                                                               \
	",\"limits_enforced\":{" S ":false},\"labels\":{" S ":" S                             \
	"},\"deployed\":1,\"commit\":" S ",\"system\":" S                                     \
	",\"system_running\":\"\\u001bx\",\"drift\":" S ",\"proposed_path\":" S ",\"url\":" S \
	",\"verb\":" S ",\"actor\":" S ",\"channel\":" S ",\"result\":" S ",\"at\":" S        \
	",\"message\":" S ",\"meta_commit\":" S ",\"detail\":" S ",\"fix\":" S                \
	",\"ok\":false,\"kind\":" S ",\"label\":" S ",\"version\":" S ",\"mode\":" S          \
	",\"state_dir\":" S ",\"flags\":[" S ",{\"name\":" S ",\"strength\":" S               \
	",\"sentence\":" S ",\"place\":" S "}]"                                               \
	",\"against\":{\"label\":" S ",\"commit\":" S "},\"agents\":{" S ":1},\"head\":" S    \
	",\"problems\":[" S "]"                                                               \
	",\"files\":[{\"path\":" S ",\"old_path\":" S ",\"status\":" S ",\"old_mode\":" S     \
	",\"new_mode\":" S ",\"binary\":true"                                                 \
	",\"truncated\":true,\"hunks\":[{\"header\":" S ",\"lines\":[[" S "," S "],[\"+\"," S \
	"]]}]}],\"truncated\":true}"

#define ANSWER(key, value) "{\"version\":1,\"ok\":true,\"" key "\":" value "}"
#define REFUSAL                                                                      \
	"{\"version\":1,\"ok\":false,\"code\":\"stale\",\"error\":" S ",\"hint\":" S \
	",\"now\":" OBJECT ",\"flags\":[" S "]}"

static const struct fake_rule rules[] = {
	{"status", ANSWER("status", OBJECT), NULL},
	{"agent_status", ANSWER("agent_statuses", "[" OBJECT "]"), NULL},
	{"agent", ANSWER("agent", OBJECT), NULL},
	{"pending", ANSWER("approvals", "[" OBJECT "]"), NULL},
	{"proposal", ANSWER("proposal", OBJECT), NULL},
	{"diff", ANSWER("diff", OBJECT), NULL},
	{"submit", ANSWER("proposal", OBJECT), NULL},
	{"rollback", ANSWER("proposal", OBJECT), NULL},
	{"deny", REFUSAL, NULL},
	{"build_log",
	 ANSWER("log", S) "\n{\"version\":1,\"ok\":true,\"end\":true,\"proposal\":" OBJECT "}",
	 NULL},
	{"subscribe_agent_status",
	 "{\"version\":1,\"ok\":true,\"seq\":1,\"snapshot\":true,\"agent_statuses\":[" OBJECT
	 "],\"approvals\":[" OBJECT "],\"events\":[" OBJECT "],\"removed\":[" S "]}",
	 NULL},
	{"history", ANSWER("deploys", "[" OBJECT "]"), NULL},
	{"audit", ANSWER("audit", "[" OBJECT "]"), NULL},
	{"audit_verify", ANSWER("audit_verify", OBJECT), NULL},
	{"doctor", ANSWER("checks", "[" OBJECT "]"), NULL},
	{"drift", ANSWER("drift", "[" OBJECT "]"), NULL},
	{"whoami", ANSWER("whoami", OBJECT), NULL},
	{"list", ANSWER("agents", "[" S "]"), NULL},
	{},
};

static const char *const commands[][6] = {
	{"status"},
	{"list"},
	{"show", "alice"},
	{"proposals", "--state", "all"},
	{"diff", "3"},
	{"diff", "3", "--stat"},
	{"submit", "alice", "1234567"},
	{"rollback", "alice"},
	{"deny", "3", "-m", "x"},
	{"log", "3"},
	{"log", "3", "-f"},
	{"events"},
	{"history"},
	{"audit"},
	{"audit", "verify"},
	{"doctor"},
	{"drift"},
	{"whoami"},
	{"approve", "3", "--commit", "1234567"},
	{"__complete", "show", ""},
	{"__complete", "diff", ""},
};

/* Our own colours are all that may begin with ESC. */
static size_t own_sequence(const char *p, size_t size)
{
	static const char *const own[] = {"\x1b[0m",  "\x1b[1m",  "\x1b[2m", "\x1b[31m",
					  "\x1b[32m", "\x1b[33m", "\x1b[36m"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (size >= strlen(own[i]) && memcmp(p, own[i], strlen(own[i])) == 0)
			return strlen(own[i]);
	return 0;
}

static void check_clean(const char *what, const struct buf *b, bool colors, bool terminal)
{
	for (size_t i = 0; i < b->size;) {
		uint32_t c = 0;
		size_t n = text_decode(b->data + i, b->size - i, &c),
		       own = own_sequence(b->data + i, b->size - i);

		if (own > 0 && colors) {
			i += own;
			continue;
		}
		if (n == 0 ||
		    (c < 0x20 && c != '\n' && c != '\t' && !(terminal && c == '\r')) ||
		    (c >= 0x7f && c < 0xa0) || text_is_deceptive(c))
			fail_msg("%s: byte %zu is U+%04X in: %s", what, i, (unsigned)c,
				 buf_str(b));
		i += n;
	}
}

static void run_all(const char *extra, bool on_terminal)
{
	struct fake *fake = fake_start(rules);

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const char *argv[12] = {"skep", "--socket", fake_path(fake), extra};
		size_t n = extra ? 4 : 3;
		struct run run = {.on_terminal = on_terminal,
				  .term = on_terminal ? "dumb" : NULL};

		for (size_t j = 0; commands[i][j]; j++)
			argv[n++] = commands[i][j];
		run_skep(&run, argv);
		check_clean(commands[i][0], &run.out,
			    extra && strcmp(extra, "--color=always") == 0, on_terminal);
		check_clean(commands[i][0], &run.err,
			    extra && strcmp(extra, "--color=always") == 0, on_terminal);
		assert_true(run.out.size + run.err.size > 0 ||
			    strcmp(commands[i][0], "__complete") == 0);
		/* a line of its own would speak in our name */
		assert_null(strstr(buf_str(&run.err), "\nskep: all is well"));
		run_release(&run);
	}
	free(fake_stop(fake));
}

static void test_every_command(void **state)
{
	(void)state;
	run_all(NULL, false);
	run_all("--color=always", false);
	run_all("--plain", false);
	run_all("--json", false);
	run_all("--no-input", true);
}

/* The same JSON comes out that went in. */
static void test_json_is_kept(void **state)
{
	struct fake *fake = fake_start(rules);
	struct run run = {};
	json_auto_t *got = NULL, *wanted = NULL;

	(void)state;
	run_skep(&run, SKEP(fake, "show", "alice", "--json"));
	free(fake_stop(fake));
	got = json_loadb(run.out.data, run.out.size, 0, NULL);
	wanted = json_loads(OBJECT, 0, NULL);
	assert_non_null(got);
	assert_true(json_equal(got, wanted));
	run_release(&run);
}

static void send_journal(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	static const char evil[] = "\x1b]52;c;AAAA\x07 \xc2\x9b x \xe2\x80\xae \xff\nnext ";

	(void)request;
	assert_int_equal(n_fds, 1);
	/* characters cut in two by writes, and one that never ends */
	assert_true(write(fds[0], evil, sizeof(evil) - 1) > 0);
	assert_int_equal(write(fds[0], "\xc3", 1), 1);
	(void)usleep(20000);
	assert_int_equal(write(fds[0], "\xa4\n\xe2\x82", 4), 4);
	fake_send(conn_fd, "{\"version\":1,\"ok\":true}", -1);
}

static void test_journal(void **state)
{
	static const struct fake_rule journal[] = {{"logs", NULL, send_journal}, {}};
	struct fake *fake = fake_start(journal);
	struct run run = {};

	(void)state;
	run_skep(&run, SKEP(fake, "log", "alice"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 0);
	assert_string_equal(
		buf_str(&run.out),
		"\\x1b]52;c;AAAA\\x07 \\x9b x U+202E \\xff\nnext \xc3\xa4\n\\xe2\\x82");
	run_release(&run);
}

static char *filtered(const char *text, size_t size, size_t step)
{
	struct filter_terminal filter = {};
	struct buf out = {};

	for (size_t i = 0; i < size; i += step)
		filter_terminal(&filter, text + i, size - i < step ? size - i : step, &out);
	return buf_take(&out);
}

static void test_terminal_filter(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x9d\r\n\t\x08",
		 "plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x9d\r\n\t\x08"},
		{"\x1b[31mred\x1b[0m \x1b[2J\x1b[10;20H\x1b[?1049h",
		 "\x1b[31mred\x1b[0m \x1b[2J\x1b[10;20H\x1b[?1049h"},
		{"a\x1b]0;title\x07"
		 "b",
		 "ab"},
		{"a\x1b]52;c;QUFB\x1b\\b", "ab"},
		{"a\x1bPq#0\x1b\\b\x1b_x\x1b\\c\x1b^x\x1b\\d\x1bXx\x1b\\e", "abcde"},
		{"a\xc2\x9d"
		 "0;t\x07"
		 "b",
		 "a0;t\x07"
		 "b"},
		{"a\x9b"
		 "31mb",
		 "a31mb"},
		{"\xc2\xa0\xc2\xad", "\xc2\xa0\xc2\xad"},
		{"a\x1b[5ib\x1b[21tc", "abc"},
		{"\x1b(B\x1b)0\x1b=\x1b>\x1b"
		 "7\x1b"
		 "8\x1b"
		 "c\x1bM\x1b#8",
		 "\x1b(B\x1b)0\x1b=\x1b>\x1b"
		 "7\x1b"
		 "8\x1b"
		 "c\x1bM\x1b#8"},
		{"a\x1b[\x1b]0;t\x07"
		 "b",
		 "ab"},
		{"a\x1b["
		 "1111111111111111111111111111111111111111111111111111111111111111111111mb",
		 "ab"},
		{"a\x1b", "a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t step = 1; step < 8; step += 2) {
			_cleanup_free_ char *got =
				filtered(cases[i].in, strlen(cases[i].in), step);

			assert_string_equal(got, cases[i].out);
		}
	}
}

/* --json writes what jansson leaves raw as escapes, and stays the same value. */
static void test_answer_print(void **state)
{
	json_auto_t *value =
		json_loads("[\"\\u009b\\u007f\\u202e\\udb40\\udc01 \xc3\xa4\"]", 0, NULL);
	_cleanup_buf_ struct buf out = {};

	(void)state;
	answer_print(&out, value);
	assert_string_equal(buf_str(&out),
			    "[\"\\u009b\\u007f\\u202e\\udb40\\udc01 \xc3\xa4\"]\n");
}

static void test_out(void **state)
{
	struct out out = {.fd = -1, .color = true};

	(void)state;
	out_add(&out, STYLE_BAD, "%s", "\x1b[2Ja\nb");
	out_lines(&out, STYLE_PLAIN, "> ", "one\n\x1b[2Jtwo\n\nend");
	assert_string_equal(buf_str(&out.pending),
			    "\x1b[31m\\x1b[2Ja b\x1b[0m> one\n> \\x1b[2Jtwo\n> \n> end\n");
	out_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_command), cmocka_unit_test(test_json_is_kept),
		cmocka_unit_test(test_journal),       cmocka_unit_test(test_terminal_filter),
		cmocka_unit_test(test_answer_print),  cmocka_unit_test(test_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
