/* What agents use is asked of skep-exec only when somebody wants to know. */
#include "hive_steps.h"

static int64_t cpu_of(json_t *answer, size_t *ret_rows)
{
	json_t *rows = json_object_get(hive_must(answer), "usage");
	int64_t cpu = json_integer_value(json_object_get(json_array_get(rows, 0), "cpu_usec"));

	*ret_rows = json_array_size(rows);
	json_decref(answer);
	return cpu;
}

static void test_sampled_when_asked(void **state)
{
	struct hive_unit *u = *state;
	int64_t first;
	size_t rows;

	spawn(u, "alice");
	spawn(u, "bob");
	/* nobody had asked before: this is the first sample ever */
	first = cpu_of(hive_ask(u, "{'cmd':'usage'}"), &rows);
	assert_int_equal(first, 250000);
	assert_int_equal(rows, 2);
	/* soon after, the same sample serves again; on a busy machine it may be the next one */
	assert_in_range(cpu_of(hive_ask(u, "{'cmd':'usage','names':['bob']}"), &rows), first,
			3 * first);
	assert_int_equal(rows, 1);
	assert_int_equal(cpu_of(hive_ask(u, "{'cmd':'usage','labels':['no=such']}"), &rows), 0);
	assert_int_equal(rows, 0);
	hive_refused(hive_ask(u, "{'cmd':'usage','names':['carol']}"), "not_found");
	hive_refused(hive_ask(u, "{'cmd':'usage','names':[1]}"), "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'usage','history':1}"), "bad_request");
}

static void test_history(void **state)
{
	struct hive_unit *u = *state;
	json_t *answer, *row;
	double percent = 0;

	spawn(u, "alice");
	hive_do(hive_ask(u, "{'cmd':'usage'}"));
	for (int i = 0; i < 100 && percent == 0; i++) {
		usleep(100000);
		answer = hive_must(hive_ask(u, "{'cmd':'usage','history':true}"));
		row = json_array_get(json_object_get(answer, "usage"), 0);
		percent = json_real_value(json_object_get(row, "cpu_percent"));
		if (percent > 0) {
			assert_true(json_array_size(json_object_get(row, "history")) >= 2);
			/* a quarter of a second in one at least */
			assert_true(percent <= 25);
		}
		json_decref(answer);
	}
	assert_true(percent > 0);
}

/* A failed look is told, and the next one begins afresh. */
static void test_failure(void **state)
{
	struct hive_unit *u = *state;
	_cleanup_free_ char *path = str_format("%s/fail-observe", u->dir);
	size_t rows;

	spawn(u, "alice");
	(void)close(open(path, O_CREAT | O_WRONLY, 0600));
	hive_refused(hive_ask(u, "{'cmd':'usage'}"), "storage");
	assert_int_equal(unlink(path), 0);
	assert_true(cpu_of(hive_ask(u, "{'cmd':'usage'}"), &rows) >= 250000);
	assert_int_equal(rows, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_sampled_when_asked),
		hive_test(test_history),
		hive_test(test_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
