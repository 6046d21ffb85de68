/* metrics and ready: each number is there, and counts what its name says. */
#include "web_unit.h"

#include <math.h>

/* The value of a sample; NAN when there is none. labels: "name=text,name=text", in order. */
static double value_of(const json_t *answer, const char *name, const char *suffix,
		       const char *labels)
{
	json_t *list = json_object_get(answer, "metrics"), *family, *sample, *value;
	const char *key;
	size_t i, k;

	json_array_foreach (list, i, family) {
		if (strcmp(json_string_value(json_object_get(family, "name")), name) != 0)
			continue;
		json_array_foreach (json_object_get(family, "samples"), k, sample) {
			const char *end = json_string_value(json_object_get(sample, "suffix"));
			_cleanup_buf_ struct buf text = {};

			json_object_foreach (json_object_get(sample, "labels"), key, value)
				buf_addf(&text, "%s%s=%s", text.size ? "," : "", key,
					 json_string_value(value));
			if (strcmp(end ? end : "", suffix) == 0 &&
			    strcmp(buf_str(&text), labels) == 0)
				return json_number_value(json_object_get(sample, "value"));
		}
	}
	return NAN;
}

static void assert_value(const json_t *answer, const char *name, const char *suffix,
			 const char *labels, double expected)
{
	double found = value_of(answer, name, suffix, labels);

	if (!(fabs(found - expected) < 1e-9))
		fail_msg("%s%s{%s} is %g, not %g", name, suffix, labels, found, expected);
}

static void test_counts(void **state)
{
	struct hive_unit *u = *state;
	char commit[256];
	json_t *answer;

	spawn(u, "alice");
	spawn(u, "bob");
	change(u, "alice", "one", commit);
	(void)submit(u, "alice", commit);
	hive_do(hive_ask(u, "{'cmd':'approve','id':1,'wait':true}"));
	change(u, "alice", "two", commit);
	(void)submit(u, "alice", commit);
	hive_do(hive_ask(u, "{'cmd':'deny','id':2}"));
	change(u, "bob", "three", commit);
	(void)submit(u, "bob", commit);
	touch(u, "fail-switch");
	hive_refused(hive_ask(u, "{'cmd':'approve','id':3,'wait':true}"), "deploy_failed");
	hive_do(hive_ask(u, "{'cmd':'stop','name':'bob','wait':true}"));

	answer = hive_must(hive_ask(u, "{'cmd':'metrics'}"));
	assert_value(answer, "skep_agents", "", "state=running", 1);
	assert_value(answer, "skep_agents", "", "state=stopped", 1);
	assert_value(answer, "skep_agent_drift", "", "agent=alice", 0);
	assert_value(answer, "skep_proposals", "", "state=deployed", 1);
	assert_value(answer, "skep_proposals", "", "state=denied", 1);
	assert_value(answer, "skep_proposals", "", "state=failed", 1);
	assert_value(answer, "skep_proposals", "", "state=needs-review", 0);
	assert_value(answer, "skep_proposal_transitions_total", "", "from=none,to=needs-review",
		     3);
	assert_value(answer, "skep_proposal_transitions_total", "",
		     "from=needs-review,to=approved", 2);
	assert_value(answer, "skep_proposal_transitions_total", "",
		     "from=needs-review,to=denied", 1);
	assert_value(answer, "skep_proposal_transitions_total", "", "from=building,to=deployed",
		     1);
	assert_value(answer, "skep_proposal_transitions_total", "", "from=building,to=failed",
		     1);
	assert_value(answer, "skep_verdicts_total", "", "verdict=approved,channel=operator", 2);
	assert_value(answer, "skep_verdicts_total", "", "verdict=denied,channel=operator", 1);
	assert_value(answer, "skep_verdicts_total", "", "verdict=denied,channel=web", 0);
	assert_value(answer, "skep_review_wait_seconds", "_count", "", 3);
	assert_value(answer, "skep_review_wait_seconds", "_bucket", "le=604800", 3);
	assert_value(answer, "skep_review_wait_seconds", "_bucket", "le=+Inf", 3);
	assert_value(answer, "skep_build_duration_seconds", "_count", "", 1);
	assert_value(answer, "skep_deploy_duration_seconds", "_count", "result=deployed", 1);
	assert_value(answer, "skep_deploy_duration_seconds", "_count", "result=failed", 1);
	/* proposal/N three times, three verdicts, two outcomes, deployed/0 of both agents */
	assert_value(answer, "skep_record_refs", "", "", 10);
	assert_value(answer, "skep_record_fsync_seconds", "_count", "", 10);
	assert_true(value_of(answer, "skep_record_fsync_seconds", "_sum", "") > 0);
	assert_value(answer, "skep_risk_flags_total", "", "flag=binary-file", 0);
	assert_value(answer, "skep_auth_failures_total", "", "reason=code", 0);
	assert_value(answer, "skep_ratelimited_total", "", "agent=alice", 0);
	assert_value(answer, "skep_recoveries_total", "", "outcome=removed", 0);
	assert_value(answer, "skep_build_info", "", "version=" SKEP_VERSION ",mode=standalone",
		     1);
	assert_true(value_of(answer, "process_resident_memory_bytes", "", "") > 1 << 20);
	assert_true(value_of(answer, "process_open_fds", "", "") > 3);
	assert_true(value_of(answer, "process_cpu_seconds_total", "", "") >= 0);
	json_decref(answer);
}

/* A machine that watches has no login. */
static void test_open(void **state)
{
	struct hive_unit *u = *state;
	_cleanup_free_ char *web = str_format("%s/web.sock", u->dir);
	json_t *answer = hive_must(hive_ask_on(web, "{\"cmd\":\"ready\"}"));

	assert_true(json_is_true(json_object_get(json_object_get(answer, "ready"), "ok")));
	json_decref(answer);
	answer = hive_must(hive_ask_on(web, "{\"cmd\":\"metrics\"}"));
	assert_value(answer, "skep_auth_failures_total", "", "reason=session", 0);
	json_decref(answer);
	hive_refused(hive_ask_on(web, "{\"cmd\":\"status\"}"), "unauthorized");
	answer = hive_must(hive_ask_on(web, "{\"cmd\":\"metrics\"}"));
	assert_value(answer, "skep_auth_failures_total", "", "reason=session", 1);
	json_decref(answer);
}

static bool check_of(const json_t *answer, const char *name)
{
	json_t *list = json_object_get(json_object_get(answer, "ready"), "checks"), *check;
	size_t i;

	json_array_foreach (list, i, check)
		if (strcmp(json_string_value(json_object_get(check, "name")), name) == 0)
			return json_is_true(json_object_get(check, "ok"));
	fail_msg("there is no check '%s'", name);
	return false;
}

static void test_not_ready(void **state)
{
	struct hive_unit *u = *state;
	char word[256];
	json_t *answer;

	spawn(u, "alice");
	answer = hive_must(hive_ask(u, "{'cmd':'ready'}"));
	assert_true(check_of(answer, "record"));
	assert_true(check_of(answer, "room"));
	assert_true(check_of(answer, "running"));
	assert_true(check_of(answer, "containers"));
	json_decref(answer);
	sh(u, "mv meta/.git/objects meta/.git/gone && echo x", word);
	answer = hive_must(hive_ask(u, "{'cmd':'ready'}"));
	assert_false(check_of(answer, "record"));
	assert_true(json_is_false(json_object_get(json_object_get(answer, "ready"), "ok")));
	json_decref(answer);
	sh(u, "mv meta/.git/gone meta/.git/objects && echo x", word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_counts),
		hive_test(test_open),
		hive_test(test_not_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
