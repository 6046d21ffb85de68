#include "control/lifecycle.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/json.h"
#include "control/audit.h"
#include "control/container.h"
#include "control/deploy.h"
#include "control/event.h"
#include "control/meta.h"
#include "control/owed.h"
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- settings: one commit each ---- */

/* Makes wanted the agent's settings and commits; on failure everything is as it was. Takes
 * wanted over. */
static int commit_settings(struct hive *hive, struct agent *agent, struct settings *wanted,
			   const char *message, struct error *err)
{
	struct settings before = agent->settings;
	int r;

	agent->settings = *wanted;
	r = meta_commit(hive, message, err);
	if (r < 0) {
		agent->settings = before;
		settings_release(wanted);
		return r;
	}
	settings_release(&before);
	event_agent(hive, agent);
	return 0;
}

static int want_power(struct hive *hive, struct agent *agent, bool running, struct error *err)
{
	_cleanup_free_ char *message =
		str_format("%s %s", running ? "start" : "stop", agent->settings.name);
	struct settings wanted;

	if (agent->settings.running == running)
		return 0;
	settings_copy(&wanted, &agent->settings);
	wanted.running = running;
	return commit_settings(hive, agent, &wanted, message, err);
}

static int refuse_dying(const struct agent *agent, struct error *err)
{
	if (agent->dying)
		return error_set_code(err, EBUSY, "wrong_state", "'%s' is being destroyed",
				      agent->settings.name);
	return 0;
}

static int check_parent(const struct hive *hive, const struct settings *wanted,
			struct error *err)
{
	const char *at = wanted->parent;

	for (int hops = 0; at[0]; hops++) {
		const struct agent *parent = hive_find(hive, at);

		if (!parent)
			return error_set(err, ENOENT, "no agent '%s' to be a parent", at);
		if (hops >= 32 || strcmp(at, wanted->name) == 0)
			return error_set(err, EINVAL, "'%s' would be its own ancestor",
					 wanted->name);
		at = parent->settings.parent;
	}
	return 0;
}

static void on_limits_set(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
			  void *data)
{
	(void)fds;
	(void)n_fds;
	(void)data;
	if (!answer)
		log_line(LOG_WARNING, "limits were recorded but not applied: %s",
			 error_text(err));
}

static void apply_limits(struct hive *hive, struct agent *agent)
{
	struct limits now = container_limits(hive, agent, agent->settings.revision);

	if (strcmp(agent->state, "running") != 0)
		return;
	(void)executor_call(
		hive->executor, "limits",
		container_arguments(agent,
				    json_pack("{s:{s:I,s:I,s:I}}", "limits", "memory_max_bytes",
					      (json_int_t)now.memory_max_bytes,
					      "cpu_quota_percent",
					      (json_int_t)now.cpu_quota_percent, "tasks_max",
					      (json_int_t)now.tasks_max)),
		NULL, 0, on_limits_set, NULL);
}

int lifecycle_set(struct hive *hive, struct agent *agent, const json_t *changes,
		  const struct actor *actor, struct error *err)
{
	_cleanup_buf_ struct buf message = {};
	struct settings wanted;
	bool restart = false;
	const char *key;
	json_t *value;
	int r = refuse_dying(agent, err);

	if (r < 0)
		return r;
	if (json_object_size(changes) == 0)
		return error_set(err, EINVAL, "'settings' names nothing to change");
	settings_copy(&wanted, &agent->settings);
	buf_addf(&message, "set %s", agent->settings.name);
	json_object_foreach ((json_t *)changes, key, value) {
		bool this_restarts = false;

		r = json_is_string(value)
			    ? settings_change(&wanted, key, json_string_value(value),
					      &this_restarts, err)
			    : error_set(err, EINVAL, "'%.60s' must be a string", key);
		if (r < 0)
			break;
		restart |= this_restarts;
		buf_addf(&message, " %s=%s", key, json_string_value(value));
	}
	if (r == 0 && strcmp(wanted.parent, agent->settings.parent) != 0)
		r = check_parent(hive, &wanted, err);
	if (r < 0) {
		settings_release(&wanted);
		return r;
	}
	r = commit_settings(hive, agent, &wanted, buf_str(&message), err);
	if (r < 0)
		return r;
	audit_add(hive->audit, actor, "set", agent->settings.name, "ok", buf_str(&message));
	apply_limits(hive, agent);
	if (restart && agent->settings.running)
		(void)lifecycle_restart(hive, agent, actor, &(struct op *){NULL}, err);
	return 0;
}

/* ---- pause ---- */

