/* history, audit, doctor: what is on record, and whether all is well. */

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "model/names.h"
#include "model/oid.h"
#include "skep/handlers.h"
#include "skep/machine.h"
#include "skep/rows.h"
#include "skep/table.h"
#include "skep/when.h"

#include <string.h>

static int put_limit(json_t *request, const struct args *args, struct error *err)
{
	const char *text = args_get(args, "lines");
	int64_t limit;
	int r;

	if (!text)
		return 0;
	r = args_parse_number(text, "entries", 1, &limit, err);
	if (r == 0)
		json_object_set_new(request, "limit", json_integer(limit));
	return r;
}

/* Times as they are for programs, as ages for people. */
static void time_cell(struct table *table, const char *at, bool plain)
{
	char age[24];

	table_cell(table, STYLE_DIM, "%s", plain ? at : when_age(age, at, clock_wall_s()));
}

static void number_cell(struct table *table, const json_t *row, const char *key)
{
	if (json_object_get(row, key))
		table_cell(table, STYLE_PLAIN, "%lld", (long long)field_int(row, key));
	else
		table_cell(table, STYLE_DIM, "%s", "");
}

int cmd_history(struct cli *cli, struct error *err)
{
	static const struct table_column columns[] = {
		{.title = "AGE", .right = true},
		{.title = "COMMIT", .drop = 2},
		{.title = "AGENT", .shrink_to = 8, .drop = 1},
		{.title = "N", .right = true},
		{.title = "MESSAGE", .shrink_to = 16},
	};
	json_auto_t *request = cli_request("history"), *answer = NULL;
	_cleanup_(table_freep) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	json_t *rows, *row;
	size_t i;
	int r = put_limit(request, &cli->args, err);

	if (r == 0 && cli->args.n_words > 0)
		r = name_check(cli->args.words[0], err);
	if (r < 0)
		return r;
	json_put_str(request, "name", cli->args.n_words > 0 ? cli->args.words[0] : NULL);
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "deploys"))
		return r;
	rows = json_object_get(answer, "deploys");
	json_array_foreach (rows, i, row) {
		time_cell(table, field_str(row, "at"), cli->plain);
		table_cell(table, STYLE_DIM, "%.*s", cli->plain ? OID_HEX_SIZE : OID_SHORT,
			   field_str(row, "meta_commit"));
		table_cell(table, STYLE_BOLD, "%s", field_str(row, "agent"));
		number_cell(table, row, "n");
		table_cell(table, STYLE_PLAIN, "%s", field_str(row, "message"));
	}
	if (json_array_size(rows) > 0)
		table_print(table, &cli->out, cli->plain, "");
	else
		cli_say(cli, "nothing was deployed yet");
	return 0;
}

static int verify(struct cli *cli, struct error *err)
{
	json_auto_t *answer = NULL;
	const json_t *result;
	json_t *problem;
	bool valid;
	size_t i;
	int r = cli_call(cli, cli_request("audit_verify"), &answer, err);

	if (r < 0)
		return r;
	result = json_object_get(answer, "audit_verify");
	valid = field_bool(result, "valid");
	cli->exit_status = valid ? 0 : EXIT_CHECK_FAILED;
	if (cli_print_json(cli, answer, "audit_verify"))
		return 0;
	out_line(&cli->out, valid ? STYLE_GOOD : STYLE_BAD,
		 "the record is %s: %lld entries, head %s", valid ? "whole" : "NOT whole",
		 (long long)field_int(result, "entries"), field_str(result, "head"));
	json_array_foreach (json_object_get(result, "problems"), i, problem)
		out_line(&cli->out, STYLE_BAD, "  %s",
			 json_string_value(problem) ? json_string_value(problem) : "?");
	return 0;
}

