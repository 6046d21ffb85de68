#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "host/spec.h"

#include <errno.h>

static json_t *good_spec(void)
{
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:i, s:s, s:i, s:[s], s:{s:I, s:i, s:i}}",
			 "agent", "alice", "role", "agent", "uid_base", 1310720, "system",
			 "0123456789abcdef0123456789abcdef01234567", "network", "host", "port",
			 8879, "label", "Alice's desk", "dashboard_port", 7700, "env",
			 "GREETING=hello \"you\" $HOME %n \\", "limits", "memory_max_bytes",
			 (json_int_t)2 << 30, "cpu_quota_percent", 50, "tasks_max", 4096);
}

static void test_round_trip(void **state)
{
	json_t *object = good_spec(), *again;
	struct container_spec spec = {}, other = {};
	char hash[SPEC_HASH_SIZE], other_hash[SPEC_HASH_SIZE];
	struct error err = {};

	(void)state;
	assert_int_equal(spec_parse(object, &spec, &err), 0);
	assert_string_equal(spec.agent, "alice");
	assert_string_equal(spec.container, "h-alice");
	assert_false(spec.manager);
	assert_int_equal(spec.uid_base, 1310720);
	assert_int_equal(spec.port, 8879);
	assert_int_equal(spec.limits.memory_max_bytes, 2LL << 30);
	assert_string_equal(spec.env[0], "GREETING=hello \"you\" $HOME %n \\");
	assert_null(spec.env[1]);
	again = spec_to_json(&spec);
	assert_true(json_equal(object, again));
	assert_int_equal(spec_parse(again, &other, &err), 0);
	assert_string_equal(spec_hash(hash, &spec), spec_hash(other_hash, &other));
	other.fresh = true; /* is about one request, not about what runs */
	assert_string_equal(hash, spec_hash(other_hash, &other));
	other.port++;
	assert_string_not_equal(hash, spec_hash(other_hash, &other));
	spec_release(&spec);
	spec_release(&other);
	json_decref(object);
	json_decref(again);
}

static void test_store_systems(void **state)
{
	json_t *object = good_spec(), *again;
	struct container_spec spec = {};
	struct error err = {};

	(void)state;
	json_object_set_new(object, "system",
			    json_string("/nix/store/k8lzrs49906d44acq5lg4f4g97wl66rq-x"));
	assert_int_equal(spec_parse(object, &spec, &err), 0);
	assert_int_equal(spec.driver, DRIVER_NSPAWN);
	spec_release(&spec);
	json_object_set_new(object, "driver", json_string("nixos-container"));
	assert_int_equal(spec_parse(object, &spec, &err), 0);
	assert_int_equal(spec.driver, DRIVER_NIXOS_CONTAINER);
	again = spec_to_json(&spec);
	assert_true(json_equal(object, again));
	spec_release(&spec);
	json_decref(object);
	json_decref(again);
}

static void test_manager_role(void **state)
{
	json_t *object = good_spec();
	struct container_spec spec = {};
	struct error err = {};

	(void)state;
	json_object_set_new(object, "agent", json_string(MANAGER_NAME));
	assert_int_equal(spec_parse(object, &spec, &err), -EINVAL);
	json_object_set_new(object, "role", json_string("manager"));
	assert_int_equal(spec_parse(object, &spec, &err), 0);
	assert_true(spec.manager);
	spec_release(&spec);
	json_decref(object);
}

