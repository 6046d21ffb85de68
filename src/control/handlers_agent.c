/* Verbs that change agents: their life and their power. */
#include "control/waiting.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "control/audit.h"
#include "control/deploy.h"
#include "control/event.h"
#include "control/group.h"
#include "control/lifecycle.h"
#include "control/rows.h"
#include "control/scope.h"
#include "wire/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MAX_S 600  /* of a stop */
#define POWERS_PER_HOUR 240 /* of one agent, on its own socket */

/* deadline_s: what a container that is stopped has to halt in; 0: as configured */
typedef int (*power_fn)(struct hive *hive, struct agent *agent, const struct actor *actor,
			int64_t deadline_s, struct op **ret, struct error *err);

/* Each start and stop is a commit in the record, which an agent must not be able to flood. */
static int take_power(struct session *s, struct error *err)
{
	struct agent *agent = s->agent[0] ? hive_find(s->hive, s->agent) : NULL;

	return agent ? quota_take(&agent->powers, POWERS_PER_HOUR, QUOTA_HOUR_S, s->agent,
				  "starts and stops", err)
		     : 0;
}

/* ---- one agent ---- */

static int read_deadline(const json_t *request, int64_t *ret, struct error *err)
{
	return json_get_int(request, "deadline_s", false, 1, DEADLINE_MAX_S, ret, err);
}

static int with_agent(struct session *s, const json_t *request, power_fn fn, struct error *err)
{
	struct agent *agent;
	struct op *op = NULL;
	int64_t deadline_s = 0;
	bool wait = false;
	int r;

	if ((r = json_get_bool(request, "wait", false, &wait, err)) < 0 ||
	    (r = read_deadline(request, &deadline_s, err)) < 0 ||
	    (r = dispatch_child(s, request, "name", &agent, err)) < 0 ||
	    (r = take_power(s, err)) < 0 ||
	    (r = fn(s->hive, agent, &s->actor, deadline_s, &op, err)) < 0)
		return r;
	return answer_for(s, op, wait, agent->settings.name, 0, false);
}

/* ---- several agents: a scope ---- */

static void on_one_ended(struct op *op, void *data)
{
	group_end(data, op->agent->settings.name, op->r < 0 ? &op->err : NULL);
}

static int with_scope(struct session *s, const json_t *request, power_fn fn, struct error *err)
{
	json_t *names = json_array(), *value;
	int64_t deadline_s = 0;
	bool wait = false;
	struct group *g;
	size_t i;
	int r;

	if ((r = json_get_bool(request, "wait", false, &wait, err)) < 0 ||
	    (r = read_deadline(request, &deadline_s, err)) < 0 ||
	    (r = scope_resolve(s, request, names, err)) < 0 || (r = take_power(s, err)) < 0) {
		json_decref(names);
		return r;
	}
	g = group_new(s, names);
	json_array_foreach (names, i, value) {
		const char *name = json_string_value(value);
		struct agent *agent = hive_find(s->hive, name);
		struct error one = {};
		struct op *op = NULL;

		r = agent ? fn(s->hive, agent, &s->actor, deadline_s, &op, &one)
			  : error_set(&one, ENOENT, "no agent '%s'", name);
		if (r < 0 || (op && wait))
			group_begin(g);
		if (r < 0)
			group_end(g, name, &one);
		else if (op && wait)
			op_wait(op, on_one_ended, g);
	}
	group_started(g);
	return HANDLED_LATER;
}

/* One agent, whose operation has a number, or several. */
static int with_either(struct session *s, const json_t *request, power_fn fn, struct error *err)
{
	return json_object_get(request, "scope") ? with_scope(s, request, fn, err)
						 : with_agent(s, request, fn, err);
}

int handle_restart(struct session *s, const json_t *request, struct error *err)
{
	return with_either(s, request, lifecycle_restart, err);
}

int handle_kill(struct session *s, const json_t *request, struct error *err)
{
	return with_either(s, request, lifecycle_stop, err);
}

static int rebuild(struct hive *hive, struct agent *agent, const struct actor *actor,
		   int64_t deadline_s, struct op **ret, struct error *err)
{
	int r = lifecycle_check_line(agent, err);

	(void)hive;
	(void)deadline_s;
	if (r == 0)
		*ret = deploy_again(agent, "rebuild", actor, true);
	return r;
}

