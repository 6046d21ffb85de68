/*
 * Drift: the differences between what is wanted of an agent (agents.json, tags) and what was
 * found of its container. Finding and remembering them; doing something about them is
 * control/heal.h.
 */
#pragma once

#include "control/hive.h"

#include <jansson.h>

/* A container that ends so often in a row is in a crash loop. */
#define CRASH_LOOP 3

/* Takes note of how often systemd restarted the container by itself, from an entry of
 * `inspect`. */
void drift_note_restarts(struct agent *agent, const json_t *entry);

/*
 * Compares an agent with its entry of `inspect` (NULL: it has no container). *ret is a new list
 * of
 * {"field","want","have"}. 1: the entry does not say enough: `inspect` of this one agent does.
 * < 0: something could not be read; nothing may be concluded then.
 */
int drift_compare(struct hive *hive, struct agent *agent, const json_t *entry, json_t **ret,
		  struct error *err);

/*
 * Makes found (taken over) what is known to differ of agent: a difference that was known keeps
 * the time since when, subscribers hear of what came and went.
 */
void drift_found(struct hive *hive, const char *agent, json_t **known, json_t *found);

/* The commit that is wanted of it failed after it was deployed last: nothing starts it by
 * itself. */
bool drift_is_quarantined(const struct agent *agent);

/* Whether this field is known to differ. */
bool drift_names(const struct agent *agent, const char *field);

/* Everything that differs now, of one agent or (NULL) of all. The caller owns it. */
json_t *drift_rows(const struct hive *hive, const char *agent);
