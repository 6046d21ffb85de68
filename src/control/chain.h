/* Every record tag of the hive in the order of its chain, read afresh from the repositories. */
#pragma once

#include "control/hive.h"

struct chain_entry {
	int64_t seq, id, wall_s;
	enum proposal_state state;
	char agent[AGENT_NAME_MAX + 1];
	char oid[OID_HEX_SIZE], target[OID_HEX_SIZE];
	char *message;
	bool is_named_so; /* the tag itself says what its reference does */
};

struct chain {
	struct chain_entry *entries; /* ascending Skep-Seq */
	size_t count;
};

/* Reads applied repositories, meta, and the tags that purges left there. The caller calls
 * chain_release(). */
int chain_read(struct hive *hive, struct chain *ret, struct error *err);
void chain_release(struct chain *chain);
