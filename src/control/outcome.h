/* How an operation that carries out a proposal ends: the outcome goes into the record before
 * anybody is told. */
#pragma once

#include "control/op.h"

/*
 * Records failed/N with op->err and the end of the log, then ends the operation. Without a
 * proposal it only ends it. A disk that is full is tried again until it is not.
 */
void outcome_fail(struct op *op);

/*
 * Ends an operation that failed before it touched the container, and whose failure says nothing
 * of the commit: it is still owed. false: this is not one.
 */
bool outcome_put_off(struct op *op);

/* Records deployed/N of a proposal that has no agent's repository, then ends the operation. */
void outcome_done(struct op *op);

/* The record could not be written (err): says so, and does step again a little later. */
void outcome_later(struct op *op, const struct error *err, op_step step);
