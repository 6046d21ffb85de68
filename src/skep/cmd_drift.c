/* drift: what is not as it should be, and since when. */

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "model/names.h"
#include "skep/handlers.h"
#include "skep/rows.h"
#include "skep/table.h"
#include "skep/when.h"

int cmd_drift(struct cli *cli, struct error *err)
{
	static const struct table_column columns[] = {
		{.title = "AGENT", .shrink_to = 8},   {.title = "WHAT", .shrink_to = 8},
		{.title = "WANTED", .shrink_to = 12}, {.title = "FOUND", .shrink_to = 12},
		{.title = "SINCE", .right = true},
	};
	_cleanup_(table_freep) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	json_auto_t *request = cli_request("drift"), *answer = NULL;
	json_t *names = json_array(), *rows, *row;
	char age[24];
	size_t i;
	int r = 0;

	json_object_set_new(request, "names", names);
	for (i = 0; i < cli->args.n_words && r == 0; i++) {
		r = name_check(cli->args.words[i], err);
		json_array_append_new(names, json_string(cli->args.words[i]));
	}
	if (r == 0)
		r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0)
		return r;
	if (field_str(answer, "problem")[0])
		cli_say(cli, "the last look did not succeed: %s", field_str(answer, "problem"));
	rows = json_object_get(answer, "drift");
	/* what is not known is not well either */
	if (json_array_size(rows) > 0 || field_str(answer, "problem")[0] ||
	    !field_str(answer, "looked_at")[0])
		cli->exit_status = EXIT_CHECK_FAILED;
	if (cli_print_json(cli, answer, "drift"))
		return 0;
	json_array_foreach (rows, i, row) {
		const char *since = field_str(row, "since");

		table_cell(table, STYLE_BOLD, "%s", field_str(row, "agent"));
		table_cell(table, STYLE_WARN, "%s", field_str(row, "field"));
		table_cell(table, STYLE_PLAIN, "%s", field_str(row, "want"));
		table_cell(table, STYLE_PLAIN, "%s", field_str(row, "have"));
		table_cell(table, STYLE_DIM, "%s",
			   cli->plain ? since : when_age(age, since, clock_wall_s()));
	}
	if (json_array_size(rows) > 0)
		table_print(table, &cli->out, cli->plain, "");
	else if (!field_str(answer, "looked_at")[0])
		cli_say(cli, "the hive has not been looked at yet");
	else
		cli_say(cli, "everything is as it should be");
	return 0;
}
