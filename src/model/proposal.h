/* Proposals: their states, and how the record's tags add up to one. */
#pragma once

#include "base/error.h"
#include "model/flags.h"
#include "model/names.h"
#include "model/oid.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What is proposed. */
enum proposal_kind {
	PROPOSAL_APPLY_COMMIT,  /* a commit of the agent's repository, which holds its tags */
	PROPOSAL_SPAWN,         /* a new agent: no repository yet, so the tags are in meta */
	PROPOSAL_FORK,          /* one made from what another agent has deployed */
	PROPOSAL_RENAME,        /* another name for an agent, which is the proposal's */
	PROPOSAL_UPDATE_INPUTS, /* newer inputs for all that Nix builds: of no agent ("") */
};
#define PROPOSAL_KIND_COUNT (PROPOSAL_UPDATE_INPUTS + 1)

/* In the order of strength: the state of N is the strongest tag it has. */
enum proposal_state {
	PROPOSAL_REVIEW,   /* proposal/N, and the checks are done */
	PROPOSAL_APPROVED, /* approved/N: a build is owed */
	PROPOSAL_BUILDING, /* building/N: an attempt was begun */
	PROPOSAL_CANCELLED,
	PROPOSAL_SUPERSEDED,
	PROPOSAL_STALE,
	PROPOSAL_DENIED,
	PROPOSAL_FAILED,
	PROPOSAL_DEPLOYED,
};
#define PROPOSAL_STATE_COUNT (PROPOSAL_DEPLOYED + 1)

#define DESCRIPTION_MAX_BYTES 2048
#define NOTE_MAX_BYTES 2048
#define IDEM_KEY_MAX_BYTES 64

struct proposal {
	int64_t id;
	enum proposal_kind kind;
	char agent[AGENT_NAME_MAX + 1];
	enum proposal_state state;
	bool deploying; /* built and being switched to: in memory only */
	char commit[OID_HEX_SIZE], tree[OID_HEX_SIZE]; /* in its home repository */
	char base[OID_HEX_SIZE];  /* the commit deployed at submit; "" before the first */
	json_t *payload;          /* what a kind needs beside its commit, owned; NULL: none */
	char *submitter;          /* agent's or operator's name */
	char *description, *note; /* cleaned; may be NULL */
	char *title;              /* first line of the commit message, cleaned */
	int64_t requested_at, resolved_at; /* wall seconds; 0 when not yet */
	int64_t rollback_of; /* K of deployed/K this goes back to; −1: an ordinary proposal */
	struct flags flags;  /* once there is an outcome: the first of each kind */
	char *idem_key;      /* of the verdict; NULL */
	char *approved_by;
	int64_t building_ms; /* when its build began, on a clock that only counts; 0: not here
			      */
};

struct proposal *proposal_new(int64_t id, const char *agent);
void proposal_free(struct proposal *proposal);
static inline void proposal_freep(struct proposal **proposal)
{
	proposal_free(*proposal);
}

/* "apply_commit", "spawn", … */
const char *proposal_kind_name(enum proposal_kind kind);
int proposal_parse_kind(const char *name, enum proposal_kind *ret);

/* Its tags are in meta: it is about the hive, not about an agent's repository. */
bool proposal_is_of_hive(const struct proposal *proposal);

/* An undecided proposal has no place beside a newer one of the same subject. */
bool proposal_replaces(const struct proposal *newer, const struct proposal *older);

/* The tag family of a state: "proposal", "approved", "deployed", … */
const char *proposal_tag_family(enum proposal_state state);

/* Splits "refs/tags/approved/42" into state and id. -EINVAL when it is not one of ours. */
int proposal_parse_ref(const char *ref, enum proposal_state *ret_state, int64_t *ret_id);

/* Our word for it ("needs-review", "deploying", …) and hyperhive's ("pending", "approved", …).
 */
const char *proposal_state_name(const struct proposal *proposal);
const char *proposal_status_name(const struct proposal *proposal);

/* Nothing is owed any more: denied, failed, deployed, stale, superseded or cancelled. */
bool proposal_is_final(const struct proposal *proposal);

/* An operator can still decide. */
bool proposal_is_pending(const struct proposal *proposal);
