/*
 * Numbers about the hive for a monitoring system: what is counted as it happens, and what is
 * read off when somebody asks. Labels are states, flags, channels and agents' names: bounded.
 */
#pragma once

#include "control/hive.h"
#include "control/ledger.h"

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* A proposal is new; or a tag took it from a state to the one it has now. */
void metrics_proposed(struct hive *hive, const struct proposal *proposal);
void metrics_decided(struct hive *hive, const struct proposal *proposal,
		     enum proposal_state from, const struct verdict *verdict);

/* An operator looked at it first wall seconds ago and decided now. */
void metrics_viewed(struct hive *hive, int64_t seconds);

/* A reference of the record was written and is on disk. */
void metrics_fsync(struct hive *hive, int64_t usec);

/*
 * All of them, an array owned by the caller:
 * {"name","help","type","samples":[{"labels":{…},"value", "suffix"?}]}. suffix ("_bucket",
 * "_sum", "_count") goes behind the name of a histogram's samples.
 */
json_t *metrics_read(const struct hive *hive);
