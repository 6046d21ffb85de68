/* What operations change is no difference while they do it, and is not fought. */
#include "hive_apply.h"
#include "hive_drift.h"

#include <poll.h>

/* Lines that came of drift, none of which should. */
static void assert_silent(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char line[4096] = "";

	if (poll(&p, 1, 0) > 0)
		(void)!read(fd, line, sizeof(line) - 1);
	assert_string_equal(line, "");
}

static int watch_drift(struct hive_unit *u)
{
	int fd = ask_later(u, "{'cmd':'subscribe_agent_status','kinds':['drift'],"
			      "'snapshot':true}");
	char line[4096] = "";
	size_t n = 0;

	while (!strchr(line, '\n') && n + 1 < sizeof(line)) {
		ssize_t r = read(fd, line + n, sizeof(line) - 1 - n);

		assert_true(r > 0);
		n += (size_t)r;
	}
	assert_non_null(strstr(line, "\"drift\":[]"));
	return fd;
}

/* With a look begun before, and the answer waited for. */
static void run(struct hive_unit *u, int watch, const char *request)
{
	_cleanup_free_ char *copy = str_dup(request);

	hive_event(u, "{'event':'files'}");
	hive_do(hive_ask(u, "%s", copy));
	hive_event(u, "{'event':'files'}");
	usleep(300000);
	assert_silent(watch);
}

static void test_operations(void **state)
{
	struct hive_unit *u = *state;
	char commit[256];
	int fd;

	spawn(u, "hm1nd");
	fd = watch_drift(u);
	run(u, fd, "{'cmd':'spawn','name':'alice','wait':true}");
	change(u, "alice", "one", commit);
	assert_int_equal(submit(u, "alice", commit), 1);
	run(u, fd, "{'cmd':'approve','id':1,'wait':true}");
	run(u, fd, "{'cmd':'rollback','name':'alice','wait':true}");
	run(u, fd, "{'cmd':'set','name':'alice','settings':{'memory_max':'1G'}}");
	run(u, fd, "{'cmd':'set','name':'alice','settings':{'network':'private'}}");
	run(u, fd, "{'cmd':'set_paused','name':'alice','paused':true}");
	run(u, fd, "{'cmd':'set_paused','name':'alice','paused':false}");
	run(u, fd, "{'cmd':'freeze','name':'alice'}");
	run(u, fd, "{'cmd':'thaw','name':'alice'}");
	run(u, fd, "{'cmd':'restart','name':'alice','wait':true}");
	run(u, fd, "{'cmd':'stop','name':'alice','wait':true}");
	run(u, fd, "{'cmd':'start','name':'alice','wait':true}");
	run(u, fd, "{'cmd':'rename','name':'alice','to':'mary','wait':true}");
	run(u, fd, "{'cmd':'fork','name':'mary','to':'bob'}");
	run(u, fd, "{'cmd':'approve','id':4,'wait':true}");
	run(u, fd, "{'cmd':'rebuild','name':'bob','wait':true}");
	run(u, fd, "{'cmd':'destroy','name':'bob','wait':true}");
	run(u, fd, "{'cmd':'destroy','name':'mary','purge':true,'confirm':'mary','wait':true}");
	assert_silent(fd);
	(void)close(fd);
	assert_int_equal(ended(u, "heal"), 0);
}

/* A container that is being told of a change has not got it yet. */
static void test_told(void **state)
{
	struct hive_unit *u = *state;
	int set_fd, pause_fd;
	char now[256];

	spawn(u, "alice");
	touch(u, "hang-limits");
	set_fd = ask_later(u, "{'cmd':'set','name':'alice','settings':{'memory_max':'1G'}}");
	await_look(u);
	row_of(u, "alice", "memory_max", now);
	assert_string_equal(now, "");
	untouch(u, "hang-limits");
	spawn(u, "bob");
	touch(u, "hang-pause");
	pause_fd = ask_later(u, "{'cmd':'set_paused','name':'bob','paused':true}");
	await_look(u);
	row_of(u, "bob", "paused", now);
	assert_string_equal(now, "");
	(void)close(set_fd);
	(void)close(pause_fd);
}

