/*
 * Another name for an agent: where Nix builds, its system is built under it; then its
 * directories, its repositories and its entry move, its container is started under the new one
 * and read back. What goes wrong is taken back.
 */
#pragma once

#include "control/op.h"

/* Whether from can be called to. -EEXIST, -ENOENT, -EINVAL, -EBUSY. */
int rename_check(const struct hive *hive, const char *from, const char *to, struct error *err);

/* What the agent of such a proposal was called, "" when it does not say. */
const char *rename_from(const struct proposal *proposal);

/* Of the commit of meta; the caller frees it. */
char *rename_message(const char *from, const char *to);

/* Puts an approved rename in the agent's line; until its end nothing else is taken for it. */
struct op *rename_add(struct agent *agent, struct proposal *proposal,
		      const struct actor *actor);

/* At start: a repository is called what agents.json calls its agent, wherever a rename was cut
 * short. */
int rename_repair(struct hive *hive, struct error *err);
