/* events: the state of everything, then each change. */

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "skep/handlers.h"
#include "skep/rows.h"

#include <errno.h>
#include <string.h>

#define HEARTBEAT_S 30
#define QUIET_MS \
	(4 * HEARTBEAT_S * 1000) /* a daemon that misses this many heartbeats is gone */

/* Every line begins with its time, for the wire has none. */
static void begin(struct out *out)
{
	char now[CLOCK_TEXT_SIZE];

	out_add(out, STYLE_DIM, "%s ", clock_format(now, clock_wall_s()));
}

static void print_agent(struct out *out, const json_t *row)
{
	const char *status = field_str(row, "status_text");

	begin(out);
	out_add(out, STYLE_BOLD, "%s ", field_str(row, "name"));
	out_add(out, agent_style(row), "%s", agent_state(row));
	if (field_str(row, "deployed_sha")[0])
		out_add(out, STYLE_DIM, " %s", field_str(row, "deployed_sha"));
	if (status[0])
		out_add(out, STYLE_PLAIN, ": %s", status);
	out_end(out);
}

static void print_proposal(struct out *out, const json_t *row)
{
	begin(out);
	out_add(out, STYLE_BOLD, "proposal %lld ", (long long)field_int(row, "id"));
	out_add(out, STYLE_PLAIN, "of %s ", proposal_subject(row));
	out_add(out, proposal_style(row), "%s", proposal_state(row));
	if (proposal_title(row)[0])
		out_add(out, STYLE_PLAIN, ": %s", proposal_title(row));
	out_end(out);
}

/* Kinds are an open list: what an event says is shown as it is. */
static void print_event(struct out *out, const json_t *event)
{
	const char *key;
	json_t *value;

	begin(out);
	out_add(out, STYLE_NOTE, "%s", field_str(event, "kind"));
	json_object_foreach ((json_t *)event, key, value) {
		_cleanup_free_ char *line = NULL;

		if (strcmp(key, "kind") == 0)
			continue;
		line = json_is_string(value) ? str_dup(json_string_value(value))
					     : json_line(value);
		out_add(out, STYLE_PLAIN, " %s=%s", key, line ? line : "?");
	}
	out_end(out);
}

static void print_change(struct cli *cli, const json_t *line)
{
	struct out *out = &cli->out;
	json_t *row;
	size_t i;

	if (cli->json) {
		json_auto_t *result = answer_result(line, NULL);

		answer_print(&out->pending, result);
		return;
	}
	if (field_bool(line, "resync"))
		cli_say(cli, "changes came faster than they could be sent; what follows is the "
			     "state now");
	json_array_foreach (json_object_get(line, "agent_statuses"), i, row)
		print_agent(out, row);
	json_array_foreach (json_object_get(line, "approvals"), i, row)
		print_proposal(out, row);
	json_array_foreach (json_object_get(line, "events"), i, row)
		print_event(out, row);
	json_array_foreach (json_object_get(line, "removed"), i, row) {
		begin(out);
		out_line(out, STYLE_PLAIN, "%s is gone", json_string_value(row));
	}
}

static int subscription(const struct args *args, json_t **ret, struct error *err)
{
	static const char *const all[] = {"agent_status", "approval", "question", "queue",
					  "drift"};
	const char *since = args_get(args, "since"), *kind;
	json_t *request, *kinds;
	int64_t seq = 0;
	size_t i;

	if (since && args_parse_number(since, "an event's number", 0, &seq, err) < 0)
		return -EINVAL;
	request = cli_request("subscribe_agent_status");
	kinds = json_array();
	for (i = 0; (kind = args_get_nth(args, "kind", i)); i++)
		json_array_append_new(kinds,
				      json_string(strcmp(kind, "agent") == 0 ? "agent_status"
									     : kind));
	for (i = 0; !args_has(args, "kind") && i < ARRAY_SIZE(all); i++)
		json_array_append_new(kinds, json_string(all[i]));
	if (since)
		json_object_set_new(request, "since", json_integer(seq));
	else
		json_object_set_new(request, "snapshot", json_true());
	json_object_set_new(request, "kinds", kinds);
	/* without -f the first heartbeat is the end of what was missed */
	json_object_set_new(request, "heartbeat_s",
			    json_integer(since && !args_has(args, "follow") ? 1 : HEARTBEAT_S));
	*ret = request;
	return 0;
}

int cmd_events(struct cli *cli, struct error *err)
{
	json_auto_t *request = NULL;
	_cleanup_client_ struct client client = CLIENT_NONE;
	bool follow = args_has(&cli->args, "follow");
	int64_t seen = -1;
	int r = subscription(&cli->args, &request, err);

	if (r == 0)
		r = client_open(cli->socket, &client, err);
	if (r < 0)
		return r;
	r = client_send(&client, request, NULL, 0, err);
	while (r >= 0) {
		json_auto_t *line = NULL;
		bool is_snapshot;

		r = client_receive(&client, QUIET_MS, &line, err);
		if (r == 0)
			r = cli_check(cli, line, err);
		if (r < 0)
			return r;
		is_snapshot = field_bool(line, "snapshot");
		/* what a snapshot already holds comes again when it was on its way */
		if (!is_snapshot && json_object_get(line, "seq") &&
		    field_int(line, "seq") <= seen)
			continue;
		if (is_snapshot)
			seen = field_int(line, "seq");
		if (!field_bool(line, "heartbeat"))
			print_change(cli, line);
		(void)out_flush(&cli->out);
		if (!follow && (is_snapshot || field_bool(line, "heartbeat")))
			return 0;
	}
	return r;
}
