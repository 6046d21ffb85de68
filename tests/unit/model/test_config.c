#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "model/config.h"

static void load(const char *text, const char *word)
{
	json_t *object = json_loads(text, JSON_DECODE_ANY, NULL);
	struct config c;
	struct error err = {};

	config_init(&c);
	if (word) {
		assert_true(config_load(&c, object, &err) < 0);
		assert_text(&err, word);
	} else {
		assert_int_equal(config_load(&c, object, &err), 0);
	}
	config_release(&c);
	json_decref(object);
}

static void test_good(void **state)
{
	(void)state;
	load("{}", NULL);
	load("{\"state_dir\":\"/srv/"
	     "skep\",\"network\":\"private\",\"limits\":{\"memory_max\":\"1G\"}}",
	     NULL);
	load("{\"max_repo_bytes\":1048576}", NULL);
	load("{\"proposals_per_hour\":7,\"proposals_per_day\":8}", NULL);
	load("{\"reconcile\":\"report\",\"reconcile_interval\":5}", NULL);
	load("{\"max_builds\":4,\"stop_timeout\":5,\"admin_gid\":-1}", NULL);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{"[]", "object"},
		{"{\"statedir\":\"/x\"}", "statedir"},
		{"{\"state_dir\":\"x\"}", "state_dir"},
		{"{\"state_dir\":\"/a/../b\"}", "state_dir"},
		{"{\"state_dir\":7}", "state_dir"},
		{"{\"network\":\"bridge\"}", "bridge"},
		{"{\"dashboard_port\":70000}", "70000"},
		{"{\"max_builds\":0}", "max_builds"},
		{"{\"reconcile\":\"heal\"}", "'heal'"},
		{"{\"reconcile\":\"\"}", "reconcile"},
		{"{\"reconcile_interval\":4}", "reconcile_interval"},
		{"{\"max_repo_bytes\":1048575}", "max_repo_bytes"},
		{"{\"proposals_per_hour\":0}", "proposals_per_hour"},
		{"{\"proposals_per_day\":0}", "proposals_per_day"},
		{"{\"stop_timeout\":-1}", "stop_timeout"},
		{"{\"stop_timeout\":601}", "601"},
		{"{\"import_timeout\":86}", "86"},
		{"{\"build_timout\":60}", "build_timout"},
		{"{\"build_timeout\":0}", "build_timeout"},
		{"{\"build_memory_max\":\"x\"}", "build_memory_max"},
		{"{\"driver\":\"lxd\"}", "lxd"},
		{"{\"builder\":\"make\"}", "make"},
		{"{\"keep_systems\":0}", "keep_systems"},
		{"{\"limits\":{\"memory\":\"1G\"}}", "memory"},
		{"{\"limits\":{\"memory_max\":\"x\"}}", "memory_max"},
		{"{\"skep_uid\":5,\"build_uid\":5}", "build_uid"},
		{"{\"unbound_verdicts\":\"yes\"}", "unbound_verdicts"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		load(cases[i].text, cases[i].word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
