/* What clients written for hyperhive's socket parse, byte for byte. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "wire/answer.h"
#include "wire/view.h"

#include <errno.h>

static void assert_line(json_t *value, const char *line)
{
	_cleanup_free_ char *text = json_line(value);

	assert_string_equal(text, line);
	json_decref(value);
}

static void test_envelope(void **state)
{
	struct error err = {};

	(void)state;
	assert_line(answer_ok(), "{\"version\":1,\"ok\":true}");
	assert_line(answer_with("agents", json_pack("[s,s]", "alpha", "beta")),
		    "{\"version\":1,\"ok\":true,\"agents\":[\"alpha\",\"beta\"]}");
	assert_line(answer_with("approvals", json_array()),
		    "{\"version\":1,\"ok\":true,\"approvals\":[]}");
	error_set(&err, ENOENT, "no agent 'x'");
	error_hint(&err, "skep list");
	assert_line(answer_error(&err),
		    "{\"version\":1,\"ok\":false,\"error\":\"no agent 'x'\",\"code\":"
		    "\"not_found\",\"hint\":\"skep list\"}");
}

static void test_agent_row(void **state)
{
	struct agent_facts facts = {.running = true,
				    .state = "running",
				    .downtime_ms = -1,
				    .status_text = "indexing",
				    .status_set_at = 1789204500};
	json_t *manager;
	struct settings s;

	(void)state;
	settings_init(&s, "coder");
	snprintf(s.parent, sizeof(s.parent), "hm1nd");
	snprintf(s.revision, sizeof(s.revision), "1f2e3d4c5b6a7f8091a2b3c4d5e6f708192a3b4c");
	assert_line(view_agent(&s, &facts), "{\"name\":\"coder\",\"running\":true,\"failed\":"
					    "false,\"needs_update\":false,\"needs_login\":"
					    "false,\"pending_reminders\":0,\"paused\":false,"
					    "\"parent\":\"hm1nd\",\"deployed_sha\":"
					    "\"1f2e3d4c5b6a\",\"status_text\":\"indexing\","
					    "\"status_set_at\":\"2026-09-12T09:15:00Z\","
					    "\"state\":\"running\",\"role\":\"agent\"}");
	/* the text of a container that does not run is a stale snapshot */
	facts.running = false;
	facts.state = "stopped";
	s.revision[0] = s.parent[0] = '\0';
	assert_line(view_agent(&s, &facts),
		    "{\"name\":\"coder\",\"running\":false,\"failed\":false,\"needs_update\":"
		    "false,\"needs_login\":"
		    "false,\"pending_reminders\":0,\"paused\":false,\"state\":\"stopped\","
		    "\"role\":\"agent\"}");
	settings_release(&s);
	settings_init(&s, MANAGER_NAME);
	manager = view_agent(&s, &facts);
	assert_string_equal(json_string_value(json_object_get(manager, "role")), "manager");
	json_decref(manager);
	settings_release(&s);
}

static void test_approval_row(void **state)
{
	static const char sha[] = "1f2e3d4c5b6a7f8091a2b3c4d5e6f708192a3b4c";
	struct proposal *p = proposal_new(42, "coder");
	_cleanup_free_ char *text = NULL;
	json_t *row;

	(void)state;
	memcpy(p->commit, sha, sizeof(sha));
	memcpy(p->tree, sha, sizeof(sha));
	p->requested_at = 1789204500;
	p->description = strdup("more");
	row = view_proposal(p, 1789204500 + 86400);
	text = json_line(row);
	json_decref(row);
	assert_non_null(strstr(
		text,
		"{\"id\":42,\"agent\":\"coder\",\"kind\":\"apply_commit\",\"commit_ref\":"
		"\"1f2e3d4c5b6a7f8091a2b3c4d5e6f708192a3b4c\",\"fetched_sha\":"
		"\"1f2e3d4c5b6a7f8091a2b3c4d5e6f708192a3b4c\",\"requested_at\":"
		"\"2026-09-12T09:15:00Z\",\"status\":\"pending\",\"description\":\"more\""));
	assert_null(strstr(text, "null"));
	assert_non_null(strstr(text, "\"expires_at\":\"2026-09-13T09:15:00Z\""));
	proposal_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_agent_row),
		cmocka_unit_test(test_approval_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
