/* The one choke point between "proposed" and "deployed": approve, deny, roll back. */
#pragma once

#include "control/op.h"

/* What an operator's client says it saw; fields it did not send are NULL. */
struct binding {
	const char *commit, *tree, *base;
	const json_t *flags_ack; /* array of strings; NULL */
	const char *idem_key, *note;
};

/*
 * Approves: compares everything bound, requires every "ack" flag to be named, writes
 * approved/N, and only then puts the deploy in line (*ret_op). The same verdict again is
 * success with *ret_already and no new operation. Errors: stale, needs_ack, blocked,
 * wrong_state, idem_mismatch.
 */
int verdict_approve(struct hive *hive, struct proposal *proposal, const struct binding *binding,
		    const struct actor *actor, bool *ret_already, struct op **ret_op,
		    struct error *err);

/* Denies: denied/N with the note. */
int verdict_deny(struct hive *hive, struct proposal *proposal, const struct binding *binding,
		 const struct actor *actor, bool *ret_already, struct error *err);

/*
 * Goes back to deployed/K of an agent (to < 0: the one before the present): a new proposal of
 * the same tree, on top of what is deployed, approved by the operator who asks.
 */
int verdict_rollback(struct hive *hive, struct agent *agent, int64_t to, const char *note,
		     const struct actor *actor, struct proposal **ret, struct op **ret_op,
		     struct error *err);
