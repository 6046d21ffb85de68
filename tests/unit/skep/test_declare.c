/* validate, plan and apply against a daemon from a table: what is sent, what is shown, and with
 * which status it ends. */
#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLAN                                                                                   \
	"{\"hive\":\"prod\",\"generation\":4,\"meta\":"                                        \
	"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"none\":1,\"create\":1,\"change\":"     \
	"1,\"remove\":0,\"leave\":1,\"changes\":[{\"agent\":\"alice\",\"action\":\"create\","  \
	"\"fields\":[{\"field\":\"memory_max\",\"to\":\"1G\"}]},{\"agent\":\"bob\","           \
	"\"action\":\"change\",\"fields\":[{\"field\":\"label.team\",\"from\":\"red\",\"to\":" \
	"\"\\u001b[31mx\"}]},{\"agent\":\"carol\",\"action\":\"none\",\"fields\":[]},{"        \
	"\"agent\":\"dave\",\"action\":\"leave\",\"fields\":[]}]}"
#define NOTHING                                                                       \
	"{\"hive\":\"prod\",\"generation\":4,\"meta\":\"x\",\"none\":1,\"create\":0," \
	"\"change\":0,\"remove\":0,\"leave\":0,\"changes\":[]}"

/* The document that came along, as the daemon would read it. */
static void answer_with_document(int conn_fd, const json_t *request, const int *fds,
				 size_t n_fds)
{
	char text[4096] = "";
	int seals = n_fds == 1 ? fcntl(fds[0], F_GET_SEALS) : -1;

	(void)request;
	if (n_fds == 1 && pread(fds[0], text, sizeof(text) - 1, 0) > 0)
		fake_note("sealed %s: %s", seals > 0 ? "yes" : "no", text);
	fake_send(conn_fd, "{\"version\":1,\"ok\":true,\"plan\":" PLAN "}", -1);
}

static void write_at(const char *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = str_format("%s/%s", dir, name);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
}

static int setup(void **state)
{
	char path[] = "/tmp/skep-declare-XXXXXX";
	_cleanup_free_ char *agents = NULL;

	assert_non_null(mkdtemp(path));
	agents = str_format("%s/agents", path);
	assert_int_equal(mkdir(agents, 0700), 0);
	write_at(path, "hive.json", "{\"name\":\"prod\"}");
	write_at(path, "agents/alice.json", "{\"limits\":{\"memory_max\":\"1G\"}}");
	*state = str_dup(path);
	return 0;
}

static int teardown(void **state)
{
	int r = file_remove_tree(AT_FDCWD, *state, NULL);

	free(*state);
	return r;
}

