/*
 * Every agent's part is an operation in its own line, so that nothing else happens to it
 * meanwhile:
 *
 *   line ── building ── built ── switching ── switched ── over
 *                                                └── back ── over
 *
 * They wait for each other after `built` and after `switched`. What is wanted stopped is built
 * and nothing more. Only when all are through, one commit of meta says what they run. A crash
 * before it leaves an approved proposal: containers are put back to what meta says, and the
 * update is begun anew.
 */
#include "control/update.h"

#include "base/crash.h"
#include "base/log.h"
#include "control/deploy.h"
#include "control/event.h"
#include "control/joblog.h"
#include "control/ledger.h"
#include "control/outcome.h"
#include "control/request.h"
#include "control/systems.h"
#include "control/update_parts.h"
#include "control/update_request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void look(void *data);

/* ---- its operations ---- */

static bool takes_part(const struct agent *agent)
{
	return agent->settings.builder == BUILDER_NIX && !agent->dying;
}

struct op *update_part(const struct update *u, const struct agent *agent)
{
	struct op *op = agent->ops;

	while (op && op->update != u)
		op = op->next;
	return op;
}

size_t update_count(const struct update *u, enum update_stage stage)
{
	size_t n = 0;

	for (size_t i = 0; i < u->hive->n_agents; i++) {
		const struct op *op = update_part(u, u->hive->agents[i]);

		n += op && op->stage == (int)stage;
	}
	return n;
}

static void look_soon(struct update *u)
{
	if (!u->timer)
		u->timer = loop_timer(u->hive->loop, 0, look, u);
}

void update_free(struct update *u)
{
	timer_cancel(u->timer);
	joblog_close(u->log);
	lock_free(u->lock);
	json_decref(u->inputs);
	buf_release(&u->back);
	buf_release(&u->astray);
	free(u);
}

static void on_end(struct op *op, void *data)
{
	struct update *u = data;

	if (u->lead == op)
		u->lead = NULL;
	if (u->hive->stopping || op->r == -EPIPE)
		u->halting = true;
	u->n_ops--;
	if (u->n_ops == 0 && (u->ended || u->halting))
		update_free(u);
	else if (!u->ended)
		look_soon(u);
}

static void leave(struct op *op)
{
	op_finish(op, -ECANCELED);
}

void update_send_away(struct op *op)
{
	error_set(&op->err, ECANCELED, "the update was given up");
	op->update = NULL;
	op->step = leave;
}

static void begin(struct op *op);

static void add(struct update *u, struct agent *agent)
{
	struct op *op = op_add(agent, "update-inputs", u->has_actor ? &u->actor : NULL, begin);

	op->update = u;
	op->stage = STAGE_LINE;
	u->n_ops++;
	op_wait(op, on_end, u);
	if (!u->lead || name_is_manager(agent->settings.name))
		u->lead = op;
}

bool update_add_missing(struct update *u)
{
	bool added = false;

	for (size_t i = 0; i < u->hive->n_agents; i++) {
		struct agent *agent = u->hive->agents[i];

		if (!takes_part(agent) || update_part(u, agent))
			continue;
		add(u, agent);
		added = true;
	}
	return added;
}

/* ---- beginning ---- */

static void give_up(struct update *u, const struct error *err)
{
	if (u->failed)
		return;
	u->failed = true;
	u->why = *err;
	joblog_line(u->log, "%s", error_text(err));
}

static void find_stale(struct update *u)
{
	struct verdict verdict = {.build_ms = -1, .downtime_ms = -1};
	struct error why = {}, err = {};

	if (request_check(u->hive, u->proposal, &why) == 0)
		return;
	verdict.note = error_text(&why);
	if (ledger_decide(u->hive, u->proposal, PROPOSAL_STALE, &verdict, &err) < 0)
		log_line(LOG_ERR, "cannot mark proposal %" PRId64 " stale: %s", u->proposal->id,
			 error_text(&err));
	why.code = "stale";
	u->decided = true;
	give_up(u, &why);
}

