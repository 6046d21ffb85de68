#include "control/lifecycle.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/json.h"
#include "control/audit.h"
#include "control/container.h"
#include "control/deploy.h"
#include "control/event.h"
#include "control/joblog.h"
#include "control/meta.h"
#include "control/owed.h"
#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_OPS 16

int lifecycle_commit(struct hive *hive, struct agent *agent, struct settings *wanted,
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
	return lifecycle_commit(hive, agent, &wanted, message, err);
}

int lifecycle_refuse_dying(const struct agent *agent, struct error *err)
{
	if (agent->moving)
		return error_set_code(err, EBUSY, "wrong_state", "'%s' is being renamed",
				      agent->settings.name);
	if (agent->dying)
		return error_set_code(err, EBUSY, "wrong_state", "'%s' is being destroyed",
				      agent->settings.name);
	if (agent->changing)
		return error_set_code(err, EBUSY, "wrong_state",
				      "'%s' is part of a generation that is being applied",
				      agent->settings.name);
	return 0;
}

int lifecycle_check_line(const struct agent *agent, struct error *err)
{
	int waiting = 0, r = lifecycle_refuse_dying(agent, err);

	for (const struct op *op = agent->ops; op; op = op->next)
		waiting++;
	if (r == 0 && waiting >= LINE_MAX_OPS)
		return error_set(err, EBUSY, "%d operations on '%s' are in line already",
				 waiting, agent->settings.name);
	return r;
}

/* ---- power ---- */

int lifecycle_start(struct hive *hive, struct agent *agent, const struct actor *actor,
		    struct op **ret, struct error *err)
{
	int r = lifecycle_check_line(agent, err);

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
		op->r = error_set(&op->err, EBUSY, "'%s' still runs", op->agent->settings.name);
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

void lifecycle_stop_now(struct op *op)
{
	op_call(op, "stop", container_stop_arguments(op->agent, op->stop_s), NULL, 0,
		on_stopped);
}

void lifecycle_settle(struct op *op)
{
	const struct settings *s = &op->agent->settings;

	if (s->running) {
		op_finish(op, 0);
		return;
	}
	joblog_line(op->log, "stopping again: '%s' is wanted stopped", s->name);
	lifecycle_stop_now(op);
}

int lifecycle_stop(struct hive *hive, struct agent *agent, const struct actor *actor,
		   int64_t stop_s, struct op **ret, struct error *err)
{
	int r = lifecycle_check_line(agent, err);

	if (r == 0)
		r = want_power(hive, agent, false, err);
	if (r < 0)
		return r;
	owed_cancel(agent);
	*ret = op_add(agent, "stop", actor, lifecycle_stop_now);
	(*ret)->stop_s = stop_s;
	return 0;
}

static void give_up(struct op *op)
{
	op_finish(op, op->err.err);
}

/* One that did not stop is not started again: it would pass for one that was. */
static void on_restart_stopped(struct op *op, void *data)
{
	struct op *start = data;

	if (op->r == 0)
		return;
	start->err = op->err;
	start->err.err = op->r;
	start->step = give_up;
}

int lifecycle_restart(struct hive *hive, struct agent *agent, const struct actor *actor,
		      int64_t stop_s, struct op **ret, struct error *err)
{
	struct op *stop;
	int r = lifecycle_check_line(agent, err);

	if (r == 0)
		r = want_power(hive, agent, true, err);
	if (r < 0)
		return r;
	stop = op_add(agent, "restart", actor, lifecycle_stop_now);
	stop->stop_s = stop_s;
	*ret = deploy_again(agent, "start", actor, false);
	op_wait(stop, on_restart_stopped, *ret);
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
	lifecycle_mark_pause(asking.hive, agent, NULL, NULL);
}

void lifecycle_open_socket(struct hive *hive, struct agent *agent)
{
	struct asking *asking;

	if (agent->listen_fd >= 0) {
		lifecycle_mark_pause(hive, agent, NULL, NULL);
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
