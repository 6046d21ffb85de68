/* From an approved commit to a running system: build, switch, read back, probe, then record or
 * roll back. */
#pragma once

#include "control/op.h"

/* Puts an approved proposal in its agent's line. NULL actor: the controller resumes what was
 * owed. */
struct op *deploy_add(struct hive *hive, struct proposal *proposal, const struct actor *actor);

/* The operation that deploys a proposal, NULL when none is in line. */
struct op *deploy_of(struct hive *hive, const struct proposal *proposal);

/* Whether an attempt that was cut short had switched already: what runs is in no record. */
bool deploy_runs_unrecorded(const struct op *op);

/*
 * The steps one by one, for an update of the inputs, in whose hands the operation is between
 * them: what the agent has deployed is built, until
 * update_built(); that is switched to and probed, until update_switched(); or taken back again,
 * until update_failed(), which is also where anything that goes wrong ends.
 */
void deploy_build(struct op *op);
void deploy_switch(struct op *op);
void deploy_back(struct op *op, const struct error *why);

/*
 * The same steps for what is deployed already (no number, no tag); a container that runs this
 * very system is left alone. "rebuild" (with probe) and "start" (without) are this.
 */
struct op *deploy_again(struct agent *agent, const char *verb, const struct actor *actor,
			bool probe);

/* Only the last of these steps: that what is deployed runs, and that its probe holds. */
struct op *deploy_check(struct agent *agent, const struct actor *actor);
