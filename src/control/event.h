/*
 * What happens, told to subscribers. Each line has a number; the newest are remembered, so that
 * a reader can come back; one that is too slow gets an explicit resync and a fresh snapshot,
 * never silence.
 */
#pragma once

#include "control/hive.h"

struct events;
struct session;
struct subscriber;

/* Numbers begin after first, which must be higher at every start of the daemon. */
struct events *events_new(int64_t first);
void events_free(struct events *events);

/* An agent's row changed (or did not: then nothing is told). */
void event_agent(struct hive *hive, struct agent *agent);

/* An agent is gone. */
void event_removed(struct hive *hive, const char *name);

/* A proposal is new or changed its state. */
void event_proposal(struct hive *hive, const struct proposal *proposal);

/* A difference (a row of drift) came, changed, or went. */
void event_drift(struct hive *hive, const json_t *row, bool gone);

struct subscription {
	bool extended; /* numbered lines of every kind, not only agents' rows */
	bool snapshot;
	int64_t since;        /* −1: from now on */
	int64_t heartbeat_ms; /* 0: none */
	const json_t *kinds;  /* array of strings; NULL: all */
};

/* Begins to tell a session; the subscriber is the session's until event_unsubscribe(). */
struct subscriber *event_subscribe(struct hive *hive, struct session *session,
				   const struct subscription *what);
void event_unsubscribe(struct hive *hive, struct subscriber *subscriber);

/* Everything that was queued for the session is out: what waited can go. */
void event_drained(struct hive *hive, struct subscriber *subscriber);
