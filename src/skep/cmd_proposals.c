/* submit, update-inputs, proposals, cancel, rollback: proposals made, listed and withdrawn. */

#include "base/cleanup.h"
#include "base/json.h"
#include "model/oid.h"
#include "skep/handlers.h"
#include "skep/rows.h"
#include "skep/wait.h"

#include <errno.h>
#include <string.h>

static void announce(struct cli *cli, const json_t *row)
{
	const json_t *flags = json_object_get(row, "flags");
	long long id = field_int(row, "id");

	out_line(&cli->out, STYLE_PLAIN, "%lld", id);
	if (proposal_is_of_commit(row))
		cli_say(cli, "proposal %lld: commit %.*s of %s is %s", id, OID_SHORT,
			proposal_commit(row), field_str(row, "agent"), proposal_state(row));
	else
		cli_say(cli, "proposal %lld: %s is %s", id, proposal_title(row),
			proposal_state(row));
	if (!cli->quiet && json_array_size(flags) > 0) {
		flags_print(&cli->talk, flags, "  ");
		(void)out_flush(&cli->talk);
	}
	if (client_is_agent_socket(cli->socket))
		cli_hint(cli,
			 "an operator reviews it; skep proposals shows what becomes of it");
	else
		cli_hint(cli, "review it with: skep diff %lld", id);
}

int proposal_ask(struct cli *cli, json_t *request, struct error *err)
{
	json_auto_t *answer = NULL;
	int r = cli_call(cli, request, &answer, err);

	if (r < 0 || cli_print_json(cli, answer, "proposal"))
		return r;
	announce(cli, json_object_get(answer, "proposal"));
	return 0;
}

/* What Nix says while it looks for what is newer. */
static void tell_piece(struct cli *cli, const char *text, void *data)
{
	(void)data;
	if (cli->quiet)
		return;
	out_lines(&cli->talk, STYLE_DIM, "  | ", text);
	(void)out_flush(&cli->talk);
}

int cmd_update_inputs(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("update_inputs"), *row = NULL, *answer = NULL;
	json_t *names = json_array();
	int r;

	for (size_t i = 0; i < cli->args.n_words; i++)
		json_array_append_new(names, json_string(cli->args.words[i]));
	json_object_set_new(request, "names", names);
	json_put_str(request, "description", args_get(&cli->args, "message"));
	r = wait_build_log(cli, TAKE_PTR(request), tell_piece, NULL, &row, err);
	if (r < 0)
		return r;
	answer = json_pack("{s:O?}", "proposal", row);
	if (!row)
		json_object_set_new(answer, "proposal", json_null());
	if (cli_print_json(cli, answer, "proposal"))
		return 0;
	if (row)
		announce(cli, row);
	else
		cli_say(cli, "nothing is newer: there is nothing to propose");
	return 0;
}

int cmd_submit(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("submit");
	const char *agent, *commit = cli->args.words[1];
	int r = args_agent(&cli->args, &agent, err);

	if (r < 0)
		return r;
	if (!oid_is_valid_or_short(commit)) {
		error_set(err, EINVAL, "'%s' is not a commit id of %d to %d hexadecimal digits",
			  commit, OID_SHORTEST, OID_HEX_SIZE - 1);
		error_hint(err, "`git rev-parse HEAD` prints the id of what is checked out");
		return -EINVAL;
	}
	json_put_str(request, "agent", agent);
	json_put_str(request, "commit", commit);
	json_put_str(request, "description", args_get(&cli->args, "message"));
	return proposal_ask(cli, TAKE_PTR(request), err);
}

