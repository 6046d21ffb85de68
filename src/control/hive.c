#include "control/hive.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "control/generation.h"
#include "control/metering.h"
#include "control/preview.h"
#include "control/tidy.h"
#include "host/spec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct hive *hive_new(struct loop *loop, const struct config *config, int64_t (*wall_s)(void))
{
	struct hive *hive = mem_new(1, sizeof(*hive));

	hive->loop = loop;
	hive->wall_s = wall_s;
	hive->boot_ms = clock_boot_ms;
	hive->config = config;
	/* not by its path: who started us may be able to walk it and we not */
	hive->workers = zygote_new("/proc/self/exe", "skepd");
	hive->templates_fd = -1;
	hive->lock = lock_new();
	hive->declared = json_object();
	hive->builds.limit = config->max_builds;
	hive->starts.limit = config->max_starts;
	hive->started_boot_ms = clock_boot_ms();
	snprintf(hive->mode, sizeof(hive->mode), "unknown");
	return hive;
}

static void agent_free(struct agent *agent)
{
	settings_release(&agent->settings);
	if (agent->recorded)
		settings_release(agent->recorded);
	free(agent->recorded);
	json_decref(agent->failed_units);
	json_decref(agent->drift);
	free(agent->healed);
	free(agent->status_text);
	free(agent->last_row);
	free(agent->usage);
	timer_cancel(agent->owed_timer);
	watch_free(agent->listen_watch);
	timer_cancel(agent->listen_pause);
	closep(&agent->listen_fd);
	free(agent);
}

void hive_free(struct hive *hive)
{
	if (!hive)
		return;
	for (size_t i = 0; i < hive->n_agents; i++)
		agent_free(hive->agents[i]);
	for (size_t i = 0; i < hive->n_proposals; i++)
		proposal_free(hive->proposals[i]);
	metering_free(hive->metering);
	tidying_free(hive->tidying);
	timer_cancel(hive->expiry);
	json_decref(hive->limits_enforced);
	free(hive->agents);
	free(hive->kept);
	free(hive->proposals);
	zygote_free(hive->workers);
	free(hive->doubt.dir);
	previews_free(hive);
	json_decref(hive->inputs);
	json_decref(hive->declared);
	generation_free(hive->generation);
	lock_free(hive->lock);
	free(hive->flake_template);
	closep(&hive->templates_fd);
	free(hive);
}

void hive_quiet(struct hive *hive)
{
	preview_look(hive);
	if (!hive->stopping || !hive->on_quiet)
		return;
	for (size_t i = 0; i < hive->n_agents; i++)
		if (hive->agents[i]->ops)
			return;
	hive->on_quiet(hive);
}

