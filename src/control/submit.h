/* Submitting a commit: import from the proposed repository, risk scan, proposal/N. And taking
 * one back. */
#pragma once

#include "control/hive.h"
#include "control/ledger.h"

/* Called once: the proposal (borrowed), or NULL and why not. already: the same commit was
 * proposed before. */
typedef void (*submit_fn)(struct proposal *proposal, bool already, const struct error *err,
			  void *data);

/*
 * Puts a submission in the agent's line (one import at a time). commit is a full id or an
 * abbreviation, never a branch; description may be NULL and is foreign text. Fails at once for
 * bad arguments or a full quota.
 */
int submit_commit(struct hive *hive, struct agent *agent, const char *commit,
		  const char *description, const struct actor *actor, submit_fn fn, void *data,
		  struct error *err);

/* Refuses all that wait behind the one being imported, whose end finds the agent gone. */
void submit_abandon(struct agent *agent);

/* Withdraws an undecided proposal: cancelled/N. */
int submit_withdraw(struct hive *hive, struct proposal *proposal, const char *note,
		    const struct actor *actor, struct error *err);

/* Records a proposal whose commit is in its home repository already and supersedes the
 * undecided one whose place it takes. */
int submit_record(struct hive *hive, struct proposal *proposal, const struct actor *actor,
		  struct error *err);

/* Cancels what was left undecided for too long; runs hourly, and before a verdict. */
void submit_expire(struct hive *hive);

/* Whether that is what a proposal was cancelled for. */
bool submit_is_expired(const struct proposal *proposal);
