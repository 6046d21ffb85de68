/*
 * Which proposals each operator has looked at, so that a later one can be compared with the
 * last he knows. Kept by uid in <state>/audit/seen.json; losing it costs nobody more than a
 * longer diff.
 */
#pragma once

#include "control/session.h"

struct seen;

struct seen *seen_open(struct hive *hive);
void seen_close(struct seen *seen);

/* The operator behind this session looks at it now. */
void seen_mark(struct session *session, const struct proposal *proposal);

/* The newest proposal of the same agent before this one that he has looked at; 0: none. */
int64_t seen_before(const struct session *session, const struct proposal *proposal);

/* He decides on it now: for the metrics. */
void seen_decided(const struct session *session, const struct proposal *proposal);

/* Adds what is known to a proposal's row: "seen_at", and "seen_before" with the number of the
 * one before it. */
void seen_put(const struct session *session, const struct proposal *proposal, json_t *row);
