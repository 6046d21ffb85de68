/*
 * Who may connect and say what, on sockets of a server in this process: an agent's peers are
 * those with the first id of its range, which here is the test's own.
 */
#include "loop_unit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/sock.h"
#include "control/container.h"
#include "control/event.h"
#include "control/joblog.h"
#include "control/request.h"
#include "control/server.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

struct fixture {
	char dir[64];
	struct config config;
	struct loop *loop;
	struct hive *hive;
};

static void path_of(char out[128], const struct fixture *f, const char *name)
{
	snprintf(out, 128, "%s/%s.sock", f->dir, name);
}

static void add_agent(struct fixture *f, const char *name, const char *parent)
{
	struct settings settings;
	struct agent *agent;
	char path[128];
	int fd;

	settings_init(&settings, name);
	snprintf(settings.parent, sizeof(settings.parent), "%s", parent);
	settings.uid_base = getuid();
	agent = hive_add(f->hive, &settings);
	path_of(path, f, name);
	fd = sock_listen(path, SOCK_STREAM, 0600, getuid(), getgid(), NULL);
	assert_true(fd >= 0);
	server_serve_agent(f->hive, agent, fd);
}

static void serve(struct fixture *f, const char *name, enum principal who)
{
	char path[128];
	int fd;

	path_of(path, f, name);
	fd = sock_listen(path, SOCK_STREAM, 0600, getuid(), getgid(), NULL);
	assert_true(fd >= 0);
	server_listen(f->hive->server, fd, who, (int64_t)getgid());
}

static int setup(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/skep-sessions-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	config_init(&f->config);
	free(f->config.state_dir);
	f->config.state_dir = str_format("%s/state", f->dir);
	f->loop = loop_new();
	f->hive = hive_new(f->loop, &f->config, clock_wall_s);
	f->hive->events = events_new(0);
	f->hive->server = server_new(f->hive);
	add_agent(f, "hm1nd", "");
	add_agent(f, "alice", "hm1nd");
	add_agent(f, "bob", "alice");
	serve(f, "operator", PRINCIPAL_OPERATOR);
	serve(f, "read", PRINCIPAL_READER);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unit_turn(f->loop);
	server_free(f->hive->server);
	events_free(f->hive->events);
	hive_free(f->hive);
	loop_free(f->loop);
	config_release(&f->config);
	(void)file_remove_tree(AT_FDCWD, f->dir, NULL);
	free(f);
	return 0;
}

static int dial(struct fixture *f, const char *name)
{
	char path[128];
	int fd;

	path_of(path, f, name);
	fd = sock_connect(path, SOCK_STREAM, NULL);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	unit_turn(f->loop);
	return fd;
}

static void hang_up(struct fixture *f, int fd)
{
	(void)close(fd);
	unit_turn(f->loop);
}

static void say(struct fixture *f, int fd, const char *text)
{
	_cleanup_free_ char *line = str_format("%s\n", text);

	for (char *q = line; *q; q++)
		if (*q == '\'')
			*q = '"';
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	unit_turn(f->loop);
}

/* The next line; NULL when there is none. The caller owns it. */
static json_t *hear(struct fixture *f, int fd)
{
	_cleanup_buf_ struct buf line = {};
	json_t *answer = NULL;
	char c;

	unit_turn(f->loop);
	while (read(fd, &c, 1) == 1 && c != '\n')
		buf_add_char(&line, c);
	if (line.size > 0)
		assert_int_equal(json_parse(buf_str(&line), line.size, &answer, NULL), 0);
	return answer;
}

static json_t *ask(struct fixture *f, int fd, const char *text)
{
	say(f, fd, text);
	return hear(f, fd);
}

static void assert_code(json_t *answer, const char *code)
{
	const char *got = json_string_value(json_object_get(answer, "code"));

	if (!got || strcmp(got, code) != 0) {
		_cleanup_free_ char *line = json_line(answer);

		fail_msg("'%s' was expected: %s", code, line ? line : "nothing");
	}
	json_decref(answer);
}

static void test_manager_has_children(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f, "hm1nd");
	json_t *answer;

	assert_code(ask(f, fd, "{'cmd':'stop','name':'hm1nd'}"), "forbidden");
	assert_code(ask(f, fd, "{'cmd':'restart'}"), "forbidden");
	assert_code(ask(f, fd, "{'cmd':'stop','name':'bob'}"), "forbidden");
	assert_code(ask(f, fd, "{'cmd':'start','scope':{'agent_names':['alice','hm1nd']}}"),
		    "forbidden");
	assert_code(ask(f, fd, "{'cmd':'start','scope':{'agent_names':['alice','bob']}}"),
		    "forbidden");
	assert_code(ask(f, fd, "{'cmd':'approve','id':1}"), "forbidden");
	answer = ask(f, fd, "{'cmd':'list'}");
	assert_int_equal(json_array_size(json_object_get(answer, "agents")), 2);
	json_decref(answer);
	hang_up(f, fd);
	fd = dial(f, "alice");
	assert_code(ask(f, fd, "{'cmd':'stop','name':'bob'}"), "forbidden");
	hang_up(f, fd);
}

