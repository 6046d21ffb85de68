/*
 * Settings on trial: in force, and told to the container, while agents.json still says what was
 * there before.
 */
#pragma once

#include "control/lifecycle.h"

/* The agent's settings and these change places; what is deployed stays true of both. */
void trial_swap(struct agent *agent, struct settings *settings);

/* From now on agents.json says these of the agent, until trial_end(). */
void trial_begin(struct agent *agent, const struct settings *recorded);
void trial_end(struct agent *agent);

/* Whom trial_tell() tells: of an operation, or of what takes none. */
struct trial_waiter {
	op_end on_op;
	lifecycle_fn on_told;
	void *data;
};

#define TRIAL_MOST 2 /* that trial_tell() returns */

/*
 * The agent had these settings before and has others now: makes true of its container what
 * differs. Returns how many answers the waiter gets, some perhaps at once. *ret_started is set
 * when the container is started or started again.
 */
int trial_tell(struct hive *hive, struct agent *agent, const struct settings *before,
	       const struct actor *actor, const struct trial_waiter *waiter, bool *ret_started);
