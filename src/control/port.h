/* Before a container starts on the machine's own network: whether its port is free. */
#pragma once

#include "control/op.h"

/* Asks who listens on the agent's port, then step. On a network of its own nobody is in the way
 * and nothing is asked. */
void port_ask(struct op *op, op_step step);

/*
 * From that step: 0 when the port is free, else op->r with op->err naming who has it (-EBUSY),
 * or saying why nobody can tell.
 */
int port_judge(struct op *op);