static void add_proposal(struct fixture *f, int64_t id, const char *agent)
{
	struct proposal *p = proposal_new(id, agent);

	memset(p->commit, 'a', sizeof(p->commit) - 1);
	memset(p->tree, 'b', sizeof(p->tree) - 1);
	hive_add_proposal(f->hive, p);
}

/* Whether a number exists elsewhere is not told by the words either. */
static void test_proposals_of_others(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *hers = NULL, *nobodys = NULL;
	int fd = dial(f, "alice");
	json_t *answer;

	add_proposal(f, 5, "bob");
	add_proposal(f, 6, "alice");
	add_proposal(f, 7, "alice");
	answer = ask(f, fd, "{'cmd':'proposal','id':5}");
	hers = str_dup(json_string_value(json_object_get(answer, "error")));
	assert_code(answer, "not_found");
	answer = ask(f, fd, "{'cmd':'proposal','id':9}");
	nobodys = str_dup(json_string_value(json_object_get(answer, "error")));
	assert_code(answer, "not_found");
	assert_string_equal(strchr(hers, '5') + 1, strchr(nobodys, '9') + 1);

	answer = ask(f, fd, "{'cmd':'proposals','id':6}");
	assert_int_equal(json_array_size(json_object_get(answer, "approvals")), 1);
	json_decref(answer);
	answer = ask(f, fd, "{'cmd':'proposals','id':5}");
	assert_int_equal(json_array_size(json_object_get(answer, "approvals")), 0);
	json_decref(answer);
	hang_up(f, fd);
}

static void test_requests_are_rationed(void **state)
{
	struct fixture *f = *state;
	int fds[2] = {dial(f, "alice"), dial(f, "alice")};
	json_t *answer = NULL;
	int i;

	for (i = 0; i < 200; i++) {
		json_decref(answer);
		answer = ask(f, fds[i % 2], "{'cmd':'whoami'}");
		if (json_is_false(json_object_get(answer, "ok")))
			break;
	}
	assert_in_range(i, 60, 70);
	assert_true(json_integer_value(json_object_get(answer, "retry_after_s")) > 0);
	assert_code(answer, "rate_limited");
	for (i = 0; i < 2; i++)
		hang_up(f, fds[i]);
	/* a new connection is not a new ration */
	fds[0] = dial(f, "alice");
	assert_code(ask(f, fds[0], "{'cmd':'whoami'}"), "rate_limited");
	hang_up(f, fds[0]);
}

static void test_connections(void **state)
{
	struct fixture *f = *state;
	int fds[128], late;

	for (int i = 0; i < 8; i++)
		fds[i] = dial(f, "alice");
	late = dial(f, "alice");
	assert_code(hear(f, late), "busy");
	(void)close(late);
	hang_up(f, fds[0]);
	fds[0] = dial(f, "alice");
	json_decref(ask(f, fds[0], "{'cmd':'whoami'}"));
	for (int i = 0; i < 8; i++)
		hang_up(f, fds[i]);

	/* readers fill their own places, nobody else's */
	for (int i = 0; i < 128; i++)
		fds[i] = dial(f, "read");
	late = dial(f, "read");
	assert_code(hear(f, late), "busy");
	(void)close(late);
	late = dial(f, "operator");
	json_decref(ask(f, late, "{'cmd':'list'}"));
	hang_up(f, late);
	for (int i = 0; i < 128; i++)
		hang_up(f, fds[i]);
}

/* Who connects all the time waits in the kernel's line, and keeps nobody else from being let
 * in. */
static void test_knocks(void **state)
{
	struct fixture *f = *state;
	bool heard = true;
	json_t *answer;
	int fds[200], n = 0;

	while (n < 199 && heard) {
		fds[n] = dial(f, "alice");
		answer = n < 8 ? ask(f, fds[n], "{'cmd':'hello'}") : hear(f, fds[n]);
		heard = answer != NULL;
		json_decref(answer);
		n++;
	}
	assert_false(heard);
	assert_in_range(n, 61, 199);
	assert_non_null(hive_find(f->hive, "alice")->listen_pause);
	fds[n] = dial(f, "bob");
	answer = ask(f, fds[n], "{'cmd':'whoami'}");
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	/* it is let in later */
	while (hive_find(f->hive, "alice")->listen_pause)
		unit_turn(f->loop);
	assert_code(hear(f, fds[n - 1]), "busy");
	for (int i = 0; i <= n; i++)
		(void)close(fds[i]);
}

