/* The verbs that look at or into running containers. */
#pragma once

#include "host/verb.h"

/* {"agent","argv":[…],"env"?:[…],"user"?,"cwd"?} + 3 descriptors → {"exit_status"} or
 * {"signal"} */
int verb_exec(struct verb_request *request, json_t *answer, struct error *err);

/* {"agent","argv"?:[…],"term"?,"rows"?,"cols"?} → partial {} + terminal, then as exec */
int verb_shell(struct verb_request *request, json_t *answer, struct error *err);

/* {"agent","lines"?,"follow"?,…} (logs.h) + 1 descriptor → {} */
int verb_logs(struct verb_request *request, json_t *answer, struct error *err);

/*
 * {"what":"port","port"} → {"listener"?:{"pid","name","agent"?}} ·
 * {"what":"tcp","agent","port"} → {"open"} ·
 * {"what":"usage","agent"} → {"memory_bytes"?,"cpu_usec"?,"tasks"?,…} (usage_to_json()),
 * without agent {"usage":[{"agent",…}]} of all that run, in several answers when they are many
 * ·
 * {"what":"host"} → {"checks":[{"name","ok","detail","fix"?}]}
 */
int verb_observe(struct verb_request *request, json_t *answer, struct error *err);

/* The leader of an agent's running container; "wrong_state" when it does not run. */
int verb_find_leader(struct verb_request *request, const char *agent, pid_t *ret,
		     struct error *err);

/* {"agent","frozen"} → {"frozen"} */
int verb_freeze(struct verb_request *request, json_t *answer, struct error *err);

/* Lets a container go on that was held still; nothing to do otherwise. */
int freeze_thaw(struct verb_request *request, const char *agent, struct error *err);
