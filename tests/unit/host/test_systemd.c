/* Units of containers: names, states, ends, and which signals are about one of ours. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "host/checks.h"
#include "host/nixos_owner.h"
#include "host/systemd.h"
#include "host/unit_events.h"

#include <fcntl.h>
#include <signal.h>

static void test_names(void **state)
{
	static const struct {
		const char *path, *agent;
	} cases[] = {
		{"/org/freedesktop/systemd1/unit/skep_2dagent_40alice_2eservice", "alice"},
		{"/org/freedesktop/systemd1/unit/skep_2dagent_40a_2db_2eservice", "a-b"},
		{"/org/freedesktop/systemd1/unit/skep_2dagent_40_2eservice", NULL},
		{"/org/freedesktop/systemd1/unit/skep_2dagent_40alice_2esocket", NULL},
		{"/org/freedesktop/systemd1/unit/skep_2dagent_40Alice_2eservice", NULL},
		{"/org/freedesktop/systemd1/unit/skep_2dagent_40"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_2eservice",
		 NULL},
		{"/org/freedesktop/systemd1/unit/skepd_2eservice", NULL},
		{"/org/freedesktop/systemd1", NULL},
	};
	char agent[AGENT_NAME_MAX + 1], unit[SYSTEMD_UNIT_NAME_SIZE];
	const char *dir = *state;
	const struct place place = {.state = dir, .runtime = dir};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(unit_events_agent(dir, cases[i].path, agent),
				 cases[i].agent != NULL);
		if (cases[i].agent)
			assert_string_equal(agent, cases[i].agent);
	}
	assert_string_equal(systemd_unit_name(unit, &place, "alice"),
			    "skep-agent@alice.service");
	assert_string_equal(systemd_unit_name(unit, &place, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
			    "skep-agent@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.service");
}

/* A container of nixos-container is ours when its file says so, and only for that agent. */
static void test_nixos_names(void **state)
{
	static const char path[] =
		"/org/freedesktop/systemd1/unit/container_40h_2dalice_2eservice";
	const struct place place = {.state = *state, .runtime = *state};
	char agent[AGENT_NAME_MAX + 1], unit[SYSTEMD_UNIT_NAME_SIZE], file[256];
	struct error err = {};

	assert_false(unit_events_agent(*state, path, agent));
	assert_int_equal(nixos_owner_write(&place, "alice", &err), 0);
	assert_true(unit_events_agent(*state, path, agent));
	assert_string_equal(agent, "alice");
	assert_string_equal(systemd_unit_name(unit, &place, "alice"),
			    "container@h-alice.service");
	assert_string_equal(systemd_unit_name(unit, &place, "bob"), "skep-agent@bob.service");
	unit_path(file, state, "nixos-containers/h-alice");
	assert_int_equal(file_write_atomic(AT_FDCWD, file, "bob\n", 4, 0600, &err), 0);
	assert_false(nixos_owned(&place, "alice"));
	assert_false(nixos_owned(&place, "bob"));
	assert_int_equal(nixos_owner_remove(&place, "alice", &err), 0);
	assert_int_equal(nixos_owner_remove(&place, "alice", &err), 0);
	assert_false(unit_events_agent(*state, path, agent));
}

static void test_states(void **state)
{
	static const struct {
		const char *active;
		enum container_run_state run;
	} cases[] = {
		{"active", CONTAINER_RUNNING},       {"reloading", CONTAINER_RUNNING},
		{"deactivating", CONTAINER_RUNNING}, {"activating", CONTAINER_STARTING},
		{"failed", CONTAINER_FAILED},        {"inactive", CONTAINER_STOPPED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(systemd_run_state(cases[i].active), cases[i].run);
}

static void test_ends(void **state)
{
	static const struct {
		struct unit_state unit;
		const char *text;
	} cases[] = {
		{{.result = "success"}, ""},
		{{.result = "success", .exit_code = CLD_EXITED}, "exited with status 0"},
		{{.result = "exit-code", .exit_code = CLD_EXITED, .exit_status = 3},
		 "exited with status 3"},
		{{.result = "signal", .exit_code = CLD_KILLED, .exit_status = 9},
		 "was killed by signal 9 (Killed)"},
		{{.result = "oom-kill", .exit_code = CLD_KILLED, .exit_status = 9},
		 "oom-kill; was killed by signal 9 (Killed)"},
		{{.result = "start-limit-hit"}, "start-limit-hit"},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(systemd_exit_text(text, &cases[i].unit), cases[i].text);
}

static void test_versions(void **state)
{
	(void)state;
	assert_int_equal(checks_parse_version("systemd 252 (252.39-1~deb12u2)"), 252);
	assert_int_equal(checks_parse_version("systemd"), -1);
	assert_int_equal(checks_parse_version(""), -1);
}

static void test_check_rows(void **state)
{
	json_t *checks = json_array(), *row;

	(void)state;
	checks_add(checks, "disk", true, "unused", "%d left", 3);
	checks_add(checks, "clock", false, "set it", "\033[31mwrong");
	row = json_array_get(checks, 0);
	assert_true(json_is_true(json_object_get(row, "ok")));
	assert_string_equal(json_string_value(json_object_get(row, "detail")), "3 left");
	assert_null(json_object_get(row, "fix"));
	row = json_array_get(checks, 1);
	assert_true(json_is_false(json_object_get(row, "ok")));
	assert_string_equal(json_string_value(json_object_get(row, "fix")), "set it");
	assert_null(strchr(json_string_value(json_object_get(row, "detail")), '\033'));
	json_decref(checks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, unit_dir_setup, unit_dir_teardown),
		cmocka_unit_test_setup_teardown(test_nixos_names, unit_dir_setup,
						unit_dir_teardown),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_check_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
