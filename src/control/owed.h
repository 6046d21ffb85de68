/*
 * What is owed to an agent while nothing is in its line: the deploy of an approved proposal
 * that has no outcome, a container that should run and does not.
 */
#pragma once

#include "control/hive.h"

/*
 * At the start of the daemon, with every container looked at: puts in line what is owed. Where
 * differences are only told, that is what was approved, and what was not started since the
 * machine was.
 */
void owed_resume(struct agent *agent);

/*
 * The same after a pause that grows with every attempt, for what went wrong meanwhile. Call it
 * when a container has ended and when an agent's line has become empty.
 */
void owed_look(struct agent *agent);

/* Whether the deploy of an approved proposal is owed: attempts are about that, and not about a
 * container that ends. */
bool owed_a_deploy(const struct agent *agent);

/* No attempt is made any more until the next look. */
void owed_cancel(struct agent *agent);
