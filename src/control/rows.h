/* Rows of the view model for what is in the hive. The caller owns what comes back. */
#pragma once

#include "control/hive.h"

#include <jansson.h>

json_t *row_agent(const struct hive *hive, const struct agent *agent);
json_t *row_proposal(const struct hive *hive, const struct proposal *proposal);

/* All agents' rows, sorted by name; unborn ones are left out. */
json_t *rows_agents(const struct hive *hive);

/* The undecided proposals' rows, ascending. */
json_t *rows_pending(const struct hive *hive);