/* Each is the good specification with one key replaced; the error names the key. */
static void test_refuses(void **state)
{
	static const struct {
		const char *key, *value; /* JSON; NULL takes the key away */
	} cases[] = {
		{"agent", NULL},
		{"agent", "\"../etc\""},
		{"agent", "\"Alice\""},
		{"agent", "7"},
		{"role", NULL},
		{"role", "\"operator\""},
		{"role", "\"manager\""},
		{"uid_base", NULL},
		{"uid_base", "0"},
		{"uid_base", "65536"},
		{"uid_base", "1310721"},
		{"uid_base", "1879048192"},
		{"uid_base", "-1310720"},
		{"uid_base", "\"1310720\""},
		{"system", NULL},
		{"system", "\"../../../../../../../../../../../../etc\""},
		{"system", "\"0123456789ABCDEF0123456789abcdef01234567\""},
		{"system", "\"0123456789abcdef\""},
		{"system", "\"/nix/store/k8lzrs49906d44acq5lg4f4g97wl66rq\""},
		{"system", "\"/nix/store/k8lzrs49906d44acq5lg4f4g97wl66rq-x/init\""},
		{"driver", "\"lxd\""},
		{"driver", "\"nixos-container\""}, /* its system is no store path */
		{"network", "\"bridge\""},
		{"network", NULL},
		{"port", "0"},
		{"port", "65536"},
		{"port", NULL},
		{"dashboard_port", "-1"},
		{"label", NULL},
		{"label", "\"two\\nlines\""},
		{"label", "\"\\u001b[31m\""},
		{"env", "\"A=b\""},
		{"env", "[7]"},
		{"env", "[\"A\"]"},
		{"env", "[\"=b\"]"},
		{"env", "[\"1A=b\"]"},
		{"env", "[\"A B=c\"]"},
		{"env", "[\"A=two\\nlines\"]"},
		{"env", "[\"HIVE_PORT=1\"]"},
		{"env", "[\"LD_PRELOAD=/state/x.so\"]"},
		{"limits", NULL},
		{"limits", "[]"},
		{"tasks_max", "15"},
		{"tasks_max", NULL},
		{"memory_max_bytes", "1048576"},
		{"memory_max_bytes", "\"2G\""},
		{"cpu_quota_percent", "0"},
		{"extra", "1"},
		{"frozen", "true"},
		{"frozen", "\"yes\""},
		{"fresh", "1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *object = good_spec(), *limits = json_object_get(object, "limits");
		json_t *target = json_object_get(limits, cases[i].key) ? limits : object;
		struct container_spec spec = {};
		struct error err = {};

		if (cases[i].value)
			json_object_set_new(target, cases[i].key,
					    json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
		else
			json_object_del(target, cases[i].key);
		if (spec_parse(object, &spec, &err) >= 0)
			fail_msg("'%s' = %s was accepted", cases[i].key, cases[i].value);
		if (!strstr(err.text, cases[i].key) && !strstr(err.text, "agent name"))
			fail_msg("'%s' = %s: \"%s\" does not name it", cases[i].key,
				 cases[i].value, err.text);
		json_decref(object);
	}
}

static void test_env_bounds(void **state)
{
	json_t *object = good_spec(), *env = json_array();
	_cleanup_free_ char *longest = mem_new(SPEC_MAX_ENV_BYTES + 2, 1);
	struct container_spec spec = {};
	struct error err = {};

	(void)state;
	for (int i = 0; i < SPEC_MAX_ENV; i++)
		json_array_append_new(env, json_sprintf("E%d=x", i));
	json_object_set_new(object, "env", env);
	assert_int_equal(spec_parse(object, &spec, &err), 0);
	spec_release(&spec);
	json_array_append_new(env, json_string("ONE_MORE=x"));
	assert_int_equal(spec_parse(object, &spec, &err), -EINVAL);
	memset(longest, 'a', SPEC_MAX_ENV_BYTES + 1);
	longest[1] = '=';
	json_array_clear(env);
	json_array_append_new(env, json_string(longest));
	assert_int_equal(spec_parse(object, &spec, &err), -EINVAL);
	longest[SPEC_MAX_ENV_BYTES] = '\0';
	json_array_clear(env);
	json_array_append_new(env, json_string(longest));
	assert_int_equal(spec_parse(object, &spec, &err), 0);
	spec_release(&spec);
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_store_systems),
		cmocka_unit_test(test_manager_role), cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_env_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