/* Whoever comes first begins it for all. */
static int begin_all(struct update *u, struct error *err)
{
	int r;

	find_stale(u);
	if (u->failed) {
		u->begun = true;
		return 0;
	}
	if ((!u->log && (r = joblog_open(u->hive, u->proposal->id, &u->log, err)) < 0) ||
	    (r = ledger_mark_building(u->hive, u->proposal, err)) < 0)
		return r;
	crash_point("building");
	u->begun = true;
	joblog_line(u->log, "%s", u->proposal->title ? u->proposal->title : "update");
	return 0;
}

static void begin(struct op *op)
{
	struct update *u = op->update;
	struct error err = {};
	int r;

	if (!u->begun && !u->failed && begin_all(u, &err) < 0) {
		outcome_later(op, &err, begin);
		return;
	}
	op->stage = STAGE_BUILDING;
	if ((r = update_goes_on(op, &op->err)) < 0 ||
	    (r = joblog_open(op->hive, u->proposal->id, &op->log, &op->err)) < 0 ||
	    (r = systems_find_old(op)) < 0) {
		op->r = r;
		update_failed(op);
		return;
	}
	joblog_of(op->log, op->agent->settings.name);
	deploy_build(op);
}

int update_goes_on(const struct op *op, struct error *err)
{
	const struct update *u = op->update;

	if (!u || !u->failed || u->rolling)
		return 0;
	return error_set(err, ECANCELED, "the update was given up: %s", error_text(&u->why));
}

/* ---- what the steps tell ---- */

void update_built(struct op *op)
{
	op->stage = STAGE_BUILT;
	look_soon(op->update);
}

void update_switched(struct op *op)
{
	op_give_slot(op);
	joblog_line(op->log, "done");
	op->stage = STAGE_SWITCHED;
	look_soon(op->update);
}

static bool runs_old(const struct op *op)
{
	return strcmp(op->agent->state, "running") == 0 &&
	       strcmp(op->agent->system, op->old_system) == 0;
}

static void add_name(struct buf *names, const struct op *op)
{
	buf_addf(names, "%s%s", names->size ? ", " : "", op->agent->settings.name);
}

void update_failed(struct op *op)
{
	struct update *u = op->update;

	op_give_slot(op);
	joblog_line(op->log, "%s", error_text(&op->err));
	if (op->stage == (int)STAGE_BACK)
		add_name(runs_old(op) ? &u->back : &u->astray, op);
	else if (!u->failed)
		error_prefix(&op->err, "'%s'", op->agent->settings.name);
	op->stage = STAGE_OVER;
	give_up(u, &op->err);
	look_soon(u);
}

/* ---- waves ---- */

static void switch_one(struct op *op)
{
	op->stage = STAGE_SWITCHING;
	deploy_switch(op);
}

/* What is wanted stopped has nothing to be switched. */
static bool is_due(const struct op *op)
{
	return op && op->stage == (int)STAGE_BUILT && op->agent->settings.running;
}

/* The manager alone, then one, two, four…, never more than may start at once. */
static bool next_wave(struct update *u)
{
	int64_t max = u->hive->starts.limit, n = 0;

	for (size_t i = 0; i < u->hive->n_agents; i++) {
		struct op *op = update_part(u, u->hive->agents[i]);

		if (!is_due(op) || !name_is_manager(op->agent->settings.name))
			continue;
		switch_one(op);
		return true;
	}
	u->wave = u->wave == 0 ? 1 : 2 * u->wave < max ? 2 * u->wave : max;
	for (size_t i = 0; i < u->hive->n_agents && n < u->wave; i++) {
		struct op *op = update_part(u, u->hive->agents[i]);

		if (!is_due(op))
			continue;
		switch_one(op);
		n++;
	}
	return n > 0;
}

static void roll_out(struct update *u)
{
	if (!u->rolling) {
		u->rolling = true;
		u->proposal->deploying = true;
		event_proposal(u->hive, u->proposal);
		joblog_line(u->log, "all %zu are built, nothing is switched yet",
			    update_count(u, STAGE_BUILT));
		crash_point("all-built");
	}
	if (update_count(u, STAGE_SWITCHING) > 0 || next_wave(u))
		return;
	u->settling = true;
	update_settle(u->lead);
}