/* Told in vain: that is a difference, and the next look puts it right. */
static void test_told_in_vain(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	touch(u, "once-limits");
	hive_refused(hive_ask(u, "{'cmd':'set','name':'alice','settings':{'memory_max':'1G'}}"),
		     "storage");
	for (int i = 0; i < 500 && count_rows(u) == 0; i++)
		usleep(10000);
	await_none(u);
	assert_int_equal(ended(u, "restart"), 0);
}

/* A reason for a look at all, while an operation is under way as well. */
#define NEWS "{'event':'container','agent':'hm1nd','state':'running'}"

/* Between two names the same container is no stranger by either. */
static void test_renamed(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "hm1nd");
	spawn(u, "alice");
	await_look(u);
	touch(u, "hang-rename");
	hive_do(hive_ask(u, "{'cmd':'rename','name':'alice','to':'mary'}"));
	found(u, "stray", "{'agent':'mary','state':'stopped'}");
	for (int i = 0; i < 5; i++) {
		hive_event(u, NEWS);
		usleep(300000);
		assert_int_equal(count_rows(u), 0);
	}
}

/* What was a stranger before stays one, also where an answer may be too old to find new ones.
 */
static void test_stranger_stays(void **state)
{
	struct hive_unit *u = *state;
	char now[256], later[CLOCK_TEXT_SIZE];

	spawn(u, "hm1nd");
	spawn(u, "alice");
	found(u, "stray", "{'agent':'ghost','state':'running'}");
	await_row(u, "ghost", "agent", "agent|nothing|running");
	touch(u, "hang-rename");
	hive_do(hive_ask(u, "{'cmd':'rename','name':'alice','to':'mary'}"));
	/* a look after this says so by its time */
	sh(u, "echo 3600 > clock; echo 0", now);
	(void)clock_format(later, clock_wall_s() + 3000);
	for (int i = 0; i < 500 && strcmp(now, later) < 0; i++) {
		json_t *answer = hive_must(hive_ask(u, "{'cmd':'drift'}"));
		const char *at = json_string_value(json_object_get(answer, "looked_at"));

		snprintf(now, sizeof(now), "%s", at ? at : "");
		json_decref(answer);
		hive_event(u, NEWS);
		usleep(20000);
	}
	assert_true(strcmp(now, later) >= 0);
	row_of(u, "ghost", "agent", now);
	assert_string_equal(now, "agent|nothing|running");
}

/* Somebody holds it still to look at it. */
static void test_frozen(void **state)
{
	struct hive_unit *u = *state;

	spawn(u, "alice");
	found(u, "entry-alice", "{'frozen':true,'spec':{'label':'bob'}}");
	await_row(u, "alice", "label", "label|alice|bob");
	await_look(u);
	assert_int_equal(ended(u, "restart"), 0);
	found(u, "entry-alice", "{'spec':{'label':'bob'}}");
	await_ended(u, "restart", 1);
	await_none(u);
}

#define THREE "{'version':1,'hive':'q','agents':{'alice':{" QUIET "},'bob':{" QUIET "}"
#define NETWORK ",'network':'private'}"

/* What is tried out holds for those it has reached, and is no difference; nor are the others.
 */
static void test_generation(void **state)
{
	struct hive_unit *u = *state;
	char now[256];
	int watch, fd;

	hive_do(apply(u, THREE "}}", false));
	watch = watch_drift(u);
	touch(u, "hang-seed");
	fd = apply_later(u,
			 "{'version':1,'hive':'q','agents':{'alice':{" QUIET NETWORK
			 ",'bob':{" QUIET ",'limits':{'memory_max':'1G'}},'carol':{" QUIET
			 "}}}",
			 false);
	for (int i = 0; i < 6; i++) {
		hive_event(u, "{'event':'files'}");
		usleep(300000);
		assert_silent(watch);
	}
	/* it was on its way all the time */
	sh(u, "git -C meta/.git for-each-ref refs/skep/generation | wc -l", now);
	assert_string_equal(now, "1");
	assert_int_equal(ended(u, "heal"), 0);
	(void)close(watch);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_operations),     hive_test(test_told),
		hive_test(test_told_in_vain),   hive_test(test_renamed),
		hive_test(test_stranger_stays), hive_test(test_frozen),
		hive_test(test_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
