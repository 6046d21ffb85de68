/*
 * Settings of an agent: a commit in meta first, then the running container is told. Whoever
 * asked hears of both.
 */
#include "control/lifecycle.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "control/audit.h"
#include "control/container.h"
#include "control/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int lifecycle_check_parent(const struct hive *hive, const struct settings *wanted,
			   struct error *err)
{
	const char *at = wanted->parent;

	for (int hops = 0; at[0]; hops++) {
		const struct agent *parent = hive_find(hive, at);

		if (!parent && hops > 0)
			return 0; /* one that was destroyed leads nobody */
		if (!parent)
			return error_set(err, ENOENT, "no agent '%s' to be a parent", at);
		if (hops >= 32 || strcmp(at, wanted->name) == 0)
			return error_set(err, EINVAL, "'%s' would be its own ancestor",
					 wanted->name);
		at = parent->settings.parent;
	}
	return 0;
}

/* What is told when skep-exec has made true what was recorded, or has not. */
struct telling {
	struct hive *hive;
	char agent[AGENT_NAME_MAX + 1];
	const char *what;
	lifecycle_fn fn; /* NULL: nobody waits */
	void *data;
};

static struct telling *telling_new(struct agent *agent, const char *what, lifecycle_fn fn,
				   void *data)
{
	struct telling *t = mem_new(1, sizeof(*t));

	*t = (struct telling){.hive = agent->hive, .what = what, .fn = fn, .data = data};
	snprintf(t->agent, sizeof(t->agent), "%s", agent->settings.name);
	agent->telling++;
	return t;
}

static void on_applied(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		       void *data)
{
	struct telling *t = data;
	struct agent *agent = hive_find(t->hive, t->agent);
	struct error why = {};

	(void)fds;
	(void)n_fds;
	if (agent && agent->telling > 0) {
		agent->telling--;
		agent->last_ended_op = ++t->hive->ended_ops;
	}
	reconcile_soon(t->hive);
	if (!answer) {
		error_set_code(&why, err->err, error_code(err), "%s: %s", t->what,
			       error_text(err));
		error_hint(&why, "it holds from the next start on: skep restart %s", t->agent);
		log_event(LOG_WARNING, error_text(&why), "SKEP_AGENT", t->agent, NULL);
	}
	if (t->fn)
		t->fn(t->hive, t->agent, answer ? NULL : &why, t->data);
	free(t);
}

/* ---- settings ---- */

void lifecycle_tell_limits(struct hive *hive, struct agent *agent, const struct limits *limits,
			   lifecycle_fn fn, void *data)
{
	(void)executor_call(
		hive->executor, "limits",
		container_arguments(agent,
				    json_pack("{s:{s:I,s:I,s:I}}", "limits", "memory_max_bytes",
					      (json_int_t)limits->memory_max_bytes,
					      "cpu_quota_percent",
					      (json_int_t)limits->cpu_quota_percent,
					      "tasks_max", (json_int_t)limits->tasks_max)),
		NULL, 0, on_applied,
		telling_new(agent, "the container did not take its limits", fn, data));
}

void lifecycle_tell_files(struct hive *hive, struct agent *agent, lifecycle_fn fn, void *data)
{
	(void)executor_call(hive->executor, "restore", container_arguments(agent, NULL), NULL,
			    0, on_applied,
			    telling_new(agent, "the container's files were not put back", fn,
					data));
}

/* Lays the changes over a copy of the settings; says whether a running container must be
 * restarted for them. */
static int make_wanted(struct hive *hive, const struct agent *agent, const json_t *changes,
		       struct settings *wanted, struct buf *message, bool *ret_restart,
		       struct error *err)
{
	const char *key;
	json_t *value;
	int r = 0;

	*ret_restart = false;
	buf_addf(message, "set %s", agent->settings.name);
	json_object_foreach ((json_t *)changes, key, value) {
		bool this_restarts = false;

		r = json_is_string(value)
			    ? settings_change(wanted, key, json_string_value(value),
					      &this_restarts, err)
			    : error_set(err, EINVAL, "'%.60s' must be a string", key);
		if (r < 0)
			return r;
		*ret_restart |= this_restarts;
		buf_addf(message, " %s=%s", key, json_string_value(value));
	}
	if (strcmp(wanted->parent, agent->settings.parent) != 0)
		r = lifecycle_check_parent(hive, wanted, err);
	return r;
}

int lifecycle_set(struct hive *hive, struct agent *agent, const json_t *changes,
		  const struct actor *actor, lifecycle_fn fn, void *data, struct error *err)
{
	_cleanup_buf_ struct buf message = {};
	struct limits before, now;
	struct settings wanted;
	bool restart = false;
	int r = lifecycle_refuse_dying(agent, err);

	if (r < 0)
		return r;
	if (json_object_size(changes) == 0)
		return error_set(err, EINVAL, "'settings' names nothing to change");
	settings_copy(&wanted, &agent->settings);
	r = make_wanted(hive, agent, changes, &wanted, &message, &restart, err);
	if (r < 0) {
		settings_release(&wanted);
		return r;
	}
	before = container_limits(hive, agent, agent->settings.revision);
	r = lifecycle_commit(hive, agent, &wanted, buf_str(&message), err);
	if (r < 0)
		return r;
	reconcile_soon(hive);
	audit_add(hive->audit, actor, "set", agent->settings.name, "ok", buf_str(&message));
	if (restart && agent->settings.running)
		(void)lifecycle_restart(hive, agent, actor, 0, &(struct op *){NULL}, NULL);
	now = container_limits(hive, agent, agent->settings.revision);
	if (memcmp(&before, &now, sizeof(now)) != 0 && strcmp(agent->state, "running") == 0)
		lifecycle_tell_limits(hive, agent, &now, fn, data);
	else
		fn(hive, agent->settings.name, NULL, data);
	return 0;
}

/* ---- pause ---- */

void lifecycle_mark_pause(struct hive *hive, struct agent *agent, lifecycle_fn fn, void *data)
{
	(void)executor_call(hive->executor, "pause",
			    container_arguments(agent, json_pack("{s:b}", "paused",
								 agent->settings.paused)),
			    NULL, 0, on_applied,
			    telling_new(agent, "its pause marker was not written", fn, data));
}

int lifecycle_pause(struct hive *hive, struct agent *agent, bool paused,
		    const struct actor *actor, lifecycle_fn fn, void *data, struct error *err)
{
	_cleanup_free_ char *message =
		str_format("%s %s", paused ? "pause" : "resume", agent->settings.name);
	int r = lifecycle_refuse_dying(agent, err);

	if (r < 0)
		return r;
	if (agent->settings.paused != paused) {
		struct settings wanted;

		settings_copy(&wanted, &agent->settings);
		wanted.paused = paused;
		r = lifecycle_commit(hive, agent, &wanted, message, err);
		if (r < 0)
			return r;
		reconcile_soon(hive);
		audit_add(hive->audit, actor, paused ? "pause" : "resume", agent->settings.name,
			  "ok", NULL);
	}
	lifecycle_mark_pause(hive, agent, fn, data);
	return 0;
}
