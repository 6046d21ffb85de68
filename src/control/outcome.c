#include "control/outcome.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "control/event.h"
#include "control/joblog.h"
#include "control/room.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define LOG_IN_TAG_MAX (64 * 1024)
#define RECORD_AGAIN_MS 5000

/*
 * The disk is full, or worse. The operation stays in line until its outcome is recorded: what
 * nobody wrote down would be done again by the next start.
 */
void outcome_later(struct op *op, const struct error *err, op_step step)
{
	log_event(LOG_ERR, error_text(err), "SKEP_AGENT", op->agent->settings.name, NULL);
	joblog_line(op->log, "cannot record the outcome, trying again: %s", error_text(err));
	op_sleep(op, RECORD_AGAIN_MS, step);
}

bool outcome_put_off(struct op *op)
{
	if (op->touched || !(error_passes(&op->err) || room_is_why(op->hive, &op->err)))
		return false;
	joblog_line(op->log, "put off: %s", error_text(&op->err));
	if (op->proposal && op->proposal->deploying) {
		op->proposal->deploying = false; /* it can be cancelled again */
		event_proposal(op->hive, op->proposal);
	}
	op_finish(op, op->err.err);
	return true;
}

void outcome_fail(struct op *op)
{
	struct verdict verdict = {.build_ms = -1, .downtime_ms = -1};
	_cleanup_free_ char *tail = op->log ? joblog_tail(op->log, LOG_IN_TAG_MAX) : NULL;
	_cleanup_free_ char *note = str_format("%s\n\nThe end of the log:\n%s",
					       error_text(&op->err), tail ? tail : "");
	struct error err = {}, why = op->err;
	int r;

	if (!op->proposal) {
		op_finish(op, op->err.err);
		return;
	}
	verdict.note = note;
	crash_point("failing");
	r = ledger_decide(op->hive, op->proposal, PROPOSAL_FAILED, &verdict, &err);
	if (r < 0 && r != -EEXIST) {
		outcome_later(op, &err, outcome_fail);
		return;
	}
	error_set_code(&op->err, why.err, why.code, "proposal %" PRId64 ": %s",
		       op->proposal->id, error_text(&why));
	error_hint(&op->err, "skep log %" PRId64, op->proposal->id);
	op_finish(op, op->err.err);
}

void outcome_done(struct op *op)
{
	struct verdict verdict = {
		.system = op->system[0] ? op->system : NULL,
		.meta_commit = op->hive->meta_head,
		.build_ms = -1,
		.downtime_ms = -1,
	};
	struct error err = {};
	int r;

	if (!op->proposal) {
		op_finish(op, 0);
		return;
	}
	crash_point("done");
	r = ledger_decide(op->hive, op->proposal, PROPOSAL_DEPLOYED, &verdict, &err);
	if (r < 0 && r != -EEXIST) {
		outcome_later(op, &err, outcome_done);
		return;
	}
	crash_point("recorded");
	joblog_line(op->log, "done: %s", op->proposal->title ? op->proposal->title : "");
	op_finish(op, 0);
}
