#include "control/container.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "control/event.h"
#include "git/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int container_manifest(struct hive *hive, struct agent *agent, const char *commit,
		       struct manifest *ret, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_buf_ struct buf text = {};
	int r = hive_open_applied(hive, agent->settings.name, &repo, err);

	if (r < 0)
		return r;
	r = commit_read_file(repo, commit, MANIFEST_PATH, MANIFEST_MAX_BYTES, &text, err);
	if (r == -ENOENT) {
		manifest_init(ret);
		return 0;
	}
	if (r < 0)
		return r;
	return manifest_parse(buf_str(&text), text.size, ret, err);
}

static struct limits with_defaults(struct hive *hive, struct agent *agent,
				   const struct limits *asked)
{
	struct limits wish = limits_effective(&agent->settings.limits, asked);

	/* limits_effective() ends in the built-in defaults; the hive's own come before those */
	if (agent->settings.limits.memory_max_bytes == LIMIT_UNSET &&
	    asked->memory_max_bytes == LIMIT_UNSET)
		wish.memory_max_bytes = hive->config->limits.memory_max_bytes;
	if (agent->settings.limits.cpu_quota_percent == LIMIT_UNSET &&
	    asked->cpu_quota_percent == LIMIT_UNSET)
		wish.cpu_quota_percent = hive->config->limits.cpu_quota_percent;
	if (agent->settings.limits.tasks_max == LIMIT_UNSET && asked->tasks_max == LIMIT_UNSET)
		wish.tasks_max = hive->config->limits.tasks_max;
	return wish;
}

struct limits container_limits(struct hive *hive, struct agent *agent, const char *commit)
{
	struct limits asked = LIMITS_UNSET, wish;
	struct manifest manifest;

	if (commit[0] && container_manifest(hive, agent, commit, &manifest, NULL) == 0) {
		asked = manifest.limits;
		manifest_release(&manifest);
	}
	wish = with_defaults(hive, agent, &asked);
	return wish;
}

int container_spec(struct hive *hive, struct agent *agent, const char *commit,
		   const char *system, json_t **ret, struct error *err)
{
	const struct settings *s = &agent->settings;
	struct manifest manifest;
	struct limits limits;
	json_t *spec, *env;
	int r = container_manifest(hive, agent, commit, &manifest, err);

	if (r < 0)
		return r;
	limits = with_defaults(hive, agent, &manifest.limits);
	env = json_array();
	for (char **e = manifest.env; e && *e; e++)
		json_array_append_new(env, json_string(*e));
	manifest_release(&manifest);
	spec = json_pack("{s:s,s:s,s:I,s:s,s:s,s:i,s:s,s:i,s:o,s:{s:I,s:I,s:I}}", "agent",
			 s->name, "role", name_is_manager(s->name) ? "manager" : "agent",
			 "uid_base", (json_int_t)s->uid_base, "system", system, "network",
			 s->private_network ? "private" : "host", "port", (int)s->port, "label",
			 s->name, "dashboard_port", (int)hive->config->dashboard_port, "env",
			 env, "limits", "memory_max_bytes", (json_int_t)limits.memory_max_bytes,
			 "cpu_quota_percent", (json_int_t)limits.cpu_quota_percent, "tasks_max",
			 (json_int_t)limits.tasks_max);
	if (!spec)
		return error_set(err, EIO, "cannot describe the container of '%s'", s->name);
	if (s->driver != DRIVER_NSPAWN)
		json_object_set_new(spec, "driver", json_string(driver_kind_name(s->driver)));
	*ret = spec;
	return 0;
}

const json_t *container_entry(const json_t *answer, const char *agent)
{
	json_t *list = json_object_get(answer, "agents"), *entry;
	size_t i;

	json_array_foreach (list, i, entry) {
		const char *name = json_string_value(json_object_get(entry, "agent"));

		if (name && strcmp(name, agent) == 0)
			return entry;
	}
	return NULL;
}

static void take_text(char *field, size_t size, const json_t *entry, const char *key)
{
	const char *value = json_string_value(json_object_get(entry, key));

	snprintf(field, size, "%s", value ? value : "");
}

/* Another run of the container than the one seen before, or none any more. */
static void begin_run(struct agent *agent, int64_t leader, const json_t *entry)
{
	int64_t up_ms = json_integer_value(json_object_get(entry, "since_ms"));

	agent->leader = leader;
	agent->up_since_ms = leader > 0 ? clock_boot_ms() : agent->up_since_ms;
	agent->up_since = leader > 0 ? agent->hive->wall_s() - up_ms / 1000 : 0;
	/* what the agent said of itself was about the run before */
	free(agent->status_text);
	agent->status_text = NULL;
	agent->boot_state[0] = '\0';
	json_decref(agent->failed_units);
	agent->failed_units = NULL;
}

void container_seen(struct hive *hive, struct agent *agent, const json_t *entry)
{
	json_t *failed = json_object_get(entry, "failed_units");
	int64_t leader = json_integer_value(json_object_get(entry, "leader"));

	if (!json_is_string(json_object_get(entry, "state")))
		return;
	if (leader != agent->leader)
		begin_run(agent, leader, entry);
	agent->frozen = json_is_true(json_object_get(entry, "frozen"));
	take_text(agent->state, sizeof(agent->state), entry, "state");
	take_text(agent->system, sizeof(agent->system), entry, "system");
	take_text(agent->exit, sizeof(agent->exit), entry, "exit");
	/* told only by a look at this one container; until the next one they stay true */
	if (failed) {
		take_text(agent->boot_state, sizeof(agent->boot_state), entry, "boot_state");
		json_decref(agent->failed_units);
		agent->failed_units = json_incref(failed);
	}
	event_agent(hive, agent);
}

void container_seen_stopped(struct hive *hive, struct agent *agent)
{
	json_t *stopped = json_pack("{s:s}", "state", "stopped");

	container_seen(hive, agent, stopped);
	json_decref(stopped);
}

void container_seen_all(struct hive *hive, const json_t *answer)
{
	json_t *list = json_object_get(answer, "agents"), *by_name = json_object(), *entry;
	size_t i;

	json_array_foreach (list, i, entry) {
		const char *name = json_string_value(json_object_get(entry, "agent"));

		if (name)
			(void)json_object_set(by_name, name, entry);
	}
	for (i = 0; i < hive->n_agents; i++) {
		struct agent *agent = hive->agents[i];

		entry = json_object_get(by_name, agent->settings.name);
		agent->listed |= entry != NULL;
		if (entry)
			container_seen(hive, agent, entry);
		else
			container_seen_stopped(hive, agent);
	}
	json_decref(by_name);
}

json_t *container_arguments(const struct agent *agent, json_t *more)
{
	json_t *arguments = json_pack("{s:s}", "agent", agent->settings.name);

	if (more)
		json_object_update(arguments, more);
	json_decref(more);
	return arguments;
}

json_t *container_stop_arguments(const struct agent *agent, int64_t seconds)
{
	if (seconds <= 0)
		seconds = agent->hive->config->stop_timeout_ms / 1000;
	return container_arguments(agent, json_pack("{s:I}", "timeout_s", (json_int_t)seconds));
}