/* ---- in between ---- */

/* The hive goes down: those that wait for others would wait for ever. */
static void halt(struct update *u)
{
	struct hive *hive = u->hive;

	for (size_t i = 0; i < hive->n_agents; i++) {
		struct op *op = update_part(u, hive->agents[i]);
		bool waits = op &&
			     (op->stage == (int)STAGE_BUILT ||
			      op->stage == (int)STAGE_SWITCHED || op->stage == (int)STAGE_OVER);
		bool last = u->n_ops == 1;

		if (!waits || op->sleep)
			continue;
		error_set(&op->err, ECANCELED, "the hive is going down");
		op_finish(op, -ECANCELED);
		if (last)
			return; /* u is gone */
	}
}

static void look(void *data)
{
	struct update *u = data;

	u->timer = NULL;
	if (u->halting || u->hive->stopping) {
		u->halting = true;
		halt(u);
		return;
	}
	if (u->ended || u->settling)
		return;
	if (u->n_ops == 0) {
		update_end_alone(u);
		return;
	}
	for (size_t i = 0; i < u->hive->n_agents && !u->lead; i++)
		u->lead = update_part(u, u->hive->agents[i]);
	if (!u->lead)
		return; /* those that are left were sent away */
	if (u->failed)
		update_wind_up(u);
	else if (update_count(u, STAGE_LINE) == 0 && update_count(u, STAGE_BUILDING) == 0 &&
		 !update_add_missing(u))
		roll_out(u);
}

int update_cancel(struct hive *hive, struct proposal *p, const char *note,
		  const struct actor *actor, struct error *err)
{
	struct verdict verdict = {.actor = actor,
				  .note = note,
				  .build_ms = -1,
				  .downtime_ms = -1};
	struct op *op = update_of(hive, p);
	struct update *u = op ? op->update : NULL;
	struct error why = {};
	int r;

	if (!u || u->rolling || u->failed)
		return error_set_code(err, EEXIST, "wrong_state",
				      "proposal %" PRId64 " is being switched to", p->id);
	r = ledger_decide(hive, p, PROPOSAL_CANCELLED, &verdict, err);
	if (r < 0)
		return r;
	u->decided = true;
	error_set_code(&why, ESTALE, "stale", "proposal %" PRId64 " was cancelled", p->id);
	give_up(u, &why);
	look_soon(u);
	return 0;
}

void update_swap(struct update *u)
{
	struct lock *lock = u->hive->lock;
	json_t *inputs = u->hive->inputs;

	u->hive->lock = u->lock;
	u->hive->inputs = u->inputs;
	u->lock = lock;
	u->inputs = inputs;
}

struct op *update_of(const struct hive *hive, const struct proposal *p)
{
	for (size_t i = 0; i < hive->n_agents; i++)
		for (struct op *op = hive->agents[i]->ops; op; op = op->next)
			if (op->update && op->update->proposal == p && op->update->lead)
				return op->update->lead;
	return NULL;
}

struct op *update_carry_out(struct hive *hive, struct proposal *p, const struct actor *actor)
{
	struct update *u = mem_new(1, sizeof(*u));
	struct error err = {};

	u->hive = hive;
	u->proposal = p;
	if (actor) {
		u->actor = *actor;
		u->has_actor = true;
	}
	if (update_request_read(hive, p->commit, &u->lock, &u->inputs, &err) < 0) {
		log_line(LOG_ERR, "proposal %" PRId64 " is still owed: %s", p->id,
			 error_text(&err));
		update_free(u);
		return NULL;
	}
	/* it was cut short between what it did and its outcome */
	if (!update_request_is_done(hive, u->lock))
		for (size_t i = 0; i < hive->n_agents; i++)
			if (takes_part(hive->agents[i]) && !hive->agents[i]->unborn)
				add(u, hive->agents[i]);
	if (u->lead)
		return u->lead;
	update_end_alone(u);
	return NULL;
}
