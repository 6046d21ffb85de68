/*
 * Newer inputs for everything that Nix builds, as one piece of work: all agents are built
 * before anything is switched, then switched to in waves, the manager first, each probed. The
 * first that fails ends it, and those that were switched go back: either every agent runs what
 * meta's flake.lock says, or meta never said it.
 */
#pragma once

#include "control/op.h"

/* Puts an approved update in line. NULL actor: the controller resumes what was owed. The
 * operation to wait for; NULL when there was nothing to do but to write it down. */
struct op *update_carry_out(struct hive *hive, struct proposal *proposal,
			    const struct actor *actor);

/* The operation to wait for while this is carried out; NULL: it is not. */
struct op *update_of(const struct hive *hive, const struct proposal *proposal);

/* Ends it and records cancelled/N. -EEXIST (wrong_state) once something was switched to. */
int update_cancel(struct hive *hive, struct proposal *proposal, const char *note,
		  const struct actor *actor, struct error *err);

/* What the steps of a deploy tell; the operation waits for the others then. */
void update_built(struct op *op);
void update_switched(struct op *op);
void update_failed(struct op *op); /* op->err says why */

/* Whether another step still makes sense. -ECANCELED. */
int update_goes_on(const struct op *op, struct error *err);

/* Puts the lock and the inputs of the update in the place of the hive's; once more: back. */
void update_swap(struct update *update);
