/* A process that has no memory left ends, wherever it asks for it: nothing goes on with half of
 * what it should know. */
#include "faulty.h"

#include "unit.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/loop.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define MOST 100

static struct fault_plan *plan;

static void make_text(void)
{
	_cleanup_free_ char *copy = str_dup("text"), *part = str_dup_n("text", 2);
	_cleanup_free_ char *made = str_format("%s of %d", copy, 7);
	_cleanup_buf_ struct buf b = {};

	buf_addf(&b, "%s %s", made, part);
	for (int i = 0; i < 1000; i++)
		buf_add_str(&b, "more");
}

static void make_arrays(void)
{
	_cleanup_free_ int *few = mem_new(2, sizeof(*few));

	few = mem_grow(few, 1000, sizeof(*few));
	few[999] = 1;
	few = mem_resize(few, 100000);
	free(mem_alloc(10));
}

/* A library's own memory is no other. */
static void make_json(void)
{
	static const char text[] = "{\"list\":[1,2,{\"deep\":\"text\"}],\"real\":0.5}";
	json_t *parsed = NULL, *packed = json_pack("{s:[s,i],s:b}", "list", "a", 1, "is", 1);
	_cleanup_free_ char *line = NULL;

	assert_int_equal(json_parse(text, sizeof(text) - 1, &parsed, NULL), 0);
	assert_non_null(packed);
	json_object_set(packed, "more", parsed);
	line = json_line(packed);
	assert_non_null(line);
	json_decref(parsed);
	json_decref(packed);
}

static void nothing(void *data)
{
	(void)data;
}

static void no_event(int fd, bool readable, bool writable, void *data)
{
	(void)fd;
	(void)readable;
	(void)writable;
	(void)data;
}

static void make_loop(void)
{
	struct loop *loop = loop_new();
	struct watch *watch = loop_watch(loop, STDERR_FILENO, false, false, no_event, NULL);
	struct timer *timers[40];

	for (size_t i = 0; i < ARRAY_SIZE(timers); i++)
		timers[i] = loop_timer(loop, 1000, nothing, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++)
		timer_cancel(timers[i]);
	watch_free(watch);
	loop_free(loop);
}

/* How the n-th allocation that fails ends a process that makes something. */
static int end_of(void (*make)(void), long n)
{
	const struct rlimit no_core = {0, 0};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &no_core);
		/* cmocka would tell of the end as of a failure of its own */
		(void)signal(SIGABRT, SIG_DFL);
		faulty_here(plan);
		fault_arm(plan, FAULT_MEMORY, ENOMEM, false, n);
		make();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void check(void (*make)(void), long least)
{
	long n = 0;

#ifdef SKEP_SANITIZE /* has an allocator that is not stood in for */
	least = 0;
#endif
	plan = faulty_new();
	for (bool hit = true; hit && n < MOST; n++) {
		int status = end_of(make, n);

		hit = fault_disarm(plan);
		if (hit && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT))
			fail_msg("allocation %ld failed, and it went on: %x", n, status);
		if (!hit)
			assert_int_equal(status, 0);
	}
	assert_in_range(n, least, MOST - 1);
}

static void test_text(void **state)
{
	(void)state;
	check(make_text, 5);
}

static void test_arrays(void **state)
{
	(void)state;
	check(make_arrays, 4);
}

static void test_json(void **state)
{
	(void)state;
	check(make_json, 15);
}

static void test_loop(void **state)
{
	(void)state;
	check(make_loop, 45);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