static void on_marked(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	(void)fds;
	(void)n_fds;
	(void)data;
	if (!answer)
		log_line(LOG_WARNING, "the pause was recorded, but its marker not written: %s",
			 error_text(err));
}

/* Makes the marker in the agent's runtime directory what the record says. */
static void mark_pause(struct hive *hive, struct agent *agent)
{
	(void)executor_call(hive->executor, "pause",
			    container_arguments(agent, json_pack("{s:b}", "paused",
								 agent->settings.paused)),
			    NULL, 0, on_marked, NULL);
}

int lifecycle_pause(struct hive *hive, struct agent *agent, bool paused,
		    const struct actor *actor, struct error *err)
{
	_cleanup_free_ char *message =
		str_format("%s %s", paused ? "pause" : "resume", agent->settings.name);
	int r = refuse_dying(agent, err);

	if (r < 0)
		return r;
	if (agent->settings.paused != paused) {
		struct settings wanted;

		settings_copy(&wanted, &agent->settings);
		wanted.paused = paused;
		r = commit_settings(hive, agent, &wanted, message, err);
		if (r < 0)
			return r;
		audit_add(hive->audit, actor, paused ? "pause" : "resume", agent->settings.name,
			  "ok", NULL);
	}
	mark_pause(hive, agent);
	return 0;
}

/* ---- power ---- */

int lifecycle_start(struct hive *hive, struct agent *agent, const struct actor *actor,
		    struct op **ret, struct error *err)
{
	int r = refuse_dying(agent, err);

	if (r == 0)
		r = want_power(hive, agent, true, err);
	if (r < 0)
		return r;
	agent->attempts = 0;
	*ret = deploy_again(agent, "start", actor, false);
	return 0;
}

static void on_stop_read(struct op *op)
{
	const json_t *entry =
		op->r == 0 ? container_entry(op->answer, op->agent->settings.name) : NULL;

	if (entry)
		container_seen(op->hive, op->agent, entry);
	if (op->r == 0 && entry && strcmp(op->agent->state, "running") == 0)
		op->r = error_set(&op->err, EIO, "'%s' still runs", op->agent->settings.name);
	op_finish(op, op->r);
}

static void on_stopped(struct op *op)
{
	if (op->r < 0)
		op_finish(op, op->r);
	else
		op_call(op, "inspect", container_arguments(op->agent, NULL), NULL, 0,
			on_stop_read);
}

static void begin_stop(struct op *op)
{
	op_call(op, "stop", container_stop_arguments(op->hive, op->agent), NULL, 0, on_stopped);
}

int lifecycle_stop(struct hive *hive, struct agent *agent, const struct actor *actor,
		   struct op **ret, struct error *err)
{
	int r = refuse_dying(agent, err);

	if (r == 0)
		r = want_power(hive, agent, false, err);
	if (r < 0)
		return r;
	owed_cancel(agent);
	*ret = op_add(agent, "stop", actor, begin_stop);
	return 0;
}

int lifecycle_restart(struct hive *hive, struct agent *agent, const struct actor *actor,
		      struct op **ret, struct error *err)
{
	int r = refuse_dying(agent, err);

	if (r == 0)
		r = want_power(hive, agent, true, err);
	if (r < 0)
		return r;
	(void)op_add(agent, "restart", actor, begin_stop);
	*ret = deploy_again(agent, "start", actor, false);
	return 0;
}

/* ---- the agent's own socket ---- */

struct asking {
	struct hive *hive;
	char agent[AGENT_NAME_MAX + 1];
};

static void on_socket(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct asking asking = *(struct asking *)data;
	struct agent *agent = hive_find(asking.hive, asking.agent);

	free(data);
	if (!answer) {
		log_event(LOG_ERR, error_text(err), "SKEP_AGENT", asking.agent, NULL);
		return;
	}
	if (!agent || n_fds != 1)
		return;
	if (asking.hive->keep_socket)
		asking.hive->keep_socket(asking.hive, asking.agent, fds[0]);
	server_serve_agent(asking.hive, agent, fds[0]);
	fds[0] = -1;
	mark_pause(asking.hive, agent);
}

void lifecycle_open_socket(struct hive *hive, struct agent *agent)
{
	struct asking *asking;

	if (agent->listen_fd >= 0) {
		mark_pause(hive, agent);
		return;
	}
	asking = mem_new(1, sizeof(*asking));
	asking->hive = hive;
	snprintf(asking->agent, sizeof(asking->agent), "%s", agent->settings.name);
	(void)executor_call(
		hive->executor, "agent-socket",
		container_arguments(agent, json_pack("{s:I}", "uid_base",
						     (json_int_t)agent->settings.uid_base)),
		NULL, 0, on_socket, asking);
}