static void check(const struct fake_rule *rules, const char *const *words, int status,
		  const char *out, const char *err, const char *asked)
{
	struct fake *fake = fake_start(rules);
	_cleanup_free_ const char **argv = mem_new(16, sizeof(*argv));
	_cleanup_free_ char *log = NULL;
	struct run run = {};
	size_t n = 3;

	argv[0] = "skep";
	argv[1] = "--socket";
	argv[2] = fake_path(fake);
	while ((argv[n] = words[n - 3]))
		n++;
	run_skep(&run, argv);
	log = fake_stop(fake);
	assert_int_equal(run.status, status);
	if (out && !strstr(buf_str(&run.out), out))
		fail_msg("'%s' is not in '%s'", out, buf_str(&run.out));
	if (err && !strstr(buf_str(&run.err), err))
		fail_msg("'%s' is not in '%s'", err, buf_str(&run.err));
	if (asked && !strstr(log, asked))
		fail_msg("'%s' is not in '%s'", asked, log);
	run_release(&run);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_plan(void **state)
{
	static const struct fake_rule rules[] = {{"plan", NULL, answer_with_document}, {}};
	static const struct fake_rule same[] = {
		{"plan", "{\"version\":1,\"ok\":true,\"plan\":" NOTHING "}", NULL}, {}};
	const char *dir = *state;

	check(rules, WORDS("plan", dir), 0,
	      "  + alice: create\n      memory_max: 1G\n  ~ bob: change\n      label.team: red "
	      "-> "
	      "\\x1b[31mx\n  ! dave: not declared any more; --prune destroys it\n",
	      "generation 4 of prod: 1 to create, 1 to change, 0 to remove, 1 as declared",
	      "{\"cmd\":\"plan\"}");
	check(rules, WORDS("plan", dir, "--prune"), 0, NULL, NULL,
	      "{\"cmd\":\"plan\",\"prune\":true}");
	check(rules, WORDS("plan", dir), 0, NULL, NULL,
	      "sealed yes: {\"version\":1,\"hive\":\"prod\",\"agents\":{\"alice\":{\"limits\":{"
	      "\"memory_max\":\"1G\"}}},\"images\":{}}");
	check(rules, WORDS("plan", dir, "--plain"), 0,
	      "alice\tcreate\tmemory_max\t-\t1G\nbob\tchange\tlabel.team\tred\t\\x1b[31mx\n"
	      "dave\tleave\t-\t-\t-\n",
	      NULL, NULL);
	check(rules, WORDS("plan", dir, "--exit-code"), 10, NULL, NULL, NULL);
	check(same, WORDS("plan", dir, "--exit-code"), 0, NULL, NULL, NULL);
	check(rules, WORDS("plan", dir, "--json"), 0, "\"notes\":[]", NULL, NULL);
}

static void test_apply(void **state)
{
	static const struct fake_rule rules[] = {
		{"plan", "{\"version\":1,\"ok\":true,\"plan\":" PLAN "}", NULL},
		{"apply", "{\"version\":1,\"ok\":true,\"apply\":{}}", NULL},
		{}};
	static const struct fake_rule stale[] = {
		{"plan", "{\"version\":1,\"ok\":true,\"plan\":" PLAN "}", NULL},
		{"apply",
		 "{\"version\":1,\"ok\":false,\"error\":\"it has changed\",\"code\":\"stale\"}",
		 NULL},
		{}};
	static const struct fake_rule same[] = {
		{"plan", "{\"version\":1,\"ok\":true,\"plan\":" NOTHING "}", NULL}, {}};
	const char *dir = *state;

	check(rules, WORDS("apply", dir, "--prune"), 0, NULL,
	      "applied generation 4 of prod: 1 to create",
	      "{\"cmd\":\"apply\",\"prune\":true,\"meta\":"
	      "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"wait\":true}");
	check(rules, WORDS("apply", dir, "--no-wait"), 0, NULL, "applying generation 4", NULL);
	check(rules, WORDS("apply", dir, "--json"), 0, "\"applied\":true", NULL, NULL);
	check(stale, WORDS("apply", dir), 5, NULL, "it has changed", NULL);
	/* nothing to do is not even asked for */
	check(same, WORDS("apply", dir), 0, NULL, "prod is as declared", NULL);
	check(same, WORDS("apply", dir, "--watch", "--rev", "x"), 2, NULL,
	      "a commit does not change", NULL);
}

/* Files that are wrong never leave this machine. */
static void test_wrong_files(void **state)
{
	static const struct fake_rule rules[] = {{}};
	static const char *const commands[] = {"validate", "plan", "apply"};
	const char *dir = *state;

	write_at(dir, "agents/alice.json", "{\"limits\":{\"memory_max\":\"12Q\"}}");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		check(rules, WORDS(commands[i], dir), 2, "",
		      "agents/alice.json: 'limits.memory_max' must be bytes", NULL);
	check(rules, WORDS("validate", "/nonexistent"), 3, "", "/nonexistent", NULL);
	write_at(dir, "agents/alice.json", "{\"hosts\":[\"there\"]}");
	check(rules, WORDS("validate", dir, "--host", "here"), 0, NULL, "agents 0, images 0",
	      NULL);
	check(rules, WORDS("validate", dir, "--host", "there", "--json"), 0,
	      "{\"hive\":\"prod\",\"agents\":[\"alice\"],\"images\":[],\"notes\":[]}\n", NULL,
	      NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_apply, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
