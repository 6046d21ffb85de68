/* freeze and thaw: containers held still by the kernel, for as long as they run and no longer.
 */
#include "control/dispatch.h"

#include "base/buf.h"
#include "base/json.h"
#include "control/audit.h"
#include "control/container.h"
#include "control/event.h"
#include "control/group.h"
#include "control/op.h"
#include "control/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct freezing {
	struct hive *hive;
	struct group *group;
	char agent[AGENT_NAME_MAX + 1];
	struct actor actor;
	bool frozen;
};

static void on_frozen(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct freezing *f = data;
	struct agent *agent = hive_find(f->hive, f->agent);

	(void)fds;
	(void)n_fds;
	audit_add(f->hive->audit, &f->actor, f->frozen ? "freeze" : "thaw", f->agent,
		  answer ? "ok" : error_code(err), answer ? NULL : error_text(err));
	if (agent && answer) {
		agent->frozen = json_is_true(json_object_get(answer, "frozen"));
		event_agent(f->hive, agent);
	}
	group_end(f->group, f->agent, answer ? NULL : err);
	free(f);
}

/* What an operation is in the middle of must not be held still. */
static int check(const struct agent *agent, struct error *err)
{
	const char *name = agent->settings.name;

	if (agent->ops)
		return error_set_code(err, EBUSY, "wrong_state",
				      "'%s' is in the middle of '%s'", name, agent->ops->verb);
	if (strcmp(agent->state, "running") != 0)
		return error_set_code(err, ESTALE, "wrong_state", "'%s' is %s", name,
				      agent->state);
	return 0;
}

static int set_frozen(struct session *s, const json_t *request, bool frozen, struct error *err)
{
	json_t *names = json_array(), *value;
	struct group *group;
	size_t i;
	int r = scope_resolve(s, request, names, err);

	json_array_foreach (names, i, value)
		if (r == 0)
			r = check(hive_find(s->hive, json_string_value(value)), err);
	if (r < 0) {
		json_decref(names);
		return r;
	}
	group = group_new(s, names);
	json_array_foreach (names, i, value) {
		struct agent *agent = hive_find(s->hive, json_string_value(value));
		struct freezing *f = mem_new(1, sizeof(*f));

		*f = (struct freezing){.hive = s->hive,
				       .group = group,
				       .actor = s->actor,
				       .frozen = frozen};
		memcpy(f->agent, agent->settings.name, sizeof(f->agent));
		group_begin(group);
		(void)executor_call(s->hive->executor, "freeze",
				    container_arguments(agent,
							json_pack("{s:b}", "frozen", frozen)),
				    NULL, 0, on_frozen, f);
	}
	group_started(group);
	return HANDLED_LATER;
}

int handle_freeze(struct session *s, const json_t *request, struct error *err)
{
	return set_frozen(s, request, true, err);
}

int handle_thaw(struct session *s, const json_t *request, struct error *err)
{
	return set_frozen(s, request, false, err);
}
