/*
 * What is asked of a builder. For Nix it is a commit of the meta repository as it would be
 * after the deploy, held by refs/skep/candidate/<agent> while it is built; main does not move.
 */
#pragma once

#include "control/op.h"

/*
 * The arguments of skep-exec's `build` for op->commit (whose tree is op->tree) as deployed/n of
 * its agent; message is that of the commit that follows a success. The caller owns *ret.
 */
int candidate_make(struct op *op, int64_t n, const char *message, json_t **ret,
		   struct error *err);

/* The same for the agent as it is, under another name. */
int candidate_rename(struct op *op, const char *name, const char *message, json_t **ret,
		     struct error *err);

/* The build is over: takes op->system from its answer, and the reference goes. */
int candidate_built(struct op *op, struct error *err);

/* The same for a preview, whose agent may be gone. */
void candidate_forget(struct hive *hive, const char *agent);

/*
 * The commit of meta for the hive as it is in memory: the candidate itself when nothing else
 * has changed meanwhile.
 */
int candidate_commit(struct op *op, const char *message, char ret[OID_HEX_SIZE],
		     struct error *err);

/* At start: what builds left behind that were cut short. */
int candidate_sweep(struct hive *hive, struct error *err);
