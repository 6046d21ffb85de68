/* What the controller tells skep-exec of a container, and what it hears back. */
#pragma once

#include "control/hive.h"
#include "model/manifest.h"

#include <jansson.h>

/* agent.json of a commit of the agent's applied repository; what is absent has its defaults.
 * The caller releases it. */
int container_manifest(struct hive *hive, struct agent *agent, const char *commit,
		       struct manifest *ret, struct error *err);

/* The SPEC object for running commit (whose tree is the system) as this agent. The caller owns
 * it. */
int container_spec(struct hive *hive, struct agent *agent, const char *commit,
		   const char *system, json_t **ret, struct error *err);

/* The limits in force: the operator's, the agent's wish as deployed, the hive's default. */
struct limits container_limits(struct hive *hive, struct agent *agent, const char *commit);

/* Takes over what an entry of `inspect` or a container event says of an agent; tells
 * subscribers when it changed. */
void container_seen(struct hive *hive, struct agent *agent, const json_t *entry);

/* The same of one whose container was just stopped. */
void container_seen_stopped(struct hive *hive, struct agent *agent);

/* The same of every agent, from the answer to an `inspect` of all: one that is not listed is
 * stopped. */
void container_seen_all(struct hive *hive, const json_t *answer);

/* The entry of one agent in an inspect answer, NULL when there is none. */
const json_t *container_entry(const json_t *answer, const char *agent);

/* Arguments of "stop": with the seconds a container has to halt in (0: as configured). */
json_t *container_stop_arguments(const struct agent *agent, int64_t seconds);

/* "agent" alone, or with more keys merged in (stolen; may be NULL): arguments of a verb. */
json_t *container_arguments(const struct agent *agent, json_t *more);
