/* What goes wrong: exit statuses by code, errors on stderr, connections that do not come about.
 */

#include "skep/fake.h"

#include "base/cleanup.h"
#include "base/sock.h"
#include "skep/client.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void test_codes(void **state)
{
	static const struct {
		const char *code;
		int status;
	} codes[] = {
		{"bad_request", 2},   {"unknown_cmd", 2},   {"too_large", 2},
		{"bad_name", 2},      {"empty_scope", 2},   {"unsupported", 2},
		{"not_found", 3},     {"forbidden", 4},     {"exists", 5},
		{"wrong_state", 5},   {"stale", 5},         {"superseded", 5},
		{"expired", 5},       {"idem_mismatch", 5}, {"build_failed", 6},
		{"deploy_failed", 7}, {"needs_ack", 8},     {"blocked", 8},
		{"busy", 75},         {"rate_limited", 75}, {"unavailable", 75},
		{"storage", 1},       {"internal", 1},      {"from_the_future", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		_cleanup_free_ char *answer = str_format(
			"{\"version\":1,\"ok\":false,\"error\":\"no\",\"code\":\"%s\"}",
			codes[i].code);
		const struct fake_rule rules[] = {{"status", answer, NULL}, {}};
		struct fake *fake = fake_start(rules);
		struct run run = {};

		run_skep(&run, SKEP(fake, "status"));
		free(fake_stop(fake));
		assert_int_equal(run.status, codes[i].status);
		assert_string_equal(buf_str(&run.out), "");
		assert_string_equal(buf_str(&run.err), "skep: no\n");
		run_release(&run);
	}
}

static void test_hints_and_json(void **state)
{
	static const struct fake_rule rules[] = {
		{"agent",
		 "{\"version\":1,\"ok\":false,\"error\":\"no agent "
		 "'x'\",\"code\":\"not_found\",\"hint\":\"skep list\"}",
		 NULL},
		{"status",
		 "{\"version\":1,\"ok\":false,\"error\":\"starting\",\"code\":\"unavailable\","
		 "\"retry_after_s\":5}",
		 NULL},
		{},
	};
	struct fake *fake = fake_start(rules);
	struct run plain = {}, json = {}, retry = {};

	(void)state;
	run_skep(&plain, SKEP(fake, "show", "x"));
	run_skep(&json, SKEP(fake, "show", "x", "--json"));
	run_skep(&retry, SKEP(fake, "status"));
	free(fake_stop(fake));
	assert_string_equal(buf_str(&plain.err), "skep: no agent 'x'\nhint: skep list\n");
	assert_string_equal(buf_str(&json.out), "");
	assert_string_equal(
		buf_str(&json.err),
		"{\"error\":\"no agent 'x'\",\"code\":\"not_found\",\"hint\":\"skep list\"}\n");
	assert_string_equal(buf_str(&retry.err), "skep: starting\nhint: try again in 5 s\n");
	run_release(&plain);
	run_release(&json);
	run_release(&retry);
}

/* A daemon that refuses a client before it has said anything, and hangs up. */
static void test_refused_unheard(void **state)
{
	char path[64] = "/tmp/skep-refuses-XXXXXX";
	const char refusal[] = "{\"version\":1,\"ok\":false,\"error\":\"not you\"}\n";
	json_auto_t *request = json_pack("{s:s}", "cmd", "status"), *answer = NULL;
	_cleanup_client_ struct client client = CLIENT_NONE;
	struct error err = {};
	int listen_fd, fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	strcat(path, "/s");
	listen_fd = sock_listen(path, SOCK_STREAM, 0600, getuid(), getgid(), &err);
	assert_true(listen_fd >= 0);
	assert_int_equal(client_open(path, &client, &err), 0);
	fd = accept(listen_fd, NULL, NULL);
	assert_int_equal(write(fd, refusal, sizeof(refusal) - 1), sizeof(refusal) - 1);
	(void)close(fd);
	(void)close(listen_fd);
	assert_int_equal(client_send(&client, request, NULL, 0, &err), 0);
	assert_int_equal(client_receive(&client, 1000, &answer, &err), 0);
	assert_string_equal(json_string_value(json_object_get(answer, "error")), "not you");
	(void)unlink(path);
	*strrchr(path, '/') = '\0';
	(void)rmdir(path);
}

static void test_strange_answers(void **state)
{
	static const struct {
		const char *answer;
		int status;
		const char *says;
	} cases[] = {
		{"hello", 1, "not valid JSON"},
		{"[]", 1, "not one of this protocol"},
		{"{\"version\":1}", 1, "not one of this protocol"},
		{"{\"version\":1,\"ok\":false}", 1, "without a reason"},
		{"{\"version\":2,\"ok\":true,\"agent_statuses\":[]}", 2, "newer protocol"},
		{"{\"ok\":true,\"agent_statuses\":[]}", 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct fake_rule rules[] = {{"agent_status", cases[i].answer, NULL}, {}};
		struct fake *fake = fake_start(rules);
		struct run run = {};

		run_skep(&run, SKEP(fake, "list"));
		free(fake_stop(fake));
		assert_int_equal(run.status, cases[i].status);
		assert_non_null(strstr(buf_str(&run.err), cases[i].says));
		run_release(&run);
	}
}

static void hang_up(int conn_fd, const json_t *request, const int *fds, size_t n_fds)
{
	(void)request;
	(void)fds;
	(void)n_fds;
	(void)shutdown(conn_fd, SHUT_RDWR);
}

static void test_hang_up(void **state)
{
	static const struct fake_rule rules[] = {{"status", NULL, hang_up}, {}};
	struct fake *fake = fake_start(rules);
	struct run run = {};

	(void)state;
	run_skep(&run, SKEP(fake, "status"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 75);
	run_release(&run);
}

static void test_no_daemon(void **state)
{
	char dir[] = "/tmp/skep-test-XXXXXX";
	_cleanup_free_ char *missing = NULL, *dead = NULL;
	struct error err = {};
	struct run absent = {}, refused = {};
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	missing = str_format("%s/missing.sock", dir);
	dead = str_format("%s/dead.sock", dir);
	fd = sock_listen(dead, SOCK_STREAM, 0600, getuid(), getgid(), &err);
	assert_true(fd >= 0);
	(void)close(fd);
	run_skep(&absent, (const char *const[]){"skep", "status", "--socket", missing, NULL});
	run_skep(&refused, (const char *const[]){"skep", "status", "--socket", dead, NULL});
	assert_int_equal(absent.status, 75);
	assert_non_null(strstr(buf_str(&absent.err), "the daemon is not running"));
	assert_int_equal(refused.status, 75);
	assert_non_null(strstr(buf_str(&refused.err), "the daemon is down"));
	(void)unlink(dead);
	(void)rmdir(dir);
	run_release(&absent);
	run_release(&refused);
}

static void test_not_permitted(void **state)
{
	static const struct fake_rule rules[] = {{"status", "{\"version\":1,\"ok\":true}",
						  NULL},
						 {}};
	struct fake *fake = fake_start(rules);
	struct run run = {.unprivileged = true};

	(void)state;
	assert_int_equal(chmod(fake_path(fake), 0), 0);
	run_skep(&run, SKEP(fake, "status"));
	free(fake_stop(fake));
	assert_int_equal(run.status, 4);
	assert_non_null(strstr(buf_str(&run.err), "you may not use"));
	assert_non_null(
		strstr(buf_str(&run.err), "join the group skep-admin and log in again"));
	run_release(&run);
}

/* Usage errors reach nobody: there is no daemon at that socket. */
static void test_usage(void **state)
{
	static const struct {
		const char *argv[6];
		const char *says;
	} cases[] = {
		{{"frobnicate"}, "there is no command 'frobnicate'"},
		{{"aprove", "3"}, "did you mean 'skep approve'"},
		{{"show"}, "show needs AGENT"},
		{{"show", "a", "b"}, "does not take 'b'"},
		{{"show", "A"}, "not an agent name"},
		{{"show", "--frob", "a"}, "no option --frob"},
		{{"show", "-x", "a"}, "no option -x"},
		{{"approve", "x", "--commit", "1234567"}, "not the number of a proposal"},
		{{"approve", "3"}, "approve needs --commit"},
		{{"approve", "3", "--commit", "main"}, "not a commit id"},
		{{"approve", "3", "--commit"}, "--commit needs a value"},
		{{"deny", "3", "-m"}, "-m needs a value"},
		{{"deny", "3", "-m", "a", "-mb"}, "given twice"},
		{{"list", "--json=yes"}, "takes no value"},
		{{"list", "--color=blue"}, "takes auto|always|never"},
		{{"exec", "alice", "ls"}, "does not take 'ls'"},
		{{"exec", "alice", "--"}, "needs '--' and a command"},
		{{"exec", "alice"}, "needs '--' and a command"},
		{{"shell", "alice"}, "needs a terminal"},
		{{"set", "alice"}, "needs a setting"},
		{{"log", "alice", "-n", "0"}, "from 1 to"},
		{{"deny", "3", "-m", "\xff"}, "not UTF-8"},
		{{"help", "frobnicate"}, "there is no command"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *argv[10] = {"skep", "--socket", "/nonexistent"};
		struct run run = {};

		for (size_t j = 0; cases[i].argv[j]; j++)
			argv[3 + j] = cases[i].argv[j];
		run_skep(&run, argv);
		if (run.status != 2 || !strstr(buf_str(&run.err), cases[i].says))
			print_error("%s: %d %s\n", cases[i].argv[0], run.status,
				    buf_str(&run.err));
		assert_int_equal(run.status, 2);
		assert_non_null(strstr(buf_str(&run.err), cases[i].says));
		assert_string_equal(buf_str(&run.out), "");
		run_release(&run);
	}
}

static void test_help(void **state)
{
	struct run help = {}, bare = {}, version = {}, one = {};

	(void)state;
	run_skep(&help, (const char *const[]){"skep", "help", NULL});
	run_skep(&bare, (const char *const[]){"skep", NULL});
	run_skep(&version, (const char *const[]){"skep", "--version", NULL});
	run_skep(&one, (const char *const[]){"skep", "deny", "--help", NULL});
	assert_int_equal(help.status, 0);
	assert_int_equal(bare.status, 2);
	assert_string_equal(buf_str(&help.out), buf_str(&bare.err));
	assert_string_equal(buf_str(&version.out), "skep " SKEP_VERSION "\n");
	assert_int_equal(one.status, 0);
	assert_non_null(strstr(buf_str(&one.out), "skep deny N"));
	run_release(&help);
	run_release(&bare);
	run_release(&version);
	run_release(&one);
}

/* A reader that leaves early is no error to speak of: the client ends as others do. */
static void test_broken_pipe(void **state)
{
	static const struct fake_rule rules[] = {
		{"build_log",
		 "{\"version\":1,\"ok\":true,\"log\":\"x\"}\n{\"version\":1,\"ok\":true,"
		 "\"end\":true}",
		 NULL},
		{},
	};
	struct fake *fake = fake_start(rules);
	struct run help = {.no_reader = true}, log = {.no_reader = true};

	(void)state;
	run_skep(&help, SKEP(fake, "help"));
	run_skep(&log, SKEP(fake, "log", "3", "-f"));
	free(fake_stop(fake));
	assert_int_equal(help.status, 128 + SIGPIPE);
	assert_int_equal(log.status, 128 + SIGPIPE);
	assert_string_equal(buf_str(&help.err), "");
	assert_string_equal(buf_str(&log.err), "");
	run_release(&help);
	run_release(&log);
}

/* A daemon that cannot be asked is a check that failed, with what to do about it; so is a
 * machine that only root could look at. */
static void test_doctor_without_daemon(void **state)
{
	struct run run = {.unprivileged = true};

	(void)state;
	run_skep(&run,
		 (const char *const[]){"skep", "--socket", "/nonexistent/s", "doctor", NULL});
	assert_int_equal(run.status, 1);
	assert_non_null(strstr(buf_str(&run.out), "skepd"));
	assert_non_null(strstr(buf_str(&run.out), "fix: "));
	assert_non_null(strstr(buf_str(&run.out), "\nmachine"));
	run_release(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_hints_and_json),
		cmocka_unit_test(test_refused_unheard),
		cmocka_unit_test(test_strange_answers),
		cmocka_unit_test(test_hang_up),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_not_permitted),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_broken_pipe),
		cmocka_unit_test(test_doctor_without_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
