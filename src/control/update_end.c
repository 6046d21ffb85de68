/* How an update of the inputs ends: written down for all, or taken back by all. */
#include "control/update_parts.h"

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "control/deploy.h"
#include "control/joblog.h"
#include "control/ledger.h"
#include "control/meta.h"
#include "control/outcome.h"
#include "control/preview.h"
#include "control/request.h"
#include "control/systems.h"
#include "control/update.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Lets go of everybody but the one that records it. */
static void dismiss(struct update *u, struct op *last)
{
	for (size_t i = 0; i < u->hive->n_agents; i++) {
		struct op *op = update_part(u, u->hive->agents[i]);

		if (!op || op == last)
			continue;
		if (op->stage == (int)STAGE_LINE) {
			update_send_away(op);
			continue;
		}
		systems_release(u->hive, op->agent);
		if (u->failed && op->err.err == 0)
			error_set(&op->err, ECANCELED, "the update was given up: %s",
				  error_text(&u->why));
		op_finish(op, u->failed ? op->err.err : 0);
	}
}

static void end(struct update *u, struct op *last)
{
	u->ended = true;
	dismiss(u, last);
	systems_release(u->hive, last->agent);
	joblog_close(last->log);
	last->log = TAKE_PTR(u->log);
	last->system[0] = '\0'; /* the outcome is of no single system */
	last->update = NULL;
	last->r = 0;
	if (!u->decided)
		last->proposal = u->proposal;
	if (!u->failed) {
		outcome_done(last);
		return;
	}
	last->err = u->why;
	outcome_fail(last);
}

/* Writes down what is built now, for all of them; or nothing. */
static int commit(struct update *u, struct error *err)
{
	struct hive *hive = u->hive;
	_cleanup_free_ char(*before)[SYSTEM_SIZE] = mem_new(hive->n_agents + 1, SYSTEM_SIZE);
	int r = 0;

	for (size_t i = 0; i < hive->n_agents; i++) {
		struct op *op = update_part(u, hive->agents[i]);

		memcpy(before[i], hive->agents[i]->settings.system, SYSTEM_SIZE);
		if (op && r == 0)
			r = systems_take(hive, op->agent, op->system, err);
	}
	update_swap(u);
	if (r == 0)
		r = meta_commit(hive, u->proposal->title, err);
	for (size_t i = 0; i < hive->n_agents && r == 0; i++) {
		struct op *op = update_part(u, hive->agents[i]);

		if (op)
			memcpy(op->agent->made, op->system, sizeof(op->agent->made));
	}
	if (r == 0)
		return 0;
	update_swap(u);
	for (size_t i = 0; i < hive->n_agents; i++)
		memcpy(hive->agents[i]->settings.system, before[i], SYSTEM_SIZE);
	return r;
}

void update_settle(struct op *op)
{
	struct update *u = op->update;
	struct error err = {};

	if (update_add_missing(u)) {
		u->settling = false;
		return;
	}
	if (commit(u, &err) < 0) {
		outcome_later(op, &err, update_settle);
		return;
	}
	crash_point("updated");
	previews_forget(u->hive);
	request_mark_stale(u->hive);
	end(u, op);
}

/* ---- back ---- */

static void go_back(struct op *op)
{
	struct error why = {};

	error_set(&why, ECANCELED, "the update was given up");
	deploy_back(op, &why);
}

static bool take_back(struct update *u)
{
	bool any = false;

	for (size_t i = 0; i < u->hive->n_agents; i++) {
		struct op *op = update_part(u, u->hive->agents[i]);

		if (!op || op->stage != (int)STAGE_SWITCHED)
			continue;
		if (!op->touched) {
			op->stage = STAGE_OVER;
			continue;
		}
		op->stage = STAGE_BACK;
		op_take_slot(op, &u->hive->starts, go_back);
		any = true;
	}
	return any;
}

static void tell_who(struct update *u, const struct buf *names, const char *what)
{
	struct error why = u->why;

	if (names->size > 0)
		error_set_code(&u->why, why.err, why.code, "%s; %s: %s", error_text(&why), what,
			       names->data);
}

static void stop_builds(struct update *u)
{
	for (size_t i = 0; i < u->hive->n_agents; i++) {
		struct op *op = update_part(u, u->hive->agents[i]);

		if (op && op->stage == (int)STAGE_BUILDING && op->build)
			executor_cancel(u->hive->executor, op->build);
		else if (op && op->stage == (int)STAGE_LINE && op != u->lead)
			update_send_away(op);
	}
}

void update_wind_up(struct update *u)
{
	stop_builds(u);
	if (u->lead->stage == (int)STAGE_LINE || update_count(u, STAGE_BUILDING) > 0 ||
	    update_count(u, STAGE_SWITCHING) > 0 || take_back(u) ||
	    update_count(u, STAGE_BACK) > 0)
		return;
	tell_who(u, &u->back, "back on what they ran");
	tell_who(u, &u->astray, "could not go back");
	end(u, u->lead);
}

void update_end_alone(struct update *u)
{
	struct verdict verdict = {.build_ms = -1, .downtime_ms = -1};
	struct error err = {};
	enum proposal_state outcome = u->failed ? PROPOSAL_FAILED : PROPOSAL_DEPLOYED;
	int r = u->failed ? 0 : commit(u, &err);

	verdict.meta_commit = u->failed ? NULL : u->hive->meta_head;
	verdict.note = u->failed ? error_text(&u->why) : NULL;
	if (r == 0 && !u->decided)
		r = ledger_decide(u->hive, u->proposal, outcome, &verdict, &err);
	if (r < 0)
		log_line(LOG_ERR, "proposal %" PRId64 " is still owed: %s", u->proposal->id,
			 error_text(&err));
	update_free(u);
}
