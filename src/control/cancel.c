#include "control/cancel.h"

#include "control/deploy.h"
#include "control/joblog.h"
#include "control/update.h"

#include <errno.h>
#include <inttypes.h>

int cancel_deploy(struct hive *hive, struct proposal *p, const char *note,
		  const struct actor *actor, struct error *err)
{
	struct verdict verdict = {.actor = actor,
				  .note = note,
				  .build_ms = -1,
				  .downtime_ms = -1};
	struct op *op = deploy_of(hive, p);
	int r;

	if (p->kind == PROPOSAL_UPDATE_INPUTS)
		return update_cancel(hive, p, note, actor, err);
	if (p->deploying || (op && (op->touched || deploy_runs_unrecorded(op))))
		return error_set_code(err, EEXIST, "wrong_state",
				      "proposal %" PRId64 " is being switched to", p->id);
	r = ledger_decide(hive, p, PROPOSAL_CANCELLED, &verdict, err);
	if (r == 0 && op && op->build)
		executor_cancel(hive->executor, op->build);
	return r;
}

bool cancel_ended(struct op *op)
{
	if (!op->proposal || op->proposal->state != PROPOSAL_CANCELLED)
		return false;
	error_set_code(&op->err, ESTALE, "stale", "proposal %" PRId64 " was cancelled",
		       op->proposal->id);
	joblog_line(op->log, "%s", error_text(&op->err));
	op_finish(op, -ESTALE);
	return true;
}