int handle_rebuild(struct session *s, const json_t *request, struct error *err)
{
	return with_either(s, request, rebuild, err);
}

static int start(struct hive *hive, struct agent *agent, const struct actor *actor,
		 int64_t deadline_s, struct op **ret, struct error *err)
{
	(void)deadline_s;
	return lifecycle_start(hive, agent, actor, ret, err);
}

int handle_start(struct session *s, const json_t *request, struct error *err)
{
	return with_scope(s, request, start, err);
}

int handle_stop(struct session *s, const json_t *request, struct error *err)
{
	return with_scope(s, request, lifecycle_stop, err);
}

/* ---- destroy ---- */

/* What a destroy names may be an agent whose container is gone and whose state was kept. */
static int find_for_destroy(struct session *s, const char *name, bool purge, struct agent **ret,
			    struct error *err)
{
	const struct kept *kept;
	struct settings settings;
	int r = name_check(name, err);

	if (r < 0)
		return r;
	kept = hive_find_kept(s->hive, name);
	if (!purge || !kept || hive_find(s->hive, name))
		return hive_get(s->hive, name, ret, err);
	settings_init(&settings, name);
	settings.running = false;
	settings.port = kept->port;
	settings.uid_base = kept->uid_base;
	*ret = hive_add(s->hive, &settings);
	(*ret)->unborn = true;
	return 0;
}

static int refuse_manager(const struct session *s, const char *name, struct error *err)
{
	size_t others = 0;

	for (size_t i = 0; i < s->hive->n_kept; i++)
		others += !name_is_manager(s->hive->kept[i].name);
	for (size_t i = 0; i < s->hive->n_agents; i++)
		others += !name_is_manager(s->hive->agents[i]->settings.name);
	if (!name_is_manager(name) || others == 0)
		return 0;
	error_set_code(err, EBUSY, "wrong_state",
		       "the manager owns the repositories of %zu other agents", others);
	error_hint(err, "purge them first");
	return -EBUSY;
}

static int destroy(struct hive *hive, struct agent *agent, const struct actor *actor,
		   int64_t deadline_s, struct op **ret, struct error *err)
{
	(void)deadline_s;
	return lifecycle_destroy(hive, agent, false, actor, ret, err);
}

/* Several go one way only that can be gone back: what is purged is named, one by one. */
static int destroy_several(struct session *s, const json_t *request, struct error *err)
{
	json_t *names = json_array(), *value;
	bool purge = false;
	size_t i;
	int r = json_get_bool(request, "purge", false, &purge, err);

	if (r == 0 && purge)
		r = error_set(err, EINVAL, "'purge' takes one 'name', not a scope");
	if (r == 0)
		r = scope_resolve(s, request, names, err);
	json_array_foreach (names, i, value)
		if (r == 0)
			r = refuse_manager(s, json_string_value(value), err);
	json_decref(names);
	return r < 0 ? r : with_scope(s, request, destroy, err);
}

int handle_destroy(struct session *s, const json_t *request, struct error *err)
{
	const char *name = NULL, *confirm = NULL;
	bool purge = false, wait = false;
	struct agent *agent;
	struct op *op = NULL;
	int r;

	if (json_object_get(request, "scope"))
		return destroy_several(s, request, err);
	if ((r = json_get_str(request, "name", true, &name, err)) < 0 ||
	    (r = json_get_bool(request, "purge", false, &purge, err)) < 0 ||
	    (r = json_get_str(request, "confirm", false, &confirm, err)) < 0 ||
	    (r = json_get_bool(request, "wait", false, &wait, err)) < 0 ||
	    (r = refuse_manager(s, name, err)) < 0)
		return r;
	if (purge && (!confirm || strcmp(confirm, name) != 0))
		return error_set(err, EINVAL,
				 "'confirm' must be the agent's name: a purge removes state "
				 "and repositories");
	if ((r = find_for_destroy(s, name, purge, &agent, err)) < 0 ||
	    (r = lifecycle_destroy(s->hive, agent, purge, &s->actor, &op, err)) < 0)
		return r;
	return answer_for(s, op, wait, name, 0, false);
}
