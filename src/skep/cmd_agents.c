/* status, list, show, whoami: the hive and its agents as they are. */

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "skep/handlers.h"
#include "skep/rows.h"
#include "skep/scope.h"
#include "skep/table.h"
#include "skep/when.h"

#include <string.h>

/* Every key and value of an object whose shape is the daemon's business: "key: value", lists
 * joined. */
static void print_object(struct out *out, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		_cleanup_free_ char *line = json_is_string(value) ? NULL : json_line(value);

		field_print(out, key, STYLE_PLAIN, "%s",
			    line ? line : json_string_value(value));
	}
}

/* "memory, cpu" of an object of booleans, those that are not enforced. */
static char *unenforced(const json_t *enforced)
{
	struct buf names = {};
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)enforced, key, value) {
		if (json_is_false(value))
			buf_addf(&names, "%s%s", names.size ? ", " : "", key);
	}
	return buf_take(&names);
}

static void print_counts(struct out *out, const char *label, const json_t *counts)
{
	struct buf text = {};
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)counts, key, value) {
		if (json_integer_value(value) > 0 || strcmp(key, "total") == 0 ||
		    strcmp(key, "pending") == 0)
			buf_addf(&text, "%s%lld %s", text.size ? ", " : "",
				 (long long)json_integer_value(value), key);
	}
	field_print(out, label, STYLE_PLAIN, "%s", buf_str(&text));
	buf_release(&text);
}

int cmd_status(struct cli *cli, struct error *err)
{
	json_auto_t *answer = NULL;
	_cleanup_free_ char *missing = NULL;
	const json_t *status, *limits;
	struct out *out = &cli->out;
	char length[32];
	int r = cli_call(cli, cli_request("status"), &answer, err);

	if (r < 0)
		return r;
	if (cli_print_json(cli, answer, "status"))
		return 0;
	status = json_object_get(answer, "status");
	if (!json_object_get(status, "agents")) {
		json_auto_t *whole = answer_result(answer, "status");

		print_object(out, whole);
		return 0;
	}
	limits = json_object_get(status, "limits");
	missing = unenforced(limits);
	field_print(out, "skepd", STYLE_PLAIN, "%s (%s), up %s", field_str(status, "version"),
		    field_str(status, "mode"),
		    when_length(length, field_int(status, "uptime_s")));
	print_counts(out, "agents", json_object_get(status, "agents"));
	print_counts(out, "proposals", json_object_get(status, "proposals"));
	if (missing[0])
		field_print(out, "limits", STYLE_WARN, "NOT enforced here: %s%s%s", missing,
			    field_str(limits, "reason")[0] ? "; " : "",
			    field_str(limits, "reason"));
	else
		field_print(out, "limits", STYLE_PLAIN, "enforced");
	field_print(out, "state", STYLE_PLAIN, "%s", field_str(status, "state_dir"));
	field_print(out, "runtime", STYLE_PLAIN, "%s", field_str(status, "runtime_dir"));
	if (field_int(json_object_get(status, "proposals"), "pending") > 0)
		cli_hint(cli, "skep proposals lists what waits for a verdict");
	return 0;
}

static void print_agent_row(struct table *table, const json_t *row)
{
	int64_t open = field_int(row, "open_proposal");

	table_cell(table, STYLE_BOLD, "%s", field_str(row, "name"));
	table_cell(table, agent_style(row), "%s", agent_state(row));
	table_cell(table, STYLE_DIM, "%s", field_str(row, "deployed_sha"));
	if (open > 0)
		table_cell(table, STYLE_WARN, "%lld", (long long)open);
	else
		table_cell(table, STYLE_PLAIN, "%s",
			   field_bool(row, "needs_update") ? "update" : "");
	table_cell(table, STYLE_DIM, "%s", field_str(row, "parent"));
	table_cell(table, STYLE_PLAIN, "%s", field_str(row, "status_text"));
}

/* An agent's socket knows names only. */
static int list_names(struct cli *cli, struct error *err)
{
	json_auto_t *answer = NULL;
	json_t *name;
	size_t i;
	int r = cli_call(cli, cli_request("list"), &answer, err);

	if (r < 0 || cli_print_json(cli, answer, "agents"))
		return r;
	json_array_foreach (json_object_get(answer, "agents"), i, name)
		out_line(&cli->out, STYLE_PLAIN, "%s", json_string_value(name));
	return 0;
}

int cmd_list(struct cli *cli, struct error *err)
{
	static const struct table_column columns[] = {
		{.title = "NAME", .shrink_to = 8},
		{.title = "STATE"},
		{.title = "DEPLOYED", .drop = 2},
		{.title = "PROPOSAL", .right = true, .drop = 1},
		{.title = "PARENT", .drop = 3},
		{.title = "STATUS", .shrink_to = 10, .drop = 4},
	};
	_cleanup_(table_freep) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	json_auto_t *request = cli_request("agent_status"), *answer = NULL;
	json_t *rows, *row;
	size_t i;
	int r;

	if (client_is_agent_socket(cli->socket))
		return list_names(cli, err);
	r = scope_filter(&cli->args, request, err);
	if (r < 0)
		return r;
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "agent_statuses"))
		return r;
	rows = json_object_get(answer, "agent_statuses");
	json_array_foreach (rows, i, row)
		print_agent_row(table, row);
	if (json_array_size(rows) > 0)
		table_print(table, &cli->out, cli->plain, "");
	else if (scope_is_given(&cli->args))
		cli_say(cli, "no agent has such a label");
	else
		cli_say(cli, "there are no agents yet; make the first with: skep spawn hm1nd");
	return 0;
}

