#include "control/drift.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "control/container.h"
#include "control/event.h"
#include "control/journal.h"
#include "control/owed.h"
#include "control/reconcile.h"
#include "control/systems.h"
#include "git/refs.h"
#include "host/spec.h"
#include "wire/view_drift.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define SHOWN_MAX 200
#define STEADY_MS 600000 /* restarts before that are history */
#define DETAIL 1

static void add(json_t *list, const char *field, const char *want, const char *have)
{
	json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "field", field, "want", want,
					      "have", have));
}

/* ---- the container against the record ---- */

static bool is_up(const char *state)
{
	return strcmp(state, "running") == 0 || strcmp(state, "starting") == 0;
}

static void compare_power(const struct agent *agent, const json_t *entry, const char *state,
			  json_t *list)
{
	const char *exit = json_string_value(json_object_get(entry, "exit"));
	_cleanup_free_ char *have = exit ? str_format("%s: %s", state, exit) : str_dup(state);

	if (agent->settings.running != is_up(state))
		add(list, "state", agent->settings.running ? "running" : "stopped", have);
}

/* Text of any value of a specification, for people. */
static char *value_text(const char *key, const json_t *value)
{
	char memory[24];

	if (json_is_string(value))
		return text_clean_dup(json_string_value(value), SHOWN_MAX, false);
	if (strcmp(key, "memory_max_bytes") == 0 && json_is_integer(value))
		return str_dup(limit_format_memory(memory, json_integer_value(value)));
	if (json_is_integer(value))
		return str_format("%lld%s", (long long)json_integer_value(value),
				  strcmp(key, "cpu_quota_percent") == 0 ? "%" : "");
	return str_dup(value ? "something else" : "nothing");
}

static void compare_value(const char *field, const char *key, const json_t *want,
			  const json_t *have, json_t *list)
{
	_cleanup_free_ char *w = value_text(key, want), *h = value_text(key, have);

	/* a key that neither has is no difference */
	if ((want || have) && !json_equal((json_t *)want, (json_t *)have))
		add(list, field, w, h);
}

static const char *env_value(const json_t *env, const char *entry)
{
	size_t size = strcspn(entry, "=") + 1, i;
	json_t *item;

	json_array_foreach ((json_t *)env, i, item) {
		const char *other = json_string_value(item);

		if (other && strncmp(other, entry, size) == 0)
			return other + size;
	}
	return NULL;
}

/* Those of one list that the other has differently or, with missing, not at all. */
static void compare_env(const json_t *one, const json_t *other, bool missing, json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach ((json_t *)one, i, item) {
		const char *entry = json_string_value(item);
		size_t name = strcspn(entry, "=");
		const char *value = entry + name + 1, *found = env_value(other, entry);
		_cleanup_free_ char *field = str_format("env %.*s", (int)name, entry);
		_cleanup_free_ char *shown = text_clean_dup(value, SHOWN_MAX, false);
		_cleanup_free_ char *clean =
			text_clean_dup(found ? found : "nothing", SHOWN_MAX, false);

		if (missing && !found)
			add(list, field, "nothing", shown);
		else if (!missing && (!found || strcmp(found, value) != 0))
			add(list, field, shown, clean);
	}
}

static bool is_listed(const json_t *list, const char *field)
{
	json_t *row;
	size_t i;

	json_array_foreach ((json_t *)list, i, row)
		if (strcmp(json_string_value(json_object_get(row, "field")), field) == 0)
			return true;
	return false;
}

static void compare_specs(const json_t *want, const json_t *have, json_t *list)
{
	static const char *const plain[] = {"driver", "role",  "uid_base",      "network",
					    "port",   "label", "dashboard_port"};
	static const struct {
		const char *key, *field;
	} limits[] = {{"memory_max_bytes", "memory_max"},
		      {"cpu_quota_percent", "cpu_quota"},
		      {"tasks_max", "tasks_max"}};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		compare_value(plain[i], plain[i], json_object_get(want, plain[i]),
			      json_object_get(have, plain[i]), list);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		compare_value(limits[i].field, limits[i].key,
			      json_object_get(json_object_get(want, "limits"), limits[i].key),
			      json_object_get(json_object_get(have, "limits"), limits[i].key),
			      list);
	compare_env(json_object_get(want, "env"), json_object_get(have, "env"), false, list);
	compare_env(json_object_get(have, "env"), json_object_get(want, "env"), true, list);
	/* what the next start would run, where something else runs already that is told */
	if (!is_listed(list, "system"))
		compare_value("next_system", "system", json_object_get(want, "system"),
			      json_object_get(have, "system"), list);
}

