#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "model/settings.h"

#include <errno.h>

static void test_round_trip(void **state)
{
	struct settings s, again;
	struct error err = {};
	json_t *first, *second;
	bool restart = false;

	(void)state;
	settings_init(&s, "alice");
	s.port = 8879;
	s.uid_base = 1376256;
	s.deployed = 3;
	assert_int_equal(settings_change(&s, "label.team", "red", &restart, &err), 0);
	assert_int_equal(settings_change(&s, "memory_max", "512M", &restart, &err), 0);
	assert_int_equal(settings_change(&s, "parent", "hm1nd", &restart, &err), 0);
	assert_int_equal(settings_change(&s, "reconcile", "report", &restart, &err), 0);
	assert_false(restart);
	assert_int_equal(settings_change(&s, "network", "private", &restart, &err), 0);
	assert_true(restart);
	first = settings_to_json(&s);
	assert_int_equal(settings_from_json("alice", first, &again, &err), 0);
	second = settings_to_json(&again);
	assert_true(json_equal(first, second));
	assert_int_equal(again.limits.memory_max_bytes, 512 << 20);
	assert_int_equal(again.reconcile, POLICY_REPORT);
	json_decref(first);
	json_decref(second);
	settings_release(&s);
	settings_release(&again);
}

static void test_bad_changes(void **state)
{
	static const struct {
		const char *key, *value, *word;
	} cases[] = {
		{"colour", "red", "colour"},       {"memory_max", "lots", "lots"},
		{"memory_max", "1", "memory_max"}, {"cpu_quota", "0%", "cpu_quota"},
		{"tasks_max", "-4", "tasks_max"},  {"network", "none", "none"},
		{"parent", "../x", "../x"},        {"label.a b", "x", "a b"},
		{"label.a", "x y", "x y"},         {"label.", "x", "label"},
		{"reconcile", "heal", "heal"},
	};
	struct settings s;

	(void)state;
	settings_init(&s, "alice");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {};
		bool restart;

		assert_true(settings_change(&s, cases[i].key, cases[i].value, &restart, &err) <
			    0);
		assert_text(&err, cases[i].word);
	}
	assert_int_equal(json_object_size(s.labels), 0);
	settings_release(&s);
}

static void test_bad_entries(void **state)
{
	static const char *const changes[] = {
		"{\"port\":0}",          "{\"uid_base\":1}",          "{\"driver\":\"lxd\"}",
		"{\"desired\":\"up\"}",  "{\"network\":\"x\"}",       "{\"revision\":\"zz\"}",
		"{\"surprise\":1}",      "{\"labels\":{\"a\":1}}",    "{\"paused\":\"no\"}",
		"{\"reconcile\":\"x\"}", "{\"labels\":{\"a\":\"\"}}",
	};
	struct settings s;
	json_t *good;

	(void)state;
	settings_init(&s, "alice");
	s.port = 8879;
	s.uid_base = 1376256;
	good = settings_to_json(&s);
	settings_release(&s);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		json_t *bad = json_deep_copy(good), *change = json_loads(changes[i], 0, NULL);
		struct error err = {};

		json_object_update(bad, change);
		assert_true(settings_from_json("alice", bad, &s, &err) < 0);
		assert_true(err.text[0]);
		json_decref(bad);
		json_decref(change);
	}
	assert_true(settings_from_json("Alice", good, &s, NULL) < 0);
	json_decref(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bad_changes),
		cmocka_unit_test(test_bad_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