static char *joined(const json_t *strings)
{
	struct buf text = {};
	json_t *value;
	size_t i;

	json_array_foreach (strings, i, value)
		buf_addf(&text, "%s%s", i ? ", " : "",
			 json_string_value(value) ? json_string_value(value) : "?");
	return buf_take(&text);
}

static char *labels_text(const json_t *labels)
{
	struct buf text = {};
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)labels, key, value)
		buf_addf(&text, "%s%s=%s", text.size ? ", " : "", key,
			 json_is_string(value) ? json_string_value(value) : "?");
	return buf_take(&text);
}

static void print_limits(struct out *out, const json_t *agent)
{
	const json_t *limits = json_object_get(agent, "limits");
	_cleanup_free_ char *missing = unenforced(json_object_get(agent, "limits_enforced"));

	if (!limits)
		return;
	field_print(out, "limits", missing[0] ? STYLE_WARN : STYLE_PLAIN,
		    "memory %s, cpu %s, tasks %lld%s%s", field_str(limits, "memory_max"),
		    field_str(limits, "cpu_quota"), (long long)field_int(limits, "tasks_max"),
		    missing[0] ? "; NOT enforced: " : "", missing);
}

static void print_deployed(struct out *out, const json_t *agent)
{
	const char *system = field_str(agent, "system"),
		   *running = field_str(agent, "system_running");

	if (json_object_get(agent, "deployed"))
		field_print(out, "deployed", STYLE_PLAIN, "%lld, commit %s",
			    (long long)field_int(agent, "deployed"),
			    field_str(agent, "commit"));
	field_print(out, "system", STYLE_PLAIN, "%s", system);
	if (running[0] && strcmp(running, system) != 0)
		field_print(out, "running", STYLE_BAD, "%s, which is NOT what is deployed",
			    running);
	field_print(out, "drift", STYLE_BAD, "%s", field_str(agent, "drift"));
}

static void print_agent(struct cli *cli, const json_t *agent)
{
	_cleanup_free_ char *failed = joined(json_object_get(agent, "failed_units"));
	_cleanup_free_ char *labels = labels_text(json_object_get(agent, "labels"));
	struct out *out = &cli->out;
	int64_t leader = field_int(agent, "leader");

	out_add(out, STYLE_BOLD, "%s", field_str(agent, "name"));
	out_add(out, STYLE_PLAIN, " (%s) is ", field_str(agent, "role"));
	out_line(out, agent_style(agent), "%s", agent_state(agent));
	field_print(out, "status", STYLE_PLAIN, "%s", field_str(agent, "status_text"));
	field_print(out, "parent", STYLE_PLAIN, "%s", field_str(agent, "parent"));
	field_print(out, "wanted", STYLE_PLAIN, "%s", field_str(agent, "desired"));
	field_print(out, "container", STYLE_PLAIN, "%s, driver %s, builder %s",
		    field_str(agent, "container"), field_str(agent, "driver"),
		    field_str(agent, "builder"));
	if (leader > 0)
		field_print(out, "boot", STYLE_PLAIN, "%s, leader %lld",
			    field_str(agent, "boot_state"), (long long)leader);
	field_print(out, "failed units", STYLE_BAD, "%s", failed);
	field_print(out, "network", STYLE_PLAIN, "%s, port %lld", field_str(agent, "network"),
		    (long long)field_int(agent, "port"));
	field_print(out, "uids", STYLE_PLAIN, "%lld and 65535 more",
		    (long long)field_int(agent, "uid_base"));
	print_limits(out, agent);
	field_print(out, "labels", STYLE_PLAIN, "%s", labels);
	print_deployed(out, agent);
	field_print(out, "repository", STYLE_PLAIN, "%s", field_str(agent, "proposed_path"));
	field_print(out, "page", STYLE_PLAIN, "%s", field_str(agent, "url"));
}

int cmd_show(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("agent"), *answer = NULL;
	const json_t *proposals;
	const char *name;
	int r = args_agent(&cli->args, &name, err);

	if (r < 0)
		return r;
	json_put_str(request, "name", name);
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "agent"))
		return r;
	print_agent(cli, json_object_get(answer, "agent"));
	proposals = json_object_get(json_object_get(answer, "agent"), "proposals");
	if (json_array_size(proposals) > 0) {
		out_end(&cli->out);
		proposals_print(&cli->out, proposals, cli->plain, false, "");
	}
	return 0;
}

int cmd_whoami(struct cli *cli, struct error *err)
{
	json_auto_t *answer = NULL, *who = NULL;
	int r = cli_call(cli, cli_request("whoami"), &answer, err);

	if (r < 0 || cli_print_json(cli, answer, "whoami"))
		return r;
	who = answer_result(answer, "whoami");
	print_object(&cli->out, who);
	return 0;
}
