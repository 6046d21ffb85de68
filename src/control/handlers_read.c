/* Verbs that look at the hive and its agents. */
#include "control/dispatch.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "control/container.h"
#include "control/reconcile.h"
#include "control/rows.h"
#include "control/systems.h"
#include "wire/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_OF_AGENT 10

int handle_hello(struct session *s, const json_t *request, struct error *err)
{
	static const char *const features[] = {"code", "bind", "filters", "seq",
					       "wait", "exec", "shell",   "diff"};
	json_t *answer, *list = json_array();

	(void)request;
	(void)err;
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		json_array_append_new(list, json_string(features[i]));
	answer = answer_with("features", list);
	json_object_set_new(answer, "daemon", json_string("skep " SKEP_VERSION));
	session_answer(s, answer);
	return 0;
}

static json_t *count_agents(const struct hive *hive)
{
	int total = 0, running = 0, failed = 0, stopped = 0, paused = 0;

	for (size_t i = 0; i < hive->n_agents; i++) {
		const struct agent *a = hive->agents[i];

		if (a->unborn)
			continue;
		total++;
		running += strcmp(a->state, "running") == 0;
		failed += strcmp(a->state, "failed") == 0;
		stopped += strcmp(a->state, "stopped") == 0;
		paused += a->settings.paused;
	}
	return json_pack("{s:i,s:i,s:i,s:i,s:i}", "total", total, "running", running, "failed",
			 failed, "stopped", stopped, "paused", paused);
}

static json_t *count_proposals(const struct hive *hive)
{
	int pending = 0, building = 0;

	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		pending += proposal_is_pending(hive->proposals[i]);
		building += !proposal_is_pending(hive->proposals[i]) &&
			    !proposal_is_final(hive->proposals[i]);
	}
	return json_pack("{s:i,s:i}", "pending", pending, "building", building);
}

int handle_status(struct session *s, const json_t *request, struct error *err)
{
	const struct hive *hive = s->hive;
	json_t *status = json_object();

	(void)request;
	(void)err;
	json_object_set_new(status, "version", json_string(SKEP_VERSION));
	json_object_set_new(status, "mode", json_string(hive->mode));
	json_object_set_new(status, "uptime_s",
			    json_integer((clock_boot_ms() - hive->started_boot_ms) / 1000));
	if (hive->limits_enforced)
		json_object_set(status, "limits", hive->limits_enforced);
	json_object_set_new(status, "agents", count_agents(hive));
	json_object_set_new(status, "proposals", count_proposals(hive));
	if (!s->agent[0]) {
		json_object_set_new(status, "state_dir", json_string(hive->config->state_dir));
		json_object_set_new(status, "runtime_dir",
				    json_string(hive->config->runtime_dir));
		json_object_set_new(status, "recovered", json_integer(hive->recovered));
	}
	session_answer(s, answer_with("status", status));
	return 0;
}

int handle_list(struct session *s, const json_t *request, struct error *err)
{
	json_t *names = json_array();

	(void)request;
	(void)err;
	for (size_t i = 0; i < s->hive->n_agents; i++)
		if (dispatch_sees(s, s->hive->agents[i]))
			json_array_append_new(names,
					      json_string(s->hive->agents[i]->settings.name));
	session_answer(s, answer_with("agents", names));
	return 0;
}

int handle_agent_status(struct session *s, const json_t *request, struct error *err)
{
	json_t *names = NULL, *labels = NULL, *rows = json_array();
	int r;

	if ((r = json_get_array(request, "names", false, &names, err)) < 0 ||
	    (r = json_get_array(request, "labels", false, &labels, err)) < 0) {
		json_decref(rows);
		return r;
	}
	for (size_t i = 0; i < s->hive->n_agents; i++) {
		const struct agent *a = s->hive->agents[i];

		if (a->unborn || (names && !json_holds(names, a->settings.name)) ||
		    (labels && !agent_has_label(a, labels)))
			continue;
		json_array_append_new(rows, row_agent(s->hive, a));
	}
	session_answer(s, answer_with("agent_statuses", rows));
	return 0;
}

int handle_urls(struct session *s, const json_t *request, struct error *err)
{
	const struct config *config = s->hive->config;
	_cleanup_free_ char *here =
		str_format("http://%s:%u/", config->domain, (unsigned)config->dashboard_port);
	json_t *urls = json_pack("{s:s,s:s}", "domain", config->domain, "home",
				 config->home ? config->home : here);

	(void)request;
	(void)err;
	session_answer(s, answer_with("urls", urls));
	return 0;
}

/* ---- one agent ---- */

/* The probe of the next deploy of what is deployed: the agent's, with the operator's word over
 * it. */
