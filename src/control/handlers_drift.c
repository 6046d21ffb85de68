/* The verb that tells of drift. */
#include "control/dispatch.h"

#include "base/clock.h"
#include "base/json.h"
#include "control/drift.h"
#include "control/reconcile.h"
#include "wire/answer.h"

#include <errno.h>

/* Every name is that of an agent, or of something that is there and should not be. */
static int add_named(const struct hive *hive, const json_t *names, json_t *rows,
		     struct error *err)
{
	json_t *item, *row;
	size_t i, k;

	json_array_foreach ((json_t *)names, i, item) {
		const char *name = json_string_value(item);
		size_t before = json_array_size(rows);
		struct agent *agent;
		json_t *own;
		int r;

		if (!name)
			return error_set(err, EINVAL, "'names' must be a list of strings");
		own = drift_rows(hive, name);
		json_array_extend(rows, own);
		json_decref(own);
		json_array_foreach (reconcile_strays(hive), k, row)
			if (json_equal(json_object_get(row, "agent"), item))
				json_array_append(rows, row);
		r = json_array_size(rows) == before ? hive_get(hive, name, &agent, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

int handle_drift(struct session *s, const json_t *request, struct error *err)
{
	json_t *names = NULL, *rows, *answer;
	char at[CLOCK_TEXT_SIZE];
	int r = json_get_array(request, "names", false, &names, err);

	if (r < 0)
		return r;
	rows = json_array_size(names) > 0 ? json_array() : drift_rows(s->hive, NULL);
	r = add_named(s->hive, names, rows, err);
	if (r < 0) {
		json_decref(rows);
		return r;
	}
	answer = answer_with("drift", rows);
	if (reconcile_looked_at(s->hive) > 0)
		json_object_set_new(answer, "looked_at",
				    json_string(
					    clock_format(at, reconcile_looked_at(s->hive))));
	if (reconcile_problem(s->hive)[0])
		json_object_set_new(answer, "problem", json_string(reconcile_problem(s->hive)));
	session_answer(s, answer);
	return 0;
}
