#include "control/op.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/audit.h"
#include "control/event.h"
#include "control/joblog.h"
#include "control/probe.h"
#include "control/reconcile.h"
#include "control/owed.h"

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

static void release(struct op *op)
{
	json_decref(op->answer);
	json_decref(op->baseline);
	json_decref(op->image);
	json_decref(op->files);
	joblog_close(op->log);
	probe_free(op->probe);
	free(op);
}

/* Tells who waits how it went, and frees it. It is in no line any more. */
static void conclude(struct op *op, int r)
{
	op->r = r;
	while (op->waiters) {
		struct op_waiter *w = op->waiters;

		op->waiters = w->next;
		w->fn(op, w->data);
		free(w);
	}
	release(op);
}

/* What was asked for after a destroy has nothing left to act on. */
static void drop_line(struct agent *agent)
{
	while (agent->ops) {
		struct op *late = agent->ops;

		agent->ops = late->next;
		error_set(&late->err, ENOENT, "no agent '%s'", agent->settings.name);
		conclude(late, -ENOENT);
	}
}

void op_finish(struct op *op, int r)
{
	struct agent *agent = op->agent;
	struct hive *hive = op->hive;
	bool removed = op->removes;

	op_give_slot(op);
	agent->last_ended_op = ++hive->ended_ops;
	audit_op(hive->audit, op, r);
	if (r < 0)
		log_event(LOG_WARNING, error_text(&op->err), "SKEP_AGENT", agent->settings.name,
			  "SKEP_VERB", op->verb, NULL);
	agent->ops = op->next;
	conclude(op, r);
	if (removed) {
		drop_line(agent);
		hive_remove(hive, agent);
	} else {
		event_agent(hive, agent);
		if (agent->ops)
			begin(agent->ops);
		else
			owed_look(agent);
	}
	reconcile_soon(hive);
	hive_quiet(hive);
}

static void on_slept(void *data)
{
	struct op *op = data;

	op->sleep = NULL;
	run(op);
}

void op_sleep(struct op *op, int64_t ms, op_step step)
{
	op->step = step;
	op->sleep = loop_timer(op->hive->loop, ms, on_slept, op);
}

/*
 * A probe may wait for minutes and a build may run that long: neither has to end before the
 * hive can go down, the next start does them again. What starts or stops a container is left
 * its time.
 */
static void interrupt(struct op *op)
{
	if (op->probe || op->sleep) {
		probe_free(op->probe);
		op->probe = NULL;
		timer_cancel(op->sleep);
		op->sleep = NULL;
		error_set(&op->err, ECANCELED, "the hive is going down");
		op_finish(op, -ECANCELED);
	} else if (op->build) {
		executor_cancel(op->hive->executor, op->build);
	}
}

void op_interrupt_all(struct hive *hive)
{
	/* backwards: one whose agent goes with it moves only those behind */
	for (size_t i = hive->n_agents; i > 0; i--)
		if (hive->agents[i - 1]->ops)
			interrupt(hive->agents[i - 1]->ops);
}

static void on_answer(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct op *op = data;

	(void)fds;
	(void)n_fds;
	if (answer && json_is_true(json_object_get(answer, "partial"))) {
		joblog_said(op->log, json_string_value(json_object_get(answer, "said")));
		return; /* the end is still to come */
	}
	json_decref(op->answer);
	op->answer = answer ? json_incref((json_t *)answer) : NULL;
	op->r = 0;
	if (!answer) {
		op->err = *err;
		op->r = err->err ? err->err : -EIO;
	}
	run(op);
}

uint64_t op_call(struct op *op, const char *verb, json_t *arguments, const int *fds,
		 size_t n_fds, op_step step)
{
	op->step = step;
	return executor_call(op->hive->executor, verb, arguments, fds, n_fds, on_answer, op);
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
