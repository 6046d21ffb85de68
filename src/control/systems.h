/* Which system a deploy made, by the record, and which of them are worth keeping. */
#pragma once

#include "control/hive.h"

/* The system of deployed/n of an agent; "" when the record does not say. */
int systems_of(struct hive *hive, const struct agent *agent, int64_t n, char ret[SYSTEM_SIZE],
	       struct error *err);

/* Lets go of what Nix built for an agent and no rollback is to find any more. */
void systems_release(struct hive *hive, struct agent *agent);
