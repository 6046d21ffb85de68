/* Taking back what was approved, up to the moment it is switched to. */
#pragma once

#include "control/ledger.h"
#include "control/op.h"

/* Cancels an approved proposal: cancelled/N, and the end of its build. -EEXIST (wrong_state)
 * once its system takes the place of another. */
int cancel_deploy(struct hive *hive, struct proposal *proposal, const char *note,
		  const struct actor *actor, struct error *err);

/* Whether the operation's proposal was cancelled meanwhile; then it has ended. */
bool cancel_ended(struct op *op);