/* Where name is or belongs. */
static size_t agent_index(const struct hive *hive, const char *name)
{
	size_t low = 0, high = hive->n_agents;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(hive->agents[middle]->settings.name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct agent *hive_find(const struct hive *hive, const char *name)
{
	size_t i = agent_index(hive, name);

	if (i < hive->n_agents && strcmp(hive->agents[i]->settings.name, name) == 0)
		return hive->agents[i];
	return NULL;
}

int hive_get(const struct hive *hive, const char *name, struct agent **ret, struct error *err)
{
	struct agent *agent;
	int r = name_check(name, err);

	if (r < 0)
		return r;
	agent = hive_find(hive, name);
	if (!agent || agent->unborn) {
		r = error_set(err, ENOENT, "no agent '%s'", name);
		if (hive_find_kept(hive, name))
			error_hint(err, "it was destroyed and its state kept: skep spawn %s",
				   name);
		else
			error_hint(err, "skep list");
		return r;
	}
	*ret = agent;
	return 0;
}

static size_t proposal_index(const struct hive *hive, int64_t id)
{
	size_t low = 0, high = hive->n_proposals;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (hive->proposals[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t hive_proposals_after(const struct hive *hive, int64_t id)
{
	return proposal_index(hive, id + 1);
}

struct proposal *hive_find_proposal(const struct hive *hive, int64_t id)
{
	size_t i = proposal_index(hive, id);

	return i < hive->n_proposals && hive->proposals[i]->id == id ? hive->proposals[i]
								     : NULL;
}

int hive_get_proposal(const struct hive *hive, int64_t id, struct proposal **ret,
		      struct error *err)
{
	struct proposal *proposal = hive_find_proposal(hive, id);

	if (!proposal) {
		int r = error_set(err, ENOENT, "no proposal %" PRId64, id);

		error_hint(err, "skep proposals --state all");
		return r;
	}
	*ret = proposal;
	return 0;
}

struct agent *hive_add(struct hive *hive, struct settings *settings)
{
	struct agent *agent = mem_new(1, sizeof(*agent));
	size_t i = agent_index(hive, settings->name);

	agent->hive = hive;
	agent->settings = *settings;
	*settings = (struct settings){};
	agent->listen_fd = -1;
	agent->downtime_ms = -1;
	snprintf(agent->state, sizeof(agent->state), "unknown");
	hive->agents = mem_grow(hive->agents, hive->n_agents + 1, sizeof(*hive->agents));
	memmove(hive->agents + i + 1, hive->agents + i,
		(hive->n_agents - i) * sizeof(*hive->agents));
	hive->agents[i] = agent;
	hive->n_agents++;
	return agent;
}

void hive_rename(struct hive *hive, struct agent *agent, const char *name)
{
	char old[AGENT_NAME_MAX + 1];
	size_t i = 0;

	memcpy(old, agent->settings.name, sizeof(old));
	while (hive->agents[i] != agent)
		i++;
	memmove(hive->agents + i, hive->agents + i + 1,
		(hive->n_agents - i - 1) * sizeof(*hive->agents));
	hive->n_agents--;
	i = agent_index(hive, name);
	memmove(hive->agents + i + 1, hive->agents + i,
		(hive->n_agents - i) * sizeof(*hive->agents));
	hive->agents[i] = agent;
	hive->n_agents++;
	snprintf(agent->settings.name, sizeof(agent->settings.name), "%s", name);
	for (i = 0; i < hive->n_agents; i++) {
		struct settings *s = &hive->agents[i]->settings;

		if (strcmp(s->parent, old) == 0)
			snprintf(s->parent, sizeof(s->parent), "%s", name);
	}
	for (i = 0; i < hive->n_proposals; i++) {
		struct proposal *p = hive->proposals[i];

		if (!proposal_is_of_hive(p) && strcmp(p->agent, old) == 0)
			snprintf(p->agent, sizeof(p->agent), "%s", name);
	}
}

bool agent_has_label(const struct agent *agent, const json_t *wanted)
{
	const char *key;
	json_t *value;

	json_object_foreach (agent->settings.labels, key, value) {
		_cleanup_free_ char *both = str_format("%s=%s", key, json_string_value(value));

		if (json_holds(wanted, key) || json_holds(wanted, both))
			return true;
	}
	return false;
}

void hive_remove(struct hive *hive, struct agent *agent)
{
	size_t i = agent_index(hive, agent->settings.name);

	memmove(hive->agents + i, hive->agents + i + 1,
		(hive->n_agents - i - 1) * sizeof(*hive->agents));
	hive->n_agents--;
	agent_free(agent);
}

void hive_add_proposal(struct hive *hive, struct proposal *proposal)
{
	size_t i = proposal_index(hive, proposal->id);

	hive->proposals =
		mem_grow(hive->proposals, hive->n_proposals + 1, sizeof(*hive->proposals));
	memmove(hive->proposals + i + 1, hive->proposals + i,
		(hive->n_proposals - i) * sizeof(*hive->proposals));
	hive->proposals[i] = proposal;
	hive->n_proposals++;
	if (i < hive->first_open)
		hive->first_open = i;
	if (proposal->id > hive->last_id)
		hive->last_id = proposal->id;
}

void hive_drop_proposals(struct hive *hive, const char *agent)
{
	size_t n = 0;

	for (size_t i = 0; i < hive->n_proposals; i++) {
		if (!proposal_is_of_hive(hive->proposals[i]) &&
		    strcmp(hive->proposals[i]->agent, agent) == 0)
			proposal_free(hive->proposals[i]);
		else
			hive->proposals[n++] = hive->proposals[i];
	}
	hive->n_proposals = n;
	hive->first_open = 0;
	hive_proposals_decided(hive);
}

void hive_proposals_decided(struct hive *hive)
{
	while (hive->first_open < hive->n_proposals &&
	       proposal_is_final(hive->proposals[hive->first_open]))
		hive->first_open++;
}

struct proposal *hive_open_proposal(const struct hive *hive, const char *agent)
{
	for (size_t i = hive->n_proposals; i > hive->first_open; i--) {
		struct proposal *p = hive->proposals[i - 1];

		if (proposal_is_pending(p) && !proposal_is_of_hive(p) &&
		    strcmp(p->agent, agent) == 0)
			return p;
	}
	return NULL;
}

struct proposal *hive_find_replaced(const struct hive *hive, const struct proposal *newer)
{
	for (size_t i = hive->n_proposals; i > hive->first_open; i--) {
		struct proposal *p = hive->proposals[i - 1];

		if (proposal_is_pending(p) && proposal_replaces(newer, p))
			return p;
	}
	return NULL;
}

struct kept *hive_find_kept(const struct hive *hive, const char *name)
{
	for (size_t i = 0; i < hive->n_kept; i++)
		if (strcmp(hive->kept[i].name, name) == 0)
			return &hive->kept[i];
	return NULL;
}

void hive_keep(struct hive *hive, const char *name, uint16_t port, uid_t uid_base)
{
	struct kept *kept = hive_find_kept(hive, name);

	if (!kept) {
		hive->kept = mem_grow(hive->kept, hive->n_kept + 1, sizeof(*hive->kept));
		kept = &hive->kept[hive->n_kept++];
	}
	*kept = (struct kept){.port = port, .uid_base = uid_base};
	snprintf(kept->name, sizeof(kept->name), "%s", name);
}

void hive_unkeep(struct hive *hive, const char *name)
{
	struct kept *kept = hive_find_kept(hive, name);

	if (kept)
		*kept = hive->kept[--hive->n_kept];
}

uid_t hive_manager_uid(void)
{
	return UID_BASE_FIRST;
}

char *hive_applied_dir(const struct hive *hive, const char *agent)
{
	return str_format("%s/applied/%s", hive->config->state_dir, agent);
}

char *hive_meta_dir(const struct hive *hive)
{
	return str_format("%s/meta", hive->config->state_dir);
}

char *hive_tagbook_path(const struct hive *hive)
{
	return str_format("%s/audit/tags", hive->config->state_dir);
}

char *hive_log_path(const struct hive *hive, int64_t id)
{
	return str_format("%s/logs/%" PRId64 ".log", hive->config->state_dir, id);
}

int hive_open_applied(const struct hive *hive, const char *agent, struct repo **ret,
		      struct error *err)
{
	_cleanup_free_ char *dir = hive_applied_dir(hive, agent);

	return repo_open(dir, ret, err);
}

char *hive_home_dir(const struct hive *hive, const struct proposal *p)
{
	return proposal_is_of_hive(p) ? hive_meta_dir(hive) : hive_applied_dir(hive, p->agent);
}

int hive_open_home(const struct hive *hive, const struct proposal *p, struct repo **ret,
		   struct error *err)
{
	_cleanup_free_ char *dir = hive_home_dir(hive, p);

	return repo_open(dir, ret, err);
}
