/* Verbs that change agents: their life and their power. */
#include "control/waiting.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "control/audit.h"
#include "control/deploy.h"
#include "control/event.h"
#include "control/lifecycle.h"
#include "control/rows.h"
#include "wire/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MAX_S 600  /* of a stop */
#define POWERS_PER_HOUR 240 /* of one agent, on its own socket */

typedef int (*power_fn)(struct hive *hive, struct agent *agent, const struct actor *actor,
			struct op **ret, struct error *err);

/* Each start and stop is a commit in the record, which an agent must not be able to flood. */
static int take_power(struct session *s, struct error *err)
{
	struct agent *agent = s->agent[0] ? hive_find(s->hive, s->agent) : NULL;

	return agent ? quota_take(&agent->powers, POWERS_PER_HOUR, s->agent, "starts and stops",
				  err)
		     : 0;
}

/* ---- one agent ---- */

static int with_agent(struct session *s, const json_t *request, power_fn fn, struct error *err)
{
	struct agent *agent;
	struct op *op = NULL;
	bool wait = false;
	int r;

	if ((r = json_get_bool(request, "wait", false, &wait, err)) < 0 ||
	    (r = dispatch_child(s, request, "name", &agent, err)) < 0 ||
	    (r = take_power(s, err)) < 0 || (r = fn(s->hive, agent, &s->actor, &op, err)) < 0)
		return r;
	return answer_for(s, op, wait, agent->settings.name, 0, false);
}

int handle_restart(struct session *s, const json_t *request, struct error *err)
{
	return with_agent(s, request, lifecycle_restart, err);
}

int handle_kill(struct session *s, const json_t *request, struct error *err)
{
	return with_agent(s, request, lifecycle_stop, err);
}

static int rebuild(struct hive *hive, struct agent *agent, const struct actor *actor,
		   struct op **ret, struct error *err)
{
	int r = lifecycle_check_line(agent, err);

	(void)hive;
	if (r == 0)
		*ret = deploy_again(agent, "rebuild", actor, true);
	return r;
}

int handle_rebuild(struct session *s, const json_t *request, struct error *err)
{
	return with_agent(s, request, rebuild, err);
}

/* ---- several agents: a scope ---- */

struct group {
	void *session;
	size_t waiting;
	json_t *touched;
	struct error err; /* of the first that failed */
	bool failed;
};

static void group_finish(struct group *g)
{
	struct session *s = session_found(g->session);

	if (s && g->failed) {
		session_fail(s, &g->err);
	} else if (s) {
		json_t *answer = answer_ok();

		json_object_set(answer, "touched", g->touched);
		session_answer(s, answer);
	}
	json_decref(g->touched);
	free(g);
}

static void on_one_ended(struct op *op, void *data)
{
	struct group *g = data;

	if (op->r < 0 && !g->failed) {
		g->failed = true;
		g->err = op->err;
		error_prefix(&g->err, "%s", op->agent->settings.name);
	}
	if (--g->waiting == 0)
		group_finish(g);
}

static int refuse_classes(const json_t *scope, struct error *err)
{
	static const char *const classes[] = {"ci", "forge", "gateway", "matrix"};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		bool asked = false;
		int r = json_get_bool(scope, classes[i], false, &asked, err);

		if (r < 0)
			return r;
		if (asked)
			return error_set(err, EOPNOTSUPP, "this hive runs no '%s'", classes[i]);
	}
	return 0;
}

/* Adds a name once, the manager's before all others. */
static void add_name(json_t *names, const char *name)
{
	if (json_holds(names, name))
		return;
	if (name_is_manager(name))
		json_array_insert_new(names, 0, json_string(name));
	else
		json_array_append_new(names, json_string(name));
}

static int add_named(struct session *s, const json_t *wanted, json_t *names, struct error *err)
{
	json_t *value;
	size_t i;

	json_array_foreach (wanted, i, value) {
		json_t *one = json_pack("{s:O}", "name", value);
		struct agent *agent;
		int r = dispatch_child(s, one, "name", &agent, err);

		json_decref(one);
		if (r < 0)
			return r;
		add_name(names, agent->settings.name);
	}
	return 0;
}

/* What a scope says: every agent this session may start and stop, or those it names. */
static int read_scope(struct session *s, const json_t *scope, json_t *names, struct error *err)
{
	json_t *wanted = NULL;
	bool agents = false, all = false;
	int r;

	if ((r = refuse_classes(scope, err)) < 0 ||
	    (r = json_get_bool(scope, "agents", false, &agents, err)) < 0 ||
	    (r = json_get_bool(scope, "all", false, &all, err)) < 0 ||
	    (r = json_get_array(scope, "agent_names", false, &wanted, err)) < 0 ||
	    (r = add_named(s, wanted, names, err)) < 0)
		return r;
	if (!agents && !all && json_array_size(names) == 0)
		return error_set_code(err, EINVAL, "empty_scope", "the scope names no agent");
	for (size_t i = 0; (agents || all) && i < s->hive->n_agents; i++) {
		const struct agent *a = s->hive->agents[i];

		if (dispatch_sees(s, a) && strcmp(a->settings.name, s->agent) != 0)
			add_name(names, a->settings.name);
	}
	return 0;
}

/* The names a request means; nothing is touched unless each can be. */
static int resolve_names(struct session *s, const json_t *request, json_t *names,
			 struct error *err)
{
	json_t *scope = NULL, *value;
	struct agent *agent;
	size_t i;
	int r;

	if (json_object_get(request, "scope")) {
		r = json_get_object(request, "scope", true, &scope, err);
		if (r == 0)
			r = read_scope(s, scope, names, err);
	} else {
		r = dispatch_child(s, request, "name", &agent, err);
		if (r == 0)
			add_name(names, agent->settings.name);
	}
	json_array_foreach (names, i, value) {
		agent = hive_find(s->hive, json_string_value(value));
		if (r == 0)
			r = lifecycle_check_line(agent, err);
	}
	return r;
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
	    (r = json_get_int(request, "deadline_s", false, 1, DEADLINE_MAX_S, &deadline_s,
			      err)) < 0 ||
	    (r = resolve_names(s, request, names, err)) < 0 || (r = take_power(s, err)) < 0) {
		json_decref(names);
		return r;
	}
	g = mem_new(1, sizeof(*g));
	g->session = session_ref(s);
	g->touched = names;
	g->waiting = 1; /* ours, until all are in line */
	json_array_foreach (names, i, value) {
		struct agent *agent = hive_find(s->hive, json_string_value(value));
		struct error one = {};
		struct op *op = NULL;

		r = agent ? fn(s->hive, agent, &s->actor, &op, &one)
			  : error_set(&one, ENOENT, "no agent '%s'", json_string_value(value));
		if (r < 0 && !g->failed) {
			g->failed = true;
			g->err = one;
			if (json_array_size(names) > 1)
				error_prefix(&g->err, "%s", json_string_value(value));
		}
		if (op)
			op->stop_s = deadline_s;
		if (r < 0 || !wait)
			continue;
		g->waiting++;
		op_wait(op, on_one_ended, g);
	}
	if (--g->waiting == 0)
		group_finish(g);
	return HANDLED_LATER;
}

int handle_start(struct session *s, const json_t *request, struct error *err)
{
	return with_scope(s, request, lifecycle_start, err);
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

int handle_destroy(struct session *s, const json_t *request, struct error *err)
{
	const char *name = NULL, *confirm = NULL;
	bool purge = false, wait = false;
	struct agent *agent;
	struct op *op = NULL;
	int r;

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