/* Asks for the statuses of the wire that hold the states wanted, each once. */
static int put_states(json_t *request, const struct args *args, struct error *err)
{
	json_auto_t *statuses = json_array();
	const char *word;

	for (size_t i = 0; (word = args_get_nth(args, "state", i)); i++) {
		const char *status = proposal_status_of(word);
		json_t *have;
		size_t j;

		if (!status) {
			error_set(err, EINVAL, "there is no state '%s'", word);
			error_hint(err, "skep help proposals");
			return -EINVAL;
		}
		if (strcmp(status, "all") == 0) {
			json_put_str(request, "status", "all");
			return 0;
		}
		json_array_foreach (statuses, j, have)
			if (strcmp(json_string_value(have), status) == 0)
				break;
		if (j == json_array_size(statuses))
			json_array_append_new(statuses, json_string(status));
	}
	if (json_array_size(statuses) > 0)
		json_object_set(request, "status", statuses);
	return 0;
}

static bool is_wanted(const struct args *args, const json_t *row)
{
	const char *word;

	if (!args_has(args, "state"))
		return proposal_is_open(row);
	for (size_t i = 0; (word = args_get_nth(args, "state", i)); i++)
		if (proposal_matches(row, word))
			return true;
	return false;
}

/* The wire's filter is coarser than ours, so what came is filtered again and only then counted;
 * newest are last. */
static json_t *select_rows(const struct args *args, const json_t *rows, size_t limit)
{
	json_t *chosen = json_array(), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (is_wanted(args, row))
			json_array_append(chosen, row);
	while (json_array_size(chosen) > limit)
		json_array_remove(chosen, 0);
	return chosen;
}

static void say_empty(struct cli *cli)
{
	if (args_has(&cli->args, "state") || args_has(&cli->args, "agent")) {
		cli_say(cli, "there is no such proposal");
		return;
	}
	cli_say(cli, "nothing waits for a verdict");
	cli_hint(cli, "skep proposals --state all lists earlier ones");
}

int cmd_proposals(struct cli *cli, struct error *err)
{
	json_auto_t *request =
		cli_request(client_is_agent_socket(cli->socket) ? "proposals" : "pending");
	json_auto_t *answer = NULL, *rows = NULL;
	const char *limit_text = args_get(&cli->args, "limit");
	int64_t limit = INT64_MAX;
	int r = put_states(request, &cli->args, err);

	if (r == 0 && limit_text)
		r = args_parse_number(limit_text, "proposals to list", 1, &limit, err);
	if (r < 0)
		return r;
	json_put_str(request, "agent", args_get(&cli->args, "agent"));
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0)
		return r;
	rows = select_rows(&cli->args, json_object_get(answer, "approvals"), (size_t)limit);
	if (cli->json)
		answer_print(&cli->out.pending, rows);
	else if (json_array_size(rows) > 0)
		proposals_print(&cli->out, rows, cli->plain, true, "");
	else
		say_empty(cli);
	return 0;
}

int cmd_cancel(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("withdraw"), *answer = NULL;
	int64_t id;
	int r = args_parse_number(cli->args.words[0], "a proposal", 1, &id, err);

	if (r < 0)
		return r;
	json_object_set_new(request, "id", json_integer(id));
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, NULL))
		return r;
	cli_say(cli, "withdrew proposal %lld", (long long)id);
	return 0;
}

int cmd_rollback(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("rollback"), *answer = NULL;
	struct progress progress = {.agents = cli->args.words,
				    .n_agents = 1,
				    .hint = "skep proposals --state all"};
	const json_t *row;
	const char *name;
	int64_t to;
	int r = args_agent(&cli->args, &name, err);

	if (r < 0)
		return r;
	json_put_str(request, "name", name);
	if (cli->args.n_words > 1) {
		r = args_parse_number(cli->args.words[1], "a deploy", 0, &to, err);
		if (r < 0)
			return r;
		json_object_set_new(request, "to", json_integer(to));
	}
	r = wait_call(cli, TAKE_PTR(request), &progress, &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "proposal"))
		return r;
	row = json_object_get(answer, "proposal");
	cli_say(cli, "%s goes back to commit %.*s as proposal %lld: %s", name, OID_SHORT,
		proposal_commit(row), (long long)field_int(row, "id"), proposal_state(row));
	if (args_has(&cli->args, "no-wait"))
		cli_hint(cli, "skep log %lld -f", (long long)field_int(row, "id"));
	return 0;
}
