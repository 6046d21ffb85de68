/*
 * Requests: proposals about the hive itself, not about a commit of an agent's repository. Their
 * tags and their commit are in meta: the commit is agents.json as it would become, so that the
 * difference an operator reads is what is asked for.
 */
#pragma once

#include "control/lifecycle.h"

/*
 * Proposes to spawn an agent. Everything a spawn checks is checked now, and port and ids are
 * chosen and kept for it. *ret is the hive's.
 */
int request_spawn(struct hive *hive, const struct spawn_request *wanted,
		  const char *description, const struct actor *actor, struct proposal **ret,
		  struct error *err);

/*
 * Proposes to make an agent from deployed/K of another (K < 0: what it runs now): the same
 * commit, the same settings with a port and ids of its own, and with_state a copy of what it
 * keeps. *ret is the hive's.
 */
int request_fork(struct hive *hive, const struct agent *from, const char *name,
		 int64_t deployed, bool with_state, const char *description,
		 const struct actor *actor, struct proposal **ret, struct error *err);

/* Whether there is room for another request with this description (NULL: none); counts it. */
int request_check_room(struct hive *hive, const char *description, struct error *err);

/* Records a request (taken over) whose commit is in meta. *ret is the hive's. */
int request_record(struct hive *hive, struct proposal *proposal, const char *description,
		   const struct actor *actor, struct proposal **ret, struct error *err);

/*
 * Renames an agent: a request that is approved at once by the operator who asks. *ret is the
 * hive's.
 */
int request_rename(struct hive *hive, struct agent *agent, const char *name, const char *note,
		   const struct actor *actor, struct proposal **ret, struct op **ret_op,
		   struct error *err);

/* Whether a rename of this agent is owed: nothing else is to be done with it before. */
bool request_moves(const struct hive *hive, const char *agent);

/* The settings a request was shown with; -ENOENT when it has none. The caller releases them. */
int request_settings(const struct proposal *proposal, struct settings *ret, struct error *err);

/* Whether an undecided request still can be carried out as it was shown. -EEXIST says why not.
 */
int request_check(const struct hive *hive, const struct proposal *proposal, struct error *err);

/* Marks those stale that cannot any more. */
void request_mark_stale(struct hive *hive);

/* Puts an approved request in line. NULL actor: the controller resumes what was owed. */
struct op *request_carry_out(struct hive *hive, struct proposal *proposal,
			     const struct actor *actor);

/* After a start: carries out what was approved and has no outcome. */
void request_resume(struct hive *hive);
