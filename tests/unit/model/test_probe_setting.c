#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "model/manifest.h"
#include "model/probe_setting.h"
#include "model/settings.h"

#include <errno.h>

static void assert_object(const json_t *object, const char *expected)
{
	_cleanup_free_ char *text = object ? json_line(object) : NULL;

	assert_string_equal(text ? text : "", expected);
}

static void test_change(void **state)
{
	static const struct {
		const char *key, *value;
		const char *expected; /* after it */
	} steps[] = {
		{"probe.grace", "30", "{\"grace\":30}"},
		{"probe", "none", "{\"grace\":30,\"kind\":\"none\"}"},
		{"probe", "tcp:8080", "{\"grace\":30,\"kind\":\"tcp\",\"port\":8080}"},
		{"probe", "tcp", "{\"grace\":30,\"kind\":\"tcp\"}"},
		{"probe", "command:/bin/sh  -c true",
		 "{\"grace\":30,\"kind\":\"command\",\"command\":[\"/bin/"
		 "sh\",\"-c\",\"true\"]}"},
		{"probe.soak", "0",
		 "{\"grace\":30,\"kind\":\"command\",\"command\":[\"/bin/sh\",\"-c\",\"true\"],"
		 "\"soak\":0}"},
		{"probe.grace", "",
		 "{\"kind\":\"command\",\"command\":[\"/bin/sh\",\"-c\",\"true\"],\"soak\":0}"},
		{"probe", "", "{\"soak\":0}"},
		{"probe.soak", "", ""},
	};
	json_t *setting = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_int_equal(probe_setting_change(&setting, steps[i].key, steps[i].value,
						      NULL),
				 0);
		assert_object(setting, steps[i].expected);
	}
	assert_int_equal(probe_setting_change(&setting, "probe.kind", "tcp", NULL), -ENOKEY);
	assert_int_equal(probe_setting_change(&setting, "probes", "none", NULL), -ENOKEY);
}

static void test_refused(void **state)
{
	static const struct {
		const char *key, *value, *says;
	} cases[] = {
		{"probe", "maybe", "maybe"},
		{"probe", "tcp:0", "port"},
		{"probe", "tcp:65536", "port"},
		{"probe", "tcp:x", "'x'"},
		{"probe", "tcp:", "number"},
		{"probe", "none:1", "':'"},
		{"probe", "command", "command"},
		{"probe", "command:", "command"},
		{"probe", "command:   ", "command"},
		{"probe.grace", "-1", "'-1'"},
		{"probe.grace", "601", "grace"},
		{"probe.soak", "2s", "'2s'"},
		{"probe.soak", "99999999999999999999", "number"},
	};
	json_t *setting = json_pack("{s:s}", "kind", "none");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {};

		if (probe_setting_change(&setting, cases[i].key, cases[i].value, &err) !=
		    -EINVAL)
			fail_msg("%s=%s was taken", cases[i].key, cases[i].value);
		assert_text(&err, cases[i].says);
		assert_object(setting, "{\"kind\":\"none\"}");
	}
	json_decref(setting);
}

static void test_lay_over(void **state)
{
	static const char own[] =
		"{\"probe\":{\"kind\":\"command\",\"command\":[\"/bin/true\"],"
		"\"grace\":7,\"soak\":3}}";
	static const struct {
		const char *key, *value, *expected;
	} cases[] = {
		{"probe.grace", "9",
		 "{\"kind\":\"command\",\"command\":[\"/bin/true\"],\"grace\":9,\"soak\":3}"},
		{"probe", "none", "{\"kind\":\"none\",\"grace\":7,\"soak\":3}"},
		{"probe", "tcp:80", "{\"kind\":\"tcp\",\"port\":80,\"grace\":7,\"soak\":3}"},
		{"probe", "command:/bin/no",
		 "{\"kind\":\"command\",\"command\":[\"/bin/no\"],\"grace\":7,\"soak\":3}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct manifest manifest;
		json_t *setting = NULL, *object;

		assert_int_equal(manifest_parse(own, strlen(own), &manifest, NULL), 0);
		assert_int_equal(probe_setting_change(&setting, cases[i].key, cases[i].value,
						      NULL),
				 0);
		assert_int_equal(probe_lay_over(&manifest.probe, setting, NULL), 0);
		object = probe_to_json(&manifest.probe);
		assert_object(object, cases[i].expected);
		json_decref(object);
		json_decref(setting);
		manifest_release(&manifest);
	}
}

/* An entry of the record keeps it, a copy has its own, and a form gets back what it sent. */
static void test_in_settings(void **state)
{
	struct settings s, copy, back;
	json_t *entry, *texts;
	bool restart;

	(void)state;
	settings_init(&s, "alice");
	s.port = 8100;
	s.uid_base = 65536;
	assert_int_equal(settings_change(&s, "probe", "command:/bin/true x", &restart, NULL),
			 0);
	assert_false(restart);
	assert_int_equal(settings_change(&s, "probe.soak", "5", &restart, NULL), 0);
	assert_int_equal(settings_change(&s, "memory_max", "512M", &restart, NULL), 0);
	assert_int_equal(settings_change(&s, "label.team", "red", &restart, NULL), 0);
	settings_copy(&copy, &s);
	assert_int_equal(settings_change(&s, "probe", "", &restart, NULL), 0);
	texts = settings_to_text(&copy);
	assert_object(texts, "{\"memory_max\":\"512M\",\"network\":\"host\",\"probe\":"
			     "\"command:/bin/true x\","
			     "\"probe.soak\":\"5\",\"label.team\":\"red\"}");
	json_decref(texts);
	entry = settings_to_json(&copy);
	assert_int_equal(settings_from_json("alice", entry, &back, NULL), 0);
	texts = settings_to_text(&back);
	assert_string_equal(json_string_value(json_object_get(texts, "probe")),
			    "command:/bin/true x");
	json_decref(texts);
	settings_release(&back);
	json_object_set_new(json_object_get(entry, "probe"), "kind", json_string("x"));
	assert_int_equal(settings_from_json("alice", entry, &back, NULL), -EINVAL);
	json_decref(entry);
	settings_release(&copy);
	settings_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lay_over),
		cmocka_unit_test(test_in_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