static int count_lines(int fd)
{
	int n = 0;
	char c;

	while (read(fd, &c, 1) == 1)
		n += c == '\n';
	return n;
}

static void turn_once(struct fixture *f)
{
	struct unit_turn turn = {.loop = f->loop};

	(void)loop_timer(f->loop, 0, unit_on_turn, &turn);
	while (!turn.done)
		assert_int_equal(loop_run(f->loop), 0);
}

/* However much one agent has asked on however many connections, another waits for a request of
 * each. */
static void test_agents_take_turns(void **state)
{
	struct fixture *f = *state;
	struct pollfd quiet = {.events = POLLIN};
	int fds[8], n = 0;

	for (int i = 0; i < 8; i++)
		fds[i] = dial(f, "alice");
	quiet.fd = dial(f, "bob");
	for (int i = 0; i < 8; i++)
		for (int k = 0; k < 7; k++)
			assert_int_equal(write(fds[i], "{\"cmd\":\"whoami\"}\n", 17), 17);
	assert_int_equal(write(quiet.fd, "{\"cmd\":\"whoami\"}\n", 17), 17);
	while (poll(&quiet, 1, 0) == 0)
		turn_once(f);
	for (int i = 0; i < 8; i++)
		n += count_lines(fds[i]);
	assert_in_range(n, 0, 2 * 8);
	unit_turn(f->loop);
	for (int i = 0; i < 8; i++)
		n += count_lines(fds[i]);
	assert_int_equal(n, 7 * 8);
	for (int i = 0; i < 8; i++)
		hang_up(f, fds[i]);
	hang_up(f, quiet.fd);
}

static void assert_refused(struct fixture *f, int fd, const char *request, const char *code,
			   const char *words)
{
	json_t *answer = ask(f, fd, request);
	const char *text = json_string_value(json_object_get(answer, "error"));

	if (!text || !strstr(text, words))
		fail_msg("\"%s\" was expected: %s", words, text ? text : "nothing");
	assert_code(answer, code);
}

/* What an agent is refused names what it has, and how much it may have. */
static void test_quotas_are_told(void **state)
{
	static const char submit[] = "{'cmd':'submit','commit':'0123456789'}";
	struct fixture *f = *state;
	struct agent *alice = hive_find(f->hive, "alice");
	_cleanup_free_ char *dir = hive_applied_dir(f->hive, "alice");
	_cleanup_free_ char *path = str_format("%s/.git/objects/pack/pack-x.pack", dir);
	int fd = dial(f, "alice"), file;

	*strrchr(path, '/') = '\0';
	assert_int_equal(file_make_path(path, 0700, NULL), 0);
	path[strlen(path)] = '/';

	alice->submits = (struct quota){.since_ms = clock_boot_ms(), .count = 10};
	assert_refused(f, fd, submit, "rate_limited", "within an hour and may make 10");
	alice->submits.count = 0;
	alice->daily_submits = (struct quota){.since_ms = clock_boot_ms(), .count = 50};
	assert_refused(f, fd, submit, "rate_limited", "within a day and may make 50");
	assert_int_equal(alice->submits.count, 0);
	f->config.proposals_per_day = 20;
	assert_refused(f, fd, submit, "rate_limited", "may make 20");

	file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	f->config.max_repo_bytes = 1 << 20;
	assert_int_equal(posix_fallocate(file, 0, 2 << 20), 0);
	(void)close(file);
	assert_refused(f, fd, submit, "too_large", "takes 2 MiB, and 1 are all it may");

	hang_up(f, fd);

	fd = dial(f, "hm1nd");
	add_proposal(f, 3, "alice");
	hive_find(f->hive, "hm1nd")->diffs = 2;
	assert_refused(f, fd, "{'cmd':'diff','id':3}", "busy", "2 differences");
	hive_find(f->hive, "hm1nd")->diffs = 0;
	f->hive->diffs = 4;
	assert_refused(f, fd, "{'cmd':'diff','id':3}", "busy", "4 differences");
	f->hive->diffs = 0;
	hive_find(f->hive, "hm1nd")->powers =
		(struct quota){.since_ms = clock_boot_ms(), .count = 240};
	assert_refused(f, fd, "{'cmd':'stop','name':'alice'}", "rate_limited", "may make 240");
	hang_up(f, fd);
}

