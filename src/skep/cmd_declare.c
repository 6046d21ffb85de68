/* validate, plan, apply: a hive as files say it is to be. */

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "skep/declared.h"
#include "skep/handlers.h"

#include <errno.h>
#include <string.h>

static json_t *names_of(const json_t *object)
{
	json_t *names = json_array(), *value;
	const char *name;

	json_object_foreach ((json_t *)object, name, value)
		json_array_append_new(names, json_string(name));
	return names;
}

int cmd_validate(struct cli *cli, struct error *err)
{
	json_auto_t *document = NULL, *notes = NULL, *answer = NULL;
	const json_t *agents, *images;
	int r = declared_read(cli, &document, &notes, err);

	if (r < 0)
		return r;
	agents = json_object_get(document, "agents");
	images = json_object_get(document, "images");
	answer = json_pack("{s:O,s:o,s:o,s:O}", "hive", json_object_get(document, "hive"),
			   "agents", names_of(agents), "images", names_of(images), "notes",
			   notes);
	if (cli_print_json(cli, answer, NULL))
		return 0;
	declared_tell(cli, notes);
	cli_say(cli, "%s is valid: agents %zu, images %zu here", field_str(document, "hive"),
		json_object_size(agents), json_object_size(images));
	return 0;
}
