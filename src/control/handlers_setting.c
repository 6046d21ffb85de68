/* Verbs that change what is recorded or shown of an agent: settings, pause, its own status. */
#include "control/dispatch.h"

#include "base/json.h"
#include "base/text.h"
#include "control/event.h"
#include "control/group.h"
#include "control/lifecycle.h"
#include "control/scope.h"
#include "wire/answer.h"

#include <errno.h>
#include <stdlib.h>

#define STATUS_MAX_BYTES 2048

/* Recorded, and true of the container as well: bare success. */
static void on_set(struct hive *hive, const char *agent, const struct error *err, void *data)
{
	struct session *s = session_found(data);

	(void)hive;
	(void)agent;
	if (s && err)
		session_fail(s, err);
	else if (s)
		session_answer(s, answer_ok());
}

/* The same, with the agent as it is now. */
static void on_set_show(struct hive *hive, const char *agent, const struct error *err,
			void *data)
{
	struct session *s = session_found(data);
	struct error late = {};
	json_t *request;

	(void)hive;
	if (s && err)
		session_fail(s, err);
	if (!s || err)
		return;
	request = json_pack("{s:s}", "name", agent);
	if (handle_agent(s, request, &late) < 0)
		session_fail(s, &late);
	json_decref(request);
}

static int set(struct session *s, struct agent *agent, const json_t *changes, lifecycle_fn fn,
	       struct error *err)
{
	void *ref = session_ref(s);
	int r = lifecycle_set(s->hive, agent, changes, &s->actor, fn, ref, err);

	if (r < 0)
		free(ref);
	return r < 0 ? r : HANDLED_LATER;
}

/* ---- several agents: a scope ---- */

/* What is done with each; fn is called when it is, unless it is refused. */
typedef int (*change_fn)(struct session *s, struct agent *agent, const json_t *request,
			 lifecycle_fn fn, void *data, struct error *err);

static void on_one(struct hive *hive, const char *agent, const struct error *err, void *data)
{
	(void)hive;
	group_end(data, agent, err);
}

static int change_all(struct session *s, const json_t *request, change_fn change,
		      struct error *err)
{
	json_t *names = json_array(), *value;
	struct group *g;
	size_t i;
	int r = scope_resolve(s, request, names, err);

	if (r < 0) {
		json_decref(names);
		return r;
	}
	g = group_new(s, names);
	json_array_foreach (names, i, value) {
		const char *name = json_string_value(value);
		struct agent *agent = hive_find(s->hive, name);
		struct error one = {};

		group_begin(g);
		r = agent ? change(s, agent, request, on_one, g, &one)
			  : error_set(&one, ENOENT, "no agent '%s'", name);
		if (r < 0)
			group_end(g, name, &one);
	}
	group_started(g);
	return HANDLED_LATER;
}

static int set_one(struct session *s, struct agent *agent, const json_t *request,
		   lifecycle_fn fn, void *data, struct error *err)
{
	return lifecycle_set(s->hive, agent, json_object_get(request, "settings"), &s->actor,
			     fn, data, err);
}

static int pause_one(struct session *s, struct agent *agent, const json_t *request,
		     lifecycle_fn fn, void *data, struct error *err)
{
	return lifecycle_pause(s->hive, agent, json_is_true(json_object_get(request, "paused")),
			       &s->actor, fn, data, err);
}

/* ---- requests ---- */

int handle_set(struct session *s, const json_t *request, struct error *err)
{
	json_t *settings = NULL;
	struct agent *agent;
	int r;

	if (json_object_get(request, "scope")) {
		r = json_get_object(request, "settings", true, &settings, err);
		return r < 0 ? r : change_all(s, request, set_one, err);
	}
	if ((r = dispatch_agent(s, request, "name", &agent, err)) < 0 ||
	    (r = json_get_object(request, "settings", true, &settings, err)) < 0)
		return r;
	return set(s, agent, settings, on_set_show, err);
}

int handle_set_parent(struct session *s, const json_t *request, struct error *err)
{
	json_t *parent = json_object_get(request, "new_parent"), *changes;
	struct agent *agent;
	int r = dispatch_agent(s, request, "child", &agent, err);

	if (r < 0)
		return r;
	if (!parent || !(json_is_string(parent) || json_is_null(parent)))
		return error_set(err, EINVAL,
				 "'new_parent' must be a name, or null for the root");
	changes = json_pack("{s:s}", "parent",
			    json_is_null(parent) ? "" : json_string_value(parent));
	r = set(s, agent, changes, on_set, err);
	json_decref(changes);
	return r;
}

int handle_set_paused(struct session *s, const json_t *request, struct error *err)
{
	struct agent *agent;
	bool paused = false;
	void *ref;
	int r;

	if (json_object_get(request, "scope")) {
		r = json_get_bool(request, "paused", true, &paused, err);
		return r < 0 ? r : change_all(s, request, pause_one, err);
	}
	if ((r = dispatch_agent(s, request, "name", &agent, err)) < 0 ||
	    (r = json_get_bool(request, "paused", true, &paused, err)) < 0)
		return r;
	ref = session_ref(s);
	r = lifecycle_pause(s->hive, agent, paused, &s->actor, on_set, ref, err);
	if (r < 0)
		free(ref);
	return r < 0 ? r : HANDLED_LATER;
}

int handle_set_status(struct session *s, const json_t *request, struct error *err)
{
	struct agent *agent = hive_find(s->hive, s->agent);
	const char *text = NULL;
	int r = json_get_str(request, "text", true, &text, err);

	if (r < 0)
		return r;
	if (!agent)
		return error_set(err, ENOENT, "no agent '%s'", s->agent);
	free(agent->status_text);
	agent->status_text = text[0] ? text_clean_dup(text, STATUS_MAX_BYTES, false) : NULL;
	agent->status_set_at = s->hive->wall_s();
	event_agent(s->hive, agent);
	session_answer(s, answer_ok());
	return 0;
}
