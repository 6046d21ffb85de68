/* import-hyperhive: the agents of another controller's host. */

#include "base/cleanup.h"
#include "base/json.h"
#include "model/names.h"
#include "model/oid.h"
#include "skep/handlers.h"
#include "skep/rows.h"
#include "skep/table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int put_names(struct cli *cli, json_t *request, struct error *err)
{
	json_t *names = json_array();

	for (size_t i = 1; i < cli->args.n_words; i++)
		json_array_append_new(names, json_string(cli->args.words[i]));
	if (json_array_size(names) > 0)
		json_object_set(request, "names", names);
	json_decref(names);
	for (size_t i = 1; i < cli->args.n_words; i++) {
		int r = name_check(cli->args.words[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Its progress comes as lines before the answer. */
static int receive(struct cli *cli, struct client *client, json_t **ret, struct error *err)
{
	for (;;) {
		json_auto_t *line = NULL;
		int r = client_receive(client, -1, &line, err);

		if (r < 0)
			return r;
		if (!json_object_get(line, "log")) {
			r = cli_check(cli, line, err);
			if (r == 0)
				*ret = json_incref(line);
			return r;
		}
		if (!cli->json)
			cli_say(cli, "%s", field_str(line, "log"));
	}
}

static void tell_list(struct cli *cli, const char *name, const json_t *list)
{
	json_t *text;
	size_t i;

	json_array_foreach (list, i, text)
		out_line(&cli->out, STYLE_WARN, "%s%s%s", name, name[0] ? ": " : "",
			 json_string_value(text));
}

static void number_list(char *out, size_t size, const json_t *numbers)
{
	json_t *number;
	size_t i, used = 0;

	out[0] = '\0';
	json_array_foreach (numbers, i, number)
		if (used + 24 < size)
			used += (size_t)snprintf(out + used, size - used, "%s%lld",
						 i ? "," : "",
						 (long long)json_integer_value(number));
}

static void print_agents(struct cli *cli, const json_t *agents)
{
	static const struct table_column columns[] = {
		{.title = "AGENT"},
		{.title = "PORT", .right = true},
		{.title = "DEPLOYED", .right = true},
		{.title = "COMMIT", .drop = 1},
		{.title = "FAILED", .right = true, .drop = 2},
		{.title = "DENIED", .right = true, .drop = 2},
		{.title = "PENDING"},
		{.title = "LAYOUT", .drop = 3},
	};
	_cleanup_(table_freep) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	char pending[200];
	json_t *row;
	size_t i;

	json_array_foreach (agents, i, row) {
		const json_t *counts = json_object_get(row, "counts");

		number_list(pending, sizeof(pending), json_object_get(row, "pending"));
		table_cell(table, STYLE_BOLD, "%s", field_str(row, "name"));
		table_cell(table, STYLE_PLAIN, "%lld", (long long)field_int(row, "port"));
		table_cell(table, STYLE_PLAIN, "%lld", (long long)field_int(row, "deployed"));
		table_cell(table, STYLE_DIM, "%.*s", OID_SHORT, field_str(row, "commit"));
		table_cell(table, STYLE_PLAIN, "%lld", (long long)field_int(counts, "failed"));
		table_cell(table, STYLE_PLAIN, "%lld", (long long)field_int(counts, "denied"));
		table_cell(table, STYLE_PLAIN, "%s", pending);
		table_cell(table, STYLE_DIM, "%s", field_str(row, "layout"));
	}
	table_print(table, &cli->out, cli->plain, "");
}

static void print_report(struct cli *cli, const json_t *report)
{
	json_t *agents = json_object_get(report, "agents"), *row;
	size_t i;

	print_agents(cli, agents);
	if (cli->plain)
		return;
	json_array_foreach (agents, i, row)
		tell_list(cli, field_str(row, "name"), json_object_get(row, "warnings"));
	json_array_foreach (json_object_get(report, "ignored"), i, row)
		out_line(&cli->out, STYLE_DIM, "%s stays there: %s", field_str(row, "name"),
			 field_str(row, "why"));
	tell_list(cli, "", json_object_get(report, "warnings"));
}

static int ask(struct cli *cli, const char *path, json_t *request, json_t **ret,
	       struct error *err)
{
	_cleanup_client_ struct client client = CLIENT_NONE;
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (dir < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	if ((r = client_open(cli->socket, &client, err)) < 0 ||
	    (r = client_send(&client, request, &dir, 1, err)) < 0)
		return r;
	return receive(cli, &client, ret, err);
}

int cmd_import_hyperhive(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("import_hyperhive"), *answer = NULL;
	bool dry_run = args_has(&cli->args, "dry-run"), start = args_has(&cli->args, "start");
	size_t n;
	int r = put_names(cli, request, err);

	if (r < 0)
		return r;
	if (dry_run)
		json_object_set_new(request, "dry_run", json_true());
	if (start)
		json_object_set_new(request, "start", json_true());
	if (args_has(&cli->args, "no-state"))
		json_object_set_new(request, "state", json_false());
	r = ask(cli, cli->args.words[0], request, &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "import"))
		return r;
	print_report(cli, json_object_get(answer, "import"));
	n = json_array_size(json_object_get(json_object_get(answer, "import"), "agents"));
	if (dry_run) {
		cli_say(cli, "this is what would happen; nothing was changed");
		return 0;
	}
	cli_say(cli, "took over %zu agent%s", n, n == 1 ? "" : "s");
	if (!start)
		cli_hint(cli, "skep start AGENT, once its old container is stopped");
	return 0;
}
