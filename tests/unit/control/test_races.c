/* Many clients at the same moment: one order, no tag lost, no number twice, one outcome each.
 */
#include "hive_steps.h"

#define CLIENTS 12

/* Starts a process that sends one request once the pipe is closed, and ends with 0 when the
 * answer was ok. */
static pid_t client(struct hive_unit *u, int gate, const char *request)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		_cleanup_free_ char *line = str_dup(request);
		json_t *answer;
		char c;

		for (char *q = line; *q; q++)
			if (*q == '\'')
				*q = '"';
		(void)!read(gate, &c, 1);
		answer = hive_ask_on(u->socket_path, line);
		_exit(json_is_true(json_object_get(answer, "ok")) ? 0 : 1);
	}
	return pid;
}

/* Lets all requests go at once; returns how many were accepted. */
static int race(struct hive_unit *u, char *const *requests, size_t n)
{
	pid_t pids[CLIENTS * 2];
	int gate[2], accepted = 0;

	assert_int_equal(pipe(gate), 0);
	for (size_t i = 0; i < n; i++) {
		pids[i] = client(u, gate[0], requests[i]);
		if (pids[i] == 0)
			_exit(9);
	}
	(void)close(gate[0]);
	assert_int_equal(write(gate[1], "xxxxxxxxxxxxxxxxxxxxxxxx", n), (ssize_t)n);
	(void)close(gate[1]);
	for (size_t i = 0; i < n; i++) {
		int status = 0;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		accepted += WEXITSTATUS(status) == 0;
	}
	return accepted;
}

static void free_all(char **requests, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(requests[i]);
}

/* Approvals against denials of one proposal: all of one side are accepted, none of the other.
 */
static void test_verdicts(void **state)
{
	struct hive_unit *u = *state;
	char *requests[CLIENTS * 2], commit[256], out[256];
	int accepted;

	spawn(u, "alice");
	change(u, "alice", "contested", commit);
	assert_int_equal(submit(u, "alice", commit), 1);
	for (size_t i = 0; i < CLIENTS; i++) {
		requests[2 * i] = str_format("{'cmd':'approve','id':1,'commit':'%s'}", commit);
		requests[2 * i + 1] = str_format("{'cmd':'deny','id':1,'note':'no'}");
	}
	accepted = race(u, requests, CLIENTS * 2);
	free_all(requests, CLIENTS * 2);
	assert_int_equal(accepted, CLIENTS);
	sh(u, "git -C applied/alice/.git tag -l 'approved/1' 'denied/1' | wc -l", out);
	assert_string_equal(out, "1");
	sh(u, "git -C applied/alice/.git tag -l 'denied/1' | wc -l", out);
	await_state(u, 1, strcmp(out, "1") == 0 ? "denied" : "deployed");
	assert_audit(u);
}

/* Different commits of several agents: every number once, the newest of each agent open, the
 * others superseded. */
static void test_submits(void **state)
{
	static const char *const agents[] = {"alice", "bob", "carol"};
	struct hive_unit *u = *state;
	char *requests[CLIENTS], out[256];
	size_t n = 0;

	for (size_t a = 0; a < ARRAY_SIZE(agents); a++)
		spawn(u, agents[a]);
	for (size_t i = 0; i < 4; i++) {
		for (size_t a = 0; a < ARRAY_SIZE(agents); a++) {
			char commit[256], text[32];

			snprintf(text, sizeof(text), "change %zu", i);
			change(u, agents[a], text, commit);
			requests[n++] =
				str_format("{'cmd':'submit','agent':'%s','commit':'%s'}",
					   agents[a], commit);
		}
	}
	assert_int_equal(race(u, requests, n), (int)n);
	free_all(requests, n);
	sh(u,
	   "for a in alice bob carol; do git -C applied/$a/.git tag -l 'proposal/*'; done | "
	   "cut -d/ -f2 | sort -n | "
	   "uniq | paste -sd,",
	   out);
	assert_string_equal(out, "1,2,3,4,5,6,7,8,9,10,11,12");
	sh(u,
	   "for a in alice bob carol; do git -C applied/$a/.git tag -l 'superseded/*'; done | "
	   "wc -l",
	   out);
	assert_string_equal(out, "9");
	assert_audit(u);
}

/* A resubmission against the verdict on its predecessor: whichever came first, the record is
 * whole. */
static void test_verdict_and_submit(void **state)
{
	struct hive_unit *u = *state;
	char *requests[2], first[256], second[256], one[256], two[256];

	spawn(u, "alice");
	for (int64_t i = 0; i < 5; i++) {
		char text[32];

		snprintf(text, sizeof(text), "round %d", (int)i);
		change(u, "alice", text, first);
		assert_int_equal(submit(u, "alice", first), 2 * i + 1);
		change(u, "alice", text, second);
		requests[0] = str_format("{'cmd':'approve','id':%d,'commit':'%s'}",
					 (int)(2 * i + 1), first);
		requests[1] =
			str_format("{'cmd':'submit','agent':'alice','commit':'%s'}", second);
		assert_true(race(u, requests, 2) >= 1);
		free_all(requests, 2);
		for (int t = 0; t < 500; t++) {
			state_of(u, 2 * i + 1, one);
			if (strcmp(one, "deployed") == 0 || strcmp(one, "superseded") == 0)
				break;
			usleep(20000);
		}
		state_of(u, 2 * i + 2, two);
		if (strcmp(one, "deployed") == 0)
			assert_true(strcmp(two, "stale") == 0 ||
				    strcmp(two, "needs-review") == 0);
		else
			assert_string_equal(two, "needs-review");
		hive_do(hive_ask(u, "{'cmd':'%s','id':%d}",
				 strcmp(two, "stale") == 0 ? "proposal" : "withdraw",
				 (int)(2 * i + 2)));
		assert_audit(u);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_verdicts),
		hive_test(test_submits),
		hive_test(test_verdict_and_submit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