static void put_probe(struct hive *hive, const struct agent *agent, json_t *row)
{
	const struct settings *set = &agent->settings;
	struct manifest manifest;

	if (container_manifest(hive, (struct agent *)agent, set->revision, &manifest, NULL) < 0)
		return;
	if (set->probe)
		(void)probe_lay_over(&manifest.probe, set->probe, NULL);
	json_object_set_new(row, "probe", probe_to_json(&manifest.probe));
	manifest_release(&manifest);
}

static void put_settings(const struct session *s, const struct agent *agent, json_t *row)
{
	const struct settings *set = &agent->settings;
	struct limits limits = container_limits(s->hive, (struct agent *)agent, set->revision);
	_cleanup_free_ char *proposed =
		str_format("%s/proposed/%s", s->hive->config->state_dir, set->name);
	char container[CONTAINER_NAME_SIZE];

	json_object_set_new(row, "container",
			    json_string(name_container(container, set->name)));
	json_object_set_new(row, "port", json_integer(set->port));
	json_object_set_new(row, "uid_base", json_integer(set->uid_base));
	json_object_set_new(row, "driver", json_string(driver_kind_name(set->driver)));
	json_object_set_new(row, "builder", json_string(builder_kind_name(set->builder)));
	json_object_set_new(row, "network",
			    json_string(set->private_network ? "private" : "host"));
	json_object_set_new(row, "reconcile",
			    json_string(reconcile_applies(agent) ? "apply" : "report"));
	json_object_set_new(row, "desired", json_string(set->running ? "running" : "stopped"));
	json_object_set_new(row, "limits", limits_to_json(&limits));
	if (s->hive->limits_enforced)
		json_object_set(row, "limits_enforced", s->hive->limits_enforced);
	json_object_set_new(row, "labels", json_deep_copy(set->labels));
	json_object_set_new(row, "deployed", json_integer(set->deployed));
	json_object_set_new(row, "commit", json_string(set->revision));
	json_object_set_new(row, "settings", settings_to_text(set));
	put_probe(s->hive, agent, row);
	if (!s->agent[0])
		json_object_set_new(row, "proposed_path", json_string(proposed));
}

static void put_container(const struct agent *agent, const char *tree, const char *system,
			  json_t *row)
{
	json_object_set_new(row, "tree", json_string(tree));
	json_put_str(row, "system", system[0] ? system : NULL);
	json_put_str(row, "system_running", agent->system[0] ? agent->system : NULL);
	if (agent->leader > 0)
		json_object_set_new(row, "leader", json_integer(agent->leader));
	json_put_str(row, "boot_state", agent->boot_state[0] ? agent->boot_state : NULL);
	json_object_set_new(row, "failed_units",
			    agent->failed_units ? json_deep_copy(agent->failed_units)
						: json_array());
	json_put_str(row, "exit", agent->exit[0] ? agent->exit : NULL);
}

int handle_agent(struct session *s, const json_t *request, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	json_t *row, *proposals = json_array();
	char tree[OID_HEX_SIZE], system[SYSTEM_SIZE];
	struct agent *agent;
	int r;

	if ((r = dispatch_agent(s, request, "name", &agent, err)) < 0 ||
	    (r = hive_open_applied(s->hive, agent->settings.name, &repo, err)) < 0 ||
	    (r = repo_commit_tree(repo, agent->settings.revision, tree, err)) < 0 ||
	    (r = systems_of(s->hive, agent, agent->settings.deployed, system, err)) < 0) {
		json_decref(proposals);
		return r;
	}
	row = row_agent(s->hive, agent);
	put_settings(s, agent, row);
	put_container(agent, tree, system, row);
	for (size_t i = s->hive->n_proposals;
	     i > 0 && json_array_size(proposals) < ROWS_OF_AGENT; i--)
		if (strcmp(s->hive->proposals[i - 1]->agent, agent->settings.name) == 0)
			json_array_append_new(proposals,
					      row_proposal(s->hive, s->hive->proposals[i - 1]));
	json_object_set_new(row, "proposals", proposals);
	session_answer(s, answer_with("agent", row));
	return 0;
}

int handle_whoami(struct session *s, const json_t *request, struct error *err)
{
	const struct agent *agent = s->agent[0] ? hive_find(s->hive, s->agent) : NULL;
	json_t *answer =
		answer_with("name", json_string(s->agent[0] ? s->agent : s->actor.name));

	(void)request;
	(void)err;
	json_object_set_new(answer, "role", json_string(principal_name(s->who)));
	if (agent) {
		json_put_str(answer, "parent",
			     agent->settings.parent[0] ? agent->settings.parent : NULL);
		json_put_str(answer, "revision",
			     agent->settings.revision[0] ? agent->settings.revision : NULL);
	}
	session_answer(s, answer);
	return 0;
}