int cmd_audit(struct cli *cli, struct error *err)
{
	static const struct table_column columns[] = {
		{.title = "SEQ", .right = true},
		{.title = "AGE", .right = true},
		{.title = "ACTOR", .shrink_to = 8},
		{.title = "CHANNEL", .drop = 2},
		{.title = "VERB"},
		{.title = "AGENT", .shrink_to = 8},
		{.title = "N", .right = true, .drop = 1},
		{.title = "RESULT", .shrink_to = 8},
		{.title = "NOTE", .shrink_to = 10, .drop = 3},
	};
	json_auto_t *request = cli_request("audit"), *answer = NULL;
	_cleanup_(table_freep) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	json_t *rows, *row;
	size_t i;
	int r;

	if (cli->args.n_words > 0)
		return verify(cli, err);
	r = put_limit(request, &cli->args, err);
	if (r < 0)
		return r;
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "audit"))
		return r;
	rows = json_object_get(answer, "audit");
	json_array_foreach (rows, i, row) {
		const char *result = field_str(row, "result");

		number_cell(table, row, "seq");
		time_cell(table, field_str(row, "at"), cli->plain);
		table_cell(table, STYLE_PLAIN, "%s", field_str(row, "actor"));
		table_cell(table, STYLE_DIM, "%s", field_str(row, "channel"));
		table_cell(table, STYLE_BOLD, "%s", field_str(row, "verb"));
		table_cell(table, STYLE_PLAIN, "%s", field_str(row, "agent"));
		number_cell(table, row, "id");
		table_cell(table, strcmp(result, "ok") == 0 ? STYLE_GOOD : STYLE_WARN, "%s",
			   result);
		table_cell(table, STYLE_PLAIN, "%s", field_str(row, "note"));
	}
	if (json_array_size(rows) > 0)
		table_print(table, &cli->out, cli->plain, "");
	else
		cli_say(cli, "nothing is on record yet");
	return 0;
}

static json_t *failed_check(const char *name, const struct error *err, const char *fix)
{
	return json_pack("{s:s,s:b,s:s,s:s}", "name", name, "ok", 0, "detail", error_text(err),
			 "fix", err->hint[0] ? err->hint : fix);
}

/* A daemon that cannot be asked is the first thing that is wrong; why it is down may be the
 * machine's fault. */
static json_t *checks_without_daemon(const struct error *down)
{
	json_t *checks = json_array();
	struct error err = {};

	json_array_append_new(checks,
			      failed_check("skepd", down,
					   "systemctl status skepd.service skepd.socket"));
	if (machine_checks(checks, &err) < 0)
		json_array_append_new(checks,
				      failed_check("machine", &err, "sudo skep doctor"));
	return json_pack("{s:o}", "checks", checks);
}

int cmd_doctor(struct cli *cli, struct error *err)
{
	static const struct table_column columns[] = {{.title = "CHECK"},
						      {.title = "RESULT"},
						      {.title = "DETAIL", .shrink_to = 20}};
	_cleanup_(table_freep) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	json_auto_t *answer = NULL;
	json_t *checks, *check;
	size_t i, n_failed = 0;
	int r = cli_call(cli, cli_request("doctor"), &answer, err);

	if (r < 0 && strcmp(error_code(err), "unavailable") == 0)
		answer = checks_without_daemon(err);
	else if (r < 0)
		return r;
	checks = json_object_get(answer, "checks");
	json_array_foreach (checks, i, check) {
		bool ok = field_bool(check, "ok");

		n_failed += !ok;
		table_cell(table, STYLE_BOLD, "%s", field_str(check, "name"));
		table_cell(table, ok ? STYLE_GOOD : STYLE_BAD, "%s", ok ? "ok" : "failed");
		table_cell(table, STYLE_PLAIN, "%s", field_str(check, "detail"));
	}
	cli->exit_status = n_failed > 0 ? EXIT_CHECK_FAILED : 0;
	if (cli_print_json(cli, answer, "checks"))
		return 0;
	table_print(table, &cli->out, cli->plain, "");
	if (cli->plain || n_failed == 0)
		return 0;
	out_end(&cli->out);
	json_array_foreach (checks, i, check) {
		if (field_bool(check, "ok"))
			continue;
		out_add(&cli->out, STYLE_BAD, "%s", field_str(check, "name"));
		out_line(&cli->out, STYLE_PLAIN, ": %s", field_str(check, "detail"));
		if (field_str(check, "fix")[0])
			out_line(&cli->out, STYLE_PLAIN, "  fix: %s", field_str(check, "fix"));
	}
	return 0;
}
