#include "control/op.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/audit.h"
#include "control/event.h"
#include "control/joblog.h"
#include "control/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The one place where a step begins. When the hive is going down, or skep-exec is gone, an
 * operation ends here without a verdict: the record still says what is owed, and the next start
 * resumes it.
 */
static void run(void *data)
{
	struct op *op = data;
	op_step step = op->step;

	op->step = NULL;
	if (op->r == -EPIPE || op->hive->stopping) {
		if (op->r != -EPIPE)
			error_set(&op->err, ECANCELED, "the hive is going down");
		op_finish(op, op->r == -EPIPE ? -EPIPE : -ECANCELED);
		return;
	}
	step(op);
}

static void begin(struct op *op)
{
	op->began_ms = clock_boot_ms();
	(void)loop_timer(op->hive->loop, 0, run, op);
}

struct op *op_add(struct agent *agent, const char *verb, const struct actor *actor,
		  op_step first)
{
	struct op *op = mem_new(1, sizeof(*op));
	struct op **at = &agent->ops;

	op->hive = agent->hive;
	op->agent = agent;
	op->id = ++agent->hive->last_op;
	op->verb = verb;
	op->step = first;
	op->build_ms = -1;
	if (actor) {
		op->actor = *actor;
		op->has_actor = true;
	}
	while (*at)
		at = &(*at)->next;
	*at = op;
	if (agent->ops == op)
		begin(op);
	return op;
}

void op_wait(struct op *op, op_end fn, void *data)
{
	struct op_waiter *w = mem_new(1, sizeof(*w));

	*w = (struct op_waiter){.fn = fn, .data = data, .next = op->waiters};
	op->waiters = w;
}

void op_forget(struct hive *hive, void *data)
{
	for (size_t i = 0; i < hive->n_agents; i++) {
		for (struct op *op = hive->agents[i]->ops; op; op = op->next) {
			for (struct op_waiter *w = op->waiters; w; w = w->next)
				if (w->data == data)
					w->fn = NULL;
		}
	}
}

static void release(struct op *op)
{
	json_decref(op->answer);
	json_decref(op->baseline);
	json_decref(op->files);
	joblog_close(op->log);
	probe_free(op->probe);
	free(op->reason);
	free(op);
}

void op_finish(struct op *op, int r)
{
	struct agent *agent = op->agent;
	struct hive *hive = op->hive;
	bool removed = op->removes;

	op->r = r;
	op_give_slot(op);
	agent->ops = op->next;
	audit_op(hive->audit, op, r);
	if (r < 0)
		log_event(LOG_WARNING, error_text(&op->err), "SKEP_AGENT", agent->settings.name,
			  "SKEP_VERB", op->verb, NULL);
	while (op->waiters) {
		struct op_waiter *w = op->waiters;

		op->waiters = w->next;
		if (w->fn)
			w->fn(op, w->data);
		free(w);
	}
	release(op);
	if (removed) {
		/* what was asked for after the destroy has nothing left to act on */
		while (agent->ops) {
			struct op *late = agent->ops;

			error_set(&late->err, ENOENT, "no agent '%s'", agent->settings.name);
			late->r = -ENOENT;
			agent->ops = late->next;
			for (struct op_waiter *w = late->waiters, *next; w; w = next) {
				next = w->next;
				if (w->fn)
					w->fn(late, w->data);
				free(w);
			}
			release(late);
		}
		hive_remove(hive, agent);
		return;
	}
	event_agent(hive, agent);
	if (agent->ops)
		begin(agent->ops);
	hive_quiet(hive);
}

static void on_answer(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct op *op = data;

	(void)fds;
	(void)n_fds;
	json_decref(op->answer);
	op->answer = answer ? json_incref((json_t *)answer) : NULL;
	op->r = 0;
	if (!answer) {
		op->err = *err;
		op->r = err->err ? err->err : -EIO;
	}
	run(op);
}

void op_call(struct op *op, const char *verb, json_t *arguments, const int *fds, size_t n_fds,
	     op_step step)
{
	op->step = step;
	(void)executor_call(op->hive->executor, verb, arguments, fds, n_fds, on_answer, op);
}

void op_take_slot(struct op *op, struct slots *slots, op_step step)
{
	op->step = step;
	if (slots->used < slots->limit) {
		slots->used++;
		op->holds = slots;
		(void)loop_timer(op->hive->loop, 0, run, op);
		return;
	}
	op->next_waiting = NULL;
	if (slots->last)
		slots->last->next_waiting = op;
	else
		slots->first = op;
	slots->last = op;
}

void op_give_slot(struct op *op)
{
	struct slots *slots = op->holds;
	struct op *heir;

	if (!slots)
		return;
	op->holds = NULL;
	heir = slots->first;
	if (!heir) {
		slots->used--;
		return;
	}
	slots->first = heir->next_waiting;
	if (!slots->first)
		slots->last = NULL;
	heir->holds = slots;
	(void)loop_timer(heir->hive->loop, 0, run, heir);
}

void op_sleep(struct op *op, int64_t ms, op_step step)
{
	op->step = step;
	(void)loop_timer(op->hive->loop, ms, run, op);
}

struct op *op_current(const struct agent *agent)
{
	return agent->ops;
}
