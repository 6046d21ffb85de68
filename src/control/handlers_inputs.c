/* update_inputs: newer inputs for what Nix builds, locked while the client looks on, then
 * proposed. */
#include "control/dispatch.h"

#include "base/json.h"
#include "control/journal_stream.h"
#include "control/request.h"
#include "control/rows.h"
#include "control/update_request.h"
#include "wire/answer.h"

#include <errno.h>

static json_t *on_locked(struct session *s, const json_t *answer, const json_t *data,
			 struct error *err)
{
	const char *locked = json_string_value(json_object_get(answer, "lock"));
	const char *description = json_string_value(json_object_get(data, "description"));
	struct proposal *p = NULL;
	json_t *last;
	int r = update_request_end(s->hive, json_object_get(data, "arguments"), locked,
				   description, &s->actor, &p, err);

	if (r < 0)
		return NULL;
	last = answer_with("end", json_true());
	if (p) {
		json_object_set_new(last, "id", json_integer(p->id));
		json_object_set_new(last, "proposal", row_proposal(s->hive, p));
	} else {
		json_object_set_new(last, "unchanged", json_true());
	}
	return last;
}

int handle_update_inputs(struct session *s, const json_t *request, struct error *err)
{
	const char *description = NULL;
	json_t *names = NULL, *arguments = NULL, *data;
	int r;

	if ((r = json_get_array(request, "names", false, &names, err)) < 0 ||
	    (r = json_get_str(request, "description", false, &description, err)) < 0 ||
	    (r = update_request_begin(s->hive, names, &arguments, err)) < 0)
		return r;
	r = request_check_room(s->hive, description, err);
	if (r < 0) {
		json_decref(arguments);
		return r;
	}
	data = json_pack("{s:O,s:s*}", "arguments", arguments, "description", description);
	r = journal_stream_begin(s, "lock", arguments, on_locked, data, err);
	return r < 0 ? r : HANDLED_LATER;
}
