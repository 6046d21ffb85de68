/* One request about several agents: answered once, when all of them are done. */
#pragma once

#include "control/session.h"

struct group;

/* names (taken over) are the answer's "touched". It waits for group_started() at least. */
struct group *group_new(struct session *session, json_t *names);

/* One more thing to wait for. */
void group_begin(struct group *group);

/* One of them is done; the first that failed (err not NULL) is what the answer tells. */
void group_end(struct group *group, const char *agent, const struct error *err);

/* All has begun; the answer may go at once. Not to be used any more by who began it. */
void group_started(struct group *group);