static void test_undecided_requests(void **state)
{
	struct fixture *f = *state;
	struct error err = {};

	for (int64_t id = 10; id < 42; id++) {
		assert_int_equal(request_check_room(f->hive, NULL, &err), 0);
		f->hive->requests.count = 0;
		add_proposal(f, id, "new");
		hive_find_proposal(f->hive, id)->kind = PROPOSAL_SPAWN;
	}
	assert_int_equal(request_check_room(f->hive, NULL, &err), -EBUSY);
	assert_text(&err, "32 requests wait for a verdict already, and no more may");
}

/* Whatever a build says, its log ends where it may, and says so. */
static void test_log_is_bounded(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *dir = str_format("%s/logs", f->config.state_dir), *tail = NULL;
	struct joblog *log = NULL;

	assert_int_equal(file_make_path(dir, 0700, NULL), 0);
	f->config.max_log_bytes = 4096;
	assert_int_equal(joblog_open(f->hive, 1, &log, NULL), 0);
	for (int i = 0; i < 1000; i++)
		joblog_line(log, "line %d", i);
	tail = joblog_tail(log, 100000);
	assert_in_range(strlen(tail), 3900, 4200);
	assert_non_null(strstr(tail, "the log is full: 4096 bytes"));
	joblog_close(log);
}

/* A feed holds rows and nothing else, whatever its reader says. */
static void test_subscriber_is_not_heard(void **state)
{
	struct fixture *f = *state;
	struct agent *alice = hive_find(f->hive, "alice");
	int fd = dial(f, "operator");
	json_t *answer = ask(f, fd, "{'cmd':'subscribe_agent_status'}");

	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_int_equal(json_object_size(answer), 2);
	json_decref(answer);
	assert_null(ask(f, fd, "{'cmd':'list'}"));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	unit_turn(f->loop);
	snprintf(alice->state, sizeof(alice->state), "running");
	event_agent(f->hive, alice);
	answer = hear(f, fd);
	assert_int_equal(json_array_size(json_object_get(answer, "agent_statuses")), 1);
	assert_int_equal(json_object_size(answer), 3);
	json_decref(answer);
	hang_up(f, fd);
}

/* What is remembered for those who come back is bounded by its size, not its number alone. */
static void test_large_events_are_forgotten(void **state)
{
	struct fixture *f = *state;
	struct proposal *p;
	json_t *answer;
	int fd;

	add_proposal(f, 1, "alice");
	p = hive_find_proposal(f->hive, 1);
	for (int i = 0; i < 150; i++) {
		_cleanup_free_ char *place = mem_new(301, 1);

		memset(place, 'x', 290);
		snprintf(place + 290, 10, "%d", i);
		flags_add(&p->flags, FLAG_BINARY_FILE, place);
	}
	event_proposal(f->hive, p);
	fd = dial(f, "operator");
	answer = ask(f, fd, "{'cmd':'subscribe_agent_status','since':0}");
	assert_null(json_object_get(answer, "snapshot"));
	json_decref(answer);
	hang_up(f, fd);
	for (int i = 0; i < 200; i++)
		event_proposal(f->hive, p);
	fd = dial(f, "operator");
	answer = ask(f, fd, "{'cmd':'subscribe_agent_status','since':0}");
	assert_true(json_is_true(json_object_get(answer, "snapshot")));
	json_decref(answer);
	hang_up(f, fd);
}

/* What an agent said of itself was about the run it said it in. */
static void test_status_ends_with_the_run(void **state)
{
	struct fixture *f = *state;
	struct agent *alice = hive_find(f->hive, "alice");
	json_t *runs = json_pack("{s:s,s:i,s:[s]}", "state", "running", "leader", 100,
				 "failed_units", "x.service");
	json_t *event = json_pack("{s:s,s:i}", "state", "running", "leader", 100);
	json_t *ended = json_pack("{s:s}", "state", "failed");
	int fd = dial(f, "alice");

	container_seen(f->hive, alice, runs);
	json_decref(ask(f, fd, "{'cmd':'set_status','text':'busy'}"));
	assert_string_equal(alice->status_text, "busy");
	/* a word about the same run takes nothing away */
	container_seen(f->hive, alice, event);
	assert_string_equal(alice->status_text, "busy");
	assert_int_equal(json_array_size(alice->failed_units), 1);
	container_seen(f->hive, alice, ended);
	assert_null(alice->status_text);
	assert_null(alice->failed_units);
	hang_up(f, fd);
	json_decref(runs);
	json_decref(event);
	json_decref(ended);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_manager_has_children),     TEST(test_proposals_of_others),
		TEST(test_requests_are_rationed),    TEST(test_connections),
		TEST(test_subscriber_is_not_heard),  TEST(test_large_events_are_forgotten),
		TEST(test_status_ends_with_the_run), TEST(test_knocks),
		TEST(test_agents_take_turns),        TEST(test_quotas_are_told),
		TEST(test_undecided_requests),       TEST(test_log_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
