/*
 * The record: annotated tags in the agents' applied repositories, chained hive-wide by Skep-Seq
 * and Skep-Prev. One writer, one order; a call returns when the tag is on disk.
 */
#pragma once

#include "control/hive.h"
#include "model/entry.h"

/* Who did something and through which channel: "uid 0" over "operator", "hm1nd" over "manager".
 */
struct actor {
	char name[AGENT_NAME_MAX + 16];
	const char *channel;
};

/*
 * Adds the chain's trailers to record, writes <family>/<id> on target in the agent's applied
 * repository (of_hive: in meta), and moves the chain's head. -EEXIST when the tag is there
 * already.
 */
int ledger_write(struct hive *hive, const char *agent, bool of_hive, enum proposal_state family,
		 int64_t id, const char *target, struct entry *entry, struct error *err);

/* The same in a repository that has no place yet, of something that happened at wall_s. */
int ledger_write_to(struct hive *hive, struct repo *repo, const char *agent,
		    enum proposal_state family, int64_t id, const char *target,
		    struct entry *entry, int64_t wall_s, struct error *err);

/* Records a new proposal under the next number; sets proposal->id and adds it to the hive
 * (which then owns it). */
int ledger_propose(struct hive *hive, struct proposal *proposal, const struct actor *actor,
		   struct error *err);

/* What a verdict says beside its state. */
struct verdict {
	const struct actor *actor;        /* NULL: the controller itself */
	const char *note;                 /* body of the tag; NULL */
	const char *idem_key;             /* NULL */
	const json_t *acks;               /* array of flag names; NULL */
	const char *system, *meta_commit; /* of a deploy; NULL */
	int64_t build_ms, downtime_ms;    /* −1: not known */
};

/* Writes the tag that takes proposal to state and updates it in memory. */
int ledger_decide(struct hive *hive, struct proposal *proposal, enum proposal_state state,
		  const struct verdict *verdict, struct error *err);

/* Marks an attempt to build (lightweight, not part of the chain). A mark that is there already
 * is success. */
int ledger_mark_building(struct hive *hive, struct proposal *proposal, struct error *err);

/* Fills in a proposal from one of its tags' messages. */
void ledger_read(struct proposal *proposal, enum proposal_state state,
		 const struct trailers *trailers, int64_t wall_s);

/*
 * Marks every proposal for the agent's repository without an outcome stale whose base is not
 * what runs now. One whose deploy was begun is no exception: what it was approved on is gone.
 */
void ledger_mark_stale(struct hive *hive, struct agent *agent);