/* What the deployed commit was built to; "" when that is not known. */
static int wanted_system(struct hive *hive, const struct agent *agent, char ret[SYSTEM_SIZE],
			 struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int r;

	if (agent->settings.builder == BUILDER_NIX && agent->made[0]) {
		memcpy(ret, agent->made, sizeof(agent->made));
		return 0;
	}
	if (agent->settings.builder == BUILDER_NIX)
		return systems_of(hive, agent, agent->settings.deployed, ret, err);
	r = hive_open_applied(hive, agent->settings.name, &repo, err);
	return r < 0 ? r : repo_commit_tree(repo, agent->settings.revision, ret, err);
}

/* What it would be started from now, and its hash. */
static int wanted_spec(struct hive *hive, struct agent *agent, const char *system, json_t **ret,
		       char hash[SPEC_HASH_SIZE], struct error *err)
{
	struct container_spec spec = {};
	json_t *object = NULL;
	int r = container_spec(hive, agent, agent->settings.revision, system, &object, err);

	if (r == 0)
		r = spec_parse(object, &spec, err);
	json_decref(object);
	if (r < 0)
		return r;
	(void)spec_hash(hash, &spec);
	*ret = spec_to_json(&spec);
	spec_release(&spec);
	return 0;
}

static int compare_running(struct hive *hive, struct agent *agent, const json_t *entry,
			   json_t *list, struct error *err)
{
	const char *running = json_string_value(json_object_get(entry, "system"));
	const char *hash = json_string_value(json_object_get(entry, "spec_hash"));
	const json_t *have = json_object_get(entry, "spec");
	char wanted_hash[SPEC_HASH_SIZE], system[SYSTEM_SIZE];
	json_t *want = NULL;
	int r = wanted_system(hive, agent, system, err);

	/* then what runs is believed */
	if (r == 0 && !system[0] && running)
		snprintf(system, sizeof(system), "%s", running);
	if (r < 0 || !system[0] ||
	    (r = wanted_spec(hive, agent, system, &want, wanted_hash, err)) < 0)
		return r;
	if (!running || strcmp(running, system) != 0)
		add(list, "system", system,
		    running ? running : "a root that is none of its own");
	if (hash && strcmp(hash, wanted_hash) != 0 && !have)
		r = DETAIL;
	else if (hash && have)
		compare_specs(want, have, list);
	else if (!hash && json_object_get(entry, "leader"))
		add(list, "specification", "as recorded", "nothing");
	json_decref(want);
	return r;
}

/* What skep-exec found by itself; a limit that this machine cannot hold anybody to is no news.
 */
static void take_differences(const struct hive *hive, const json_t *entry, json_t *list)
{
	static const struct {
		const char *field, *kind;
	} limits[] = {{"memory_max", "memory"}, {"cpu_quota", "cpu"}, {"tasks_max", "tasks"}};
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(entry, "differs"), i, item) {
		const char *field = json_string_value(json_object_get(item, "field"));
		bool skip = !field;

		for (size_t l = 0; field && l < ARRAY_SIZE(limits); l++)
			if (strcmp(field, limits[l].field) == 0)
				skip |= !json_is_true(
					json_object_get(hive->limits_enforced, limits[l].kind));
		/* the specification differs from the record already: one row says so */
		if (!skip && !is_listed(list, field))
			json_array_append(list, item);
	}
}

/* ---- what is told of it and around it ---- */

void drift_note_restarts(struct agent *agent, const json_t *entry)
{
	json_int_t now = json_integer_value(json_object_get(entry, "restarts"));

	if (now > (json_int_t)agent->restarts)
		agent->restarted_ms = clock_boot_ms();
	agent->restarts = (unsigned)now;
}

static void compare_restarts(const struct agent *agent, json_t *list)
{
	int64_t now = clock_boot_ms();
	bool steady = agent->up_since_ms > 0 && now - agent->up_since_ms >= STEADY_MS;
	unsigned count = steady || owed_a_deploy(agent) ? 0 : agent->attempts;
	char have[40];

	if (agent->restarts > count && now - agent->restarted_ms < STEADY_MS)
		count = agent->restarts;
	if (count < CRASH_LOOP)
		return;
	snprintf(have, sizeof(have), "%u in a row", count);
	add(list, "restarts", "none", have);
}

