#include "control/rows.h"

#include "wire/view.h"

#include <string.h>

#define DAY_S 86400

json_t *row_agent(const struct hive *hive, const struct agent *agent)
{
	const struct proposal *open = hive_open_proposal(hive, agent->settings.name);
	struct agent_facts facts = {
		.running = strcmp(agent->state, "running") == 0,
		.failed = strcmp(agent->state, "failed") == 0,
		.state = agent->state,
		.frozen = agent->frozen,
		.needs_update = open != NULL,
		.status_text = agent->status_text,
		.status_set_at = agent->status_set_at,
		.open_proposal = open ? open->id : 0,
		.downtime_ms = agent->downtime_ms,
	};

	return view_agent(&agent->settings, &facts);
}

json_t *row_proposal(const struct hive *hive, const struct proposal *p)
{
	return view_proposal(p, p->requested_at + hive->config->proposal_days * DAY_S);
}

json_t *rows_agents(const struct hive *hive)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < hive->n_agents; i++)
		if (!hive->agents[i]->unborn)
			json_array_append_new(rows, row_agent(hive, hive->agents[i]));
	return rows;
}

json_t *rows_pending(const struct hive *hive)
{
	json_t *rows = json_array();

	for (size_t i = hive->first_open; i < hive->n_proposals; i++)
		if (proposal_is_pending(hive->proposals[i]))
			json_array_append_new(rows, row_proposal(hive, hive->proposals[i]));
	return rows;
}
