/* What the failed units of a container said last, kept in the deploy's log before their
 * container goes. */
#pragma once

#include "control/op.h"

/* Asks the container for its failed units and their journal, bounded; then step, whatever came
 * of it. */
void postmortem(struct op *op, op_step step);