static int compare_main(struct hive *hive, const struct agent *agent, json_t *list,
			struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char main[OID_HEX_SIZE] = "nothing";
	int r = hive_open_applied(hive, agent->settings.name, &repo, err);

	if (r == 0)
		r = refs_read(repo, "refs/heads/main", main, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (strcmp(main, agent->settings.revision) != 0)
		add(list, "main", agent->settings.revision, main);
	return 0;
}

/* The newest failure of what is wanted, when it came after the last deploy of it. */
static const struct proposal *find_failure(const struct agent *agent)
{
	const struct hive *hive = agent->hive;

	for (size_t i = hive->n_proposals; i > 0; i--) {
		const struct proposal *p = hive->proposals[i - 1];

		if (p->id <= agent->settings.deployed)
			break;
		if (p->state == PROPOSAL_FAILED && !proposal_is_of_hive(p) &&
		    strcmp(p->agent, agent->settings.name) == 0 &&
		    strcmp(p->commit, agent->settings.revision) == 0)
			return p;
	}
	return NULL;
}

bool drift_is_quarantined(const struct agent *agent)
{
	return find_failure(agent) != NULL;
}

static void compare_quarantine(const struct agent *agent, json_t *list)
{
	const struct proposal *failed = find_failure(agent);
	char want[40], have[40];

	if (!failed)
		return;
	snprintf(want, sizeof(want), "deployed/%" PRId64, agent->settings.deployed);
	snprintf(have, sizeof(have), "failed/%" PRId64, failed->id);
	add(list, "quarantine", want, have);
}

int drift_compare(struct hive *hive, struct agent *agent, const json_t *entry, json_t **ret,
		  struct error *err)
{
	const char *state = json_string_value(json_object_get(entry, "state"));
	const char *unread = json_string_value(json_object_get(entry, "unread"));
	json_t *list;
	int r = 0;

	if (unread)
		return error_set(err, EIO, "the container of '%s' cannot be looked at: %s",
				 agent->settings.name, unread);
	if (!state)
		state = "stopped";
	list = json_array();
	compare_power(agent, entry, state, list);
	if (agent->settings.running && strcmp(state, "running") == 0 &&
	    !json_is_true(json_object_get(entry, "ending")))
		r = compare_running(hive, agent, entry, list, err);
	if (r >= 0 && entry &&
	    json_is_true(json_object_get(entry, "paused")) != agent->settings.paused)
		add(list, "paused", agent->settings.paused ? "a marker" : "no marker",
		    agent->settings.paused ? "no marker" : "a marker");
	if (r >= 0) {
		int m = compare_main(hive, agent, list, err);

		r = m < 0 ? m : r;
	}
	if (r != 0) {
		json_decref(list);
		return r;
	}
	take_differences(hive, entry, list);
	compare_restarts(agent, list);
	compare_quarantine(agent, list);
	*ret = list;
	return 0;
}

/* ---- what is known ---- */

static const json_t *find_row(const json_t *rows, const char *field)
{
	json_t *row;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row)
		if (strcmp(json_string_value(json_object_get(row, "field")), field) == 0)
			return row;
	return NULL;
}

static json_t *make_row(const struct hive *hive, const char *agent, const json_t *found,
			const json_t *before)
{
	json_t *row = view_difference(agent, json_string_value(json_object_get(found, "field")),
				      json_string_value(json_object_get(found, "want")),
				      json_string_value(json_object_get(found, "have")),
				      hive->wall_s());

	if (before)
		json_object_set(row, "since", json_object_get(before, "since"));
	return row;
}

static void tell_new(struct hive *hive, const char *agent, const json_t *row)
{
	_cleanup_free_ char *text =
		str_format("'%s' is not as it should be: %s is '%s', not '%s'", agent,
			   json_string_value(json_object_get(row, "field")),
			   json_string_value(json_object_get(row, "have")),
			   json_string_value(json_object_get(row, "want")));

	log_event(LOG_WARNING, text, "MESSAGE_ID", JOURNAL_DRIFT, "SKEP_AGENT", agent, NULL);
	event_drift(hive, row, false);
}

void drift_found(struct hive *hive, const char *agent, json_t **known, json_t *found)
{
	json_t *rows = json_array(), *item, *old = *known;
	size_t i;

	json_array_foreach (found, i, item) {
		const char *field = json_string_value(json_object_get(item, "field"));
		const json_t *before = find_row(old, field);
		json_t *row = make_row(hive, agent, item, before);

		json_array_append_new(rows, row);
		if (!before || !json_equal((json_t *)before, row))
			tell_new(hive, agent, row);
	}
	json_array_foreach (old, i, item)
		if (!find_row(rows, json_string_value(json_object_get(item, "field"))))
			event_drift(hive, item, true);
	json_decref(found);
	json_decref(old);
	*known = rows;
	if (json_array_size(rows) == 0) {
		json_decref(rows);
		*known = NULL;
	}
}

bool drift_names(const struct agent *agent, const char *field)
{
	return find_row(agent->drift, field) != NULL;
}

json_t *drift_rows(const struct hive *hive, const char *agent)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < hive->n_agents; i++) {
		const struct agent *a = hive->agents[i];

		if (a->drift && (!agent || strcmp(a->settings.name, agent) == 0))
			json_array_extend(rows, a->drift);
	}
	if (!agent)
		json_array_extend(rows, reconcile_strays(hive));
	return rows;
}
