#include "control/rows.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "wire/view.h"

#include <string.h>

#define DAY_S 86400

/*
 * The agent's own web page, on its port. Never by the dashboard's own address: a browser sends
 * a host's cookies to all of its ports (RFC 6265, 8.5).
 */
static char *page_of(const struct hive *hive, const struct settings *settings)
{
	if (settings->private_network || settings->port == 0 ||
	    strcmp(hive->config->domain, "127.0.0.1") == 0)
		return NULL;
	return str_format("http://%s:%u/", hive->config->domain, (unsigned)settings->port);
}

json_t *row_agent(const struct hive *hive, const struct agent *agent)
{
	const struct proposal *open = hive_open_proposal(hive, agent->settings.name);
	_cleanup_free_ char *url = page_of(hive, &agent->settings);
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
		.up_since = agent->up_since,
		.url = url,
		.drift = agent->drift,
	};

	return view_agent(&agent->settings, &facts);
}

/* Who took its place; 0 when that is not known any more. */
static int64_t find_successor(const struct hive *hive, const struct proposal *p)
{
	for (size_t i = hive_proposals_after(hive, p->id); i < hive->n_proposals; i++)
		if (proposal_replaces(hive->proposals[i], p))
			return hive->proposals[i]->id;
	return 0;
}

/* The deploy that brought the commit it was proposed on; 0: what the agent began with. */
static int64_t find_base(const struct hive *hive, const struct proposal *p)
{
	for (size_t i = hive_proposals_after(hive, p->id); i > 0; i--) {
		const struct proposal *other = hive->proposals[i - 1];

		if (other->id < p->id && other->state == PROPOSAL_DEPLOYED &&
		    strcmp(other->agent, p->agent) == 0 && strcmp(other->commit, p->base) == 0)
			return other->id;
	}
	return 0;
}

/* What is there now in place of what it was proposed on: two deploys, to be compared. */
static void put_moved(const struct hive *hive, const struct proposal *p, json_t *row)
{
	const struct agent *agent = hive_find(hive, p->agent);
	bool open = proposal_is_pending(p);

	if (!agent || proposal_is_of_hive(p) || !(open || p->state == PROPOSAL_STALE) ||
	    strcmp(agent->settings.revision, p->base) == 0)
		return;
	json_object_set_new(row, "moved",
			    json_pack("{s:I,s:I,s:s}", "from", (json_int_t)find_base(hive, p),
				      "to", (json_int_t)agent->settings.deployed, "commit",
				      agent->settings.revision));
}

json_t *row_proposal(const struct hive *hive, const struct proposal *p)
{
	json_t *row = view_proposal(p, p->requested_at + hive->config->proposal_days * DAY_S);
	int64_t successor = p->state == PROPOSAL_SUPERSEDED ? find_successor(hive, p) : 0;

	if (successor > 0)
		json_object_set_new(row, "superseded_by", json_integer(successor));
	put_moved(hive, p, row);
	return row;
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
