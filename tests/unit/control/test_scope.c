/* Requests about several agents: by label, all of them, and what refuses the whole. */
#include "hive_steps.h"

static void label(struct hive_unit *u, const char *name, const char *value)
{
	hive_do(hive_ask(u, "{'cmd':'set','name':'%s','settings':{'label.team':'%s'}}", name,
			 value));
}

/* The names an answer says were touched, joined. */
static const char *touched(char out[256], json_t *answer)
{
	json_t *list = json_object_get(hive_must(answer), "touched"), *name;
	size_t i;

	out[0] = '\0';
	json_array_foreach (list, i, name)
		snprintf(out + strlen(out), 256 - strlen(out), "%s ", json_string_value(name));
	json_decref(answer);
	return out;
}

static void setup_three(struct hive_unit *u)
{
	spawn(u, "hm1nd");
	spawn(u, "alice");
	spawn(u, "bob");
	label(u, "bob", "red");
	label(u, "hm1nd", "red");
}

static void test_labels(void **state)
{
	struct hive_unit *u = *state;
	char text[256];

	setup_three(u);
	/* the manager's before all others */
	assert_string_equal(
		touched(text, hive_ask(u, "{'cmd':'stop','wait':true,'deadline_s':9,'scope':{"
					  "'labels':['team=red']}}")),
		"hm1nd bob ");
	await_agent(u, "bob", "stopped");
	await_agent(u, "alice", "running");
	assert_string_equal(
		touched(text, hive_ask(u, "{'cmd':'start','wait':true,'scope':{'labels':['team'"
					  "],'agent_names':['alice','bob']}}")),
		"hm1nd alice bob ");
	await_agent(u, "bob", "running");
	assert_string_equal(touched(text, hive_ask(u, "{'cmd':'restart','wait':true,'scope':{"
						      "'all':true}}")),
			    "hm1nd alice bob ");
	hive_refused(hive_ask(u, "{'cmd':'stop','scope':{'labels':['team=blue']}}"),
		     "not_found");
	hive_refused(hive_ask(u, "{'cmd':'stop','scope':{'labels':[]}}"), "empty_scope");
	hive_refused(hive_ask(u, "{'cmd':'stop','scope':{'labels':'team'}}"), "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'rebuild','scope':{'agent_names':['bob','carol']}}"),
		     "not_found");
}

static void test_settings_of_several(void **state)
{
	struct hive_unit *u = *state;
	char text[256];
	json_t *answer;

	setup_three(u);
	assert_string_equal(touched(text, hive_ask(u, "{'cmd':'set','scope':{'labels':['team="
						      "red']},'settings':{'tasks_max':'77'}}")),
			    "hm1nd bob ");
	answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'bob'}"));
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(json_object_get(answer, "agent"), "limits"),
				 "tasks_max")),
			 77);
	json_decref(answer);
	assert_string_equal(touched(text, hive_ask(u, "{'cmd':'set_paused','paused':true,"
						      "'scope':{'all':true}}")),
			    "hm1nd alice bob ");
	hive_refused(hive_ask(u, "{'cmd':'set_paused','scope':{'all':true}}"), "bad_request");
	hive_refused(hive_ask(u, "{'cmd':'set','scope':{'all':true},'settings':{'x':'1'}}"),
		     "bad_request");
	/* all but the one that owns the others' repositories can go */
	hive_refused(hive_ask(u, "{'cmd':'destroy','scope':{'all':true}}"), "wrong_state");
	hive_refused(hive_ask(u, "{'cmd':'destroy','purge':true,'confirm':'bob','scope':{"
				 "'agent_names':['bob']}}"),
		     "bad_request");
	assert_string_equal(touched(text, hive_ask(u, "{'cmd':'destroy','wait':true,'scope':{"
						      "'agent_names':['bob','alice']}}")),
			    "bob alice ");
	hive_refused(hive_ask(u, "{'cmd':'agent','name':'bob'}"), "not_found");
}

static bool is_frozen(struct hive_unit *u, const char *name)
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'%s'}", name));
	bool frozen = json_is_true(json_object_get(json_object_get(answer, "agent"), "frozen"));

	json_decref(answer);
	return frozen;
}

static void test_freeze(void **state)
{
	struct hive_unit *u = *state;
	char text[256];

	spawn(u, "alice");
	spawn(u, "bob");
	assert_string_equal(touched(text, hive_ask(u, "{'cmd':'freeze','name':'alice'}")),
			    "alice ");
	assert_true(is_frozen(u, "alice"));
	assert_false(is_frozen(u, "bob"));
	/* nothing inside would ever answer */
	hive_refused(hive_ask(u, "{'cmd':'shell','name':'alice','rows':24,'cols':80}"),
		     "wrong_state");
	assert_string_equal(touched(text, hive_ask(u, "{'cmd':'thaw','scope':{'all':true}}")),
			    "alice bob ");
	assert_false(is_frozen(u, "alice"));
	hive_do(hive_ask(u, "{'cmd':'stop','wait':true,'scope':{'agent_names':['bob']}}"));
	/* not one is touched unless each can be */
	hive_refused(hive_ask(u, "{'cmd':'freeze','scope':{'all':true}}"), "wrong_state");
	assert_false(is_frozen(u, "alice"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_labels),
		hive_test(test_settings_of_several),
		hive_test(test_freeze),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
