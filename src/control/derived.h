/* What follows from the tag of a deploy: the agent's main, and meta. */
#pragma once

#include "control/op.h"

/* Of the commit of meta that a deploy makes. The caller's. */
char *derived_message(const struct op *op);

/*
 * Moves both, to op->commit and op->meta_commit, or to what meta has come to since that was
 * made. What failed can be done again; nothing is lost, the tag tells the next start as well.
 */
int derived_move(struct op *op, struct error *err);
