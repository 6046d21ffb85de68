/* A plan for people: what would change, agent by agent and setting by setting. */
#pragma once

#include "skep/out.h"

#include <jansson.h>

/* One block per agent that would change; plain: a line per change, tab-separated. */
void plan_print(struct out *out, const json_t *plan, bool plain);

/* How many agents would be made, changed or removed. */
int64_t plan_changes(const json_t *plan);

/* "2 to create, 1 to change, 0 to remove, 5 as declared"; the caller frees. */
char *plan_summary(const json_t *plan);
