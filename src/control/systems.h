/* Which system a deploy made, by the record, and which of them are worth keeping. */
#pragma once

#include "control/op.h"

/* The system of deployed/n of an agent; "" when the record does not say. Of what is deployed
 * now it is the one that newer inputs, or another name, made of it. */
int systems_of(struct hive *hive, const struct agent *agent, int64_t n, char ret[SYSTEM_SIZE],
	       struct error *err);

/* What the tag itself says. */
int systems_recorded(struct hive *hive, const struct agent *agent, int64_t n,
		     char ret[SYSTEM_SIZE], struct error *err);

/* The system of what the agent of an operation has deployed now, for the way back. */
int systems_find_old(struct op *op);

/* This is what Nix makes of what is deployed now: goes with the next commit of meta. */
int systems_take(struct hive *hive, struct agent *agent, const char *system, struct error *err);

/* Lets go of what Nix built for an agent and no rollback is to find any more. */
void systems_release(struct hive *hive, struct agent *agent);
