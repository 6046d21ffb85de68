/* The view model of drift: a difference between what is wanted and what is. */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* {"agent","field","want","have","since"}; since is wall time in seconds. The caller owns it.
 */
json_t *view_difference(const char *agent, const char *field, const char *want,
			const char *have, int64_t since);

/* The fields that differ, of a list of such rows, for an agent's row: "system, port". The
 * caller owns it. */
json_t *view_drift_summary(const json_t *rows);
