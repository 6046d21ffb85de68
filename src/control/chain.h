/* Every record tag of the hive in the order of its chain. */
#pragma once

#include "control/hive.h"
#include "git/tagbook.h"

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

/*
 * Reads applied repositories, meta, and the tags that purges left there. book: what it knows is
 * not read again; NULL: every tag is read from its repository. The caller calls
 * chain_release().
 */
int chain_read(struct hive *hive, struct tagbook *book, struct chain *ret, struct error *err);
void chain_release(struct chain *chain);
