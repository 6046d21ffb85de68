/* dashboard, sessions: links that log a browser in, and who is logged in. */

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "skep/browser.h"
#include "skep/handlers.h"
#include "skep/rows.h"
#include "skep/table.h"
#include "skep/when.h"

#include <errno.h>

int cmd_dashboard(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("dashboard"), *answer = NULL;
	bool confirm = args_has(&cli->args, "confirm");
	const json_t *login;
	int64_t id;
	int r;

	if (cli->args.n_words > 0) {
		r = args_parse_number(cli->args.words[0], "a proposal", 1, &id, err);
		if (r < 0)
			return r;
		json_object_set_new(request, "id", json_integer(id));
	}
	if (confirm)
		json_object_set_new(request, "confirm", json_true());
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "login"))
		return r;
	login = json_object_get(answer, "login");
	out_line(&cli->out, STYLE_PLAIN, "%s", field_str(login, "url"));
	if (confirm)
		cli_say(cli, "open it in the browser that is logged in, or paste there: %s",
			field_str(login, "code"));
	cli_say(cli, "it is good once, for %lld seconds",
		(long long)field_int(login, "expires_s"));
	if (cli->out.tty && browser_open(field_str(login, "url")))
		cli_say(cli, "opened in the browser");
	return 0;
}

static int end_sessions(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("sessions_revoke"), *answer = NULL;
	bool all = args_has(&cli->args, "all");
	int64_t id;
	int r;

	if (all == (cli->args.n_words > 1))
		return error_set(err, EINVAL,
				 "say which session: its number, or --all for every one");
	if (all) {
		json_object_set_new(request, "all", json_true());
	} else {
		r = args_parse_number(cli->args.words[1], "a session", 1, &id, err);
		if (r < 0)
			return r;
		json_object_set_new(request, "id", json_integer(id));
	}
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, NULL))
		return r;
	cli_say(cli, "%s", all ? "every browser is logged out" : "that browser is logged out");
	return 0;
}

int cmd_sessions(struct cli *cli, struct error *err)
{
	static const struct table_column columns[] = {
		{.title = "ID", .right = true},    {.title = "LOGIN", .shrink_to = 8},
		{.title = "SINCE", .right = true}, {.title = "SEEN", .right = true},
		{.title = "UNTIL", .drop = 1},
	};
	static const char *const times[] = {"created_at", "last_seen_at"};
	_cleanup_(table_freep) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	json_auto_t *answer = NULL;
	json_t *rows, *row;
	size_t i;
	int r;

	if (cli->args.n_words > 0)
		return end_sessions(cli, err);
	r = cli_call(cli, cli_request("sessions"), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "sessions"))
		return r;
	rows = json_object_get(answer, "sessions");
	json_array_foreach (rows, i, row) {
		table_cell(table, STYLE_PLAIN, "%lld", (long long)field_int(row, "id"));
		table_cell(table, STYLE_BOLD, "%s", field_str(row, "login"));
		for (size_t k = 0; k < ARRAY_SIZE(times); k++) {
			const char *at = field_str(row, times[k]);
			char age[24];

			table_cell(table, STYLE_DIM, "%s",
				   cli->plain ? at : when_age(age, at, clock_wall_s()));
		}
		table_cell(table, STYLE_DIM, "%s", field_str(row, "expires_at"));
	}
	if (json_array_size(rows) > 0)
		table_print(table, &cli->out, cli->plain, "");
	else
		cli_say(cli, "nobody is logged in with a browser");
	return 0;
}
