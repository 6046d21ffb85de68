#include "model/config.h"

#include "base/buf.h"
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Ids just below the first container range: no account of a distribution lives there. */
#define STANDALONE_SKEP_UID 1310000
#define STANDALONE_BUILD_UID 1310001
#define STANDALONE_WEB_UID 1310002

/* What skep-exec lets a stop and an export take. */
#define STOP_MAX_S 600
#define IMPORT_MAX_S 85
#define TIDY_MAX_S 604800

void config_init(struct config *c)
{
	*c = (struct config){
		.state_dir = str_dup("/var/lib/skep"),
		.runtime_dir = str_dup("/run/skep"),
		.domain = str_dup("localhost"),
		.dashboard_port = 7700,
		.dashboard = true,
		.limits = {LIMIT_MEMORY_DEFAULT, LIMIT_CPU_DEFAULT, LIMIT_TASKS_DEFAULT},
		.max_builds = 2,
		.max_starts = 4,
		.build_timeout_s = 3600,
		.build_memory_bytes = 4LL << 30,
		.stop_timeout_ms = 30000,
		.import_timeout_ms = 60000,
		.reconcile = POLICY_APPLY,
		.reconcile_interval_s = 30,
		.proposal_days = 7,
		.proposals_per_hour = 10,
		.max_repo_bytes = 1LL << 30,
		.max_log_bytes = 4 << 20,
		.keep_logs = 500,
		.keep_systems = 5,
		.tidy_interval_ms = 3600000,
		.unbound_verdicts = true,
		.admin_group = str_dup("skep-admin"),
		.read_group = str_dup("skep-read"),
		.skep_uid = STANDALONE_SKEP_UID,
		.build_uid = STANDALONE_BUILD_UID,
		.web_uid = STANDALONE_WEB_UID,
		.admin_gid = -1,
		.read_gid = -1,
	};
}

static int load_path(const json_t *object, const char *key, char **field, struct error *err)
{
	const char *value = NULL;
	int r = json_get_str(object, key, false, &value, err);

	if (r < 0 || !value)
		return r;
	if (value[0] != '/' || strlen(value) > 80 || strstr(value, "/../"))
		return error_set(
			err, EINVAL,
			"'%s' must be an absolute path of at most 80 bytes, not '%.100s'", key,
			value);
	free(*field);
	*field = str_dup(value);
	return 0;
}

static int load_text(const json_t *object, const char *key, char **field, struct error *err)
{
	const char *value = NULL;
	int r = json_get_str(object, key, false, &value, err);

	if (r < 0 || !value)
		return r;
	if (strlen(value) == 0 || strlen(value) > 200)
		return error_set(err, EINVAL, "'%s' must have 1 to 200 bytes", key);
	free(*field);
	*field = str_dup(value);
	return 0;
}

static int load_seconds(const json_t *object, const char *key, int64_t max, int64_t *ret_ms,
			struct error *err)
{
	int64_t seconds = -1;
	int r = json_get_int(object, key, false, 1, max, &seconds, err);

	if (r == 0 && seconds > 0)
		*ret_ms = seconds * 1000;
	return r;
}

static int load_network(const json_t *object, bool *ret_private, struct error *err)
{
	const char *value = NULL;
	int r = json_get_str(object, "network", false, &value, err);

	if (r < 0 || !value)
		return r;
	if (strcmp(value, "host") != 0 && strcmp(value, "private") != 0)
		return error_set(err, EINVAL,
				 "'network' must be \"host\" or \"private\", not '%.60s'",
				 value);
	*ret_private = strcmp(value, "private") == 0;
	return 0;
}

static int load_builder(struct config *c, const json_t *object, struct error *err)
{
	const char *driver = NULL, *builder = NULL, *memory = NULL;
	int r;

	if ((r = json_get_str(object, "driver", false, &driver, err)) < 0 ||
	    (driver && (r = driver_kind_parse(driver, &c->driver, err)) < 0) ||
	    (r = json_get_str(object, "builder", false, &builder, err)) < 0 ||
	    (builder && (r = builder_kind_parse(builder, &c->builder, err)) < 0) ||
	    (r = load_text(object, "nixpkgs", &c->nixpkgs, err)) < 0 ||
	    (r = load_text(object, "base", &c->base, err)) < 0 ||
	    (r = json_get_str(object, "build_memory_max", false, &memory, err)) < 0)
		return r;
	return memory ? limit_parse_memory("build_memory_max", memory, &c->build_memory_bytes,
					   err)
		      : 0;
}

static int load_policy(const json_t *object, enum policy *ret, struct error *err)
{
	const char *value = NULL;
	int r = json_get_str(object, "reconcile", false, &value, err);

	if (r < 0 || !value)
		return r;
	/* unset is for agents, which then do as the hive does */
	return policy_parse("reconcile", value[0] ? value : "nothing", ret, err);
}

static int load_numbers(struct config *c, const json_t *object, struct error *err)
{
	int64_t port = c->dashboard_port, skep_uid = c->skep_uid, build_uid = c->build_uid,
		web_uid = c->web_uid;
	const struct {
		const char *key;
		int64_t min, max, *field;
	} fields[] = {
		{"dashboard_port", 1, 65535, &port},
		{"max_builds", 1, 64, &c->max_builds},
		{"max_starts", 1, 64, &c->max_starts},
		{"build_timeout", 1, 86400, &c->build_timeout_s},
		{"reconcile_interval", 5, 86400, &c->reconcile_interval_s},
		{"proposal_days", 1, 3650, &c->proposal_days},
		{"proposals_per_hour", 1, 100000, &c->proposals_per_hour},
		{"proposals_per_day", 1, 1000000, &c->proposals_per_day},
		{"max_repo_bytes", 1 << 20, 1LL << 40, &c->max_repo_bytes},
		{"max_log_bytes", 4096, 1 << 30, &c->max_log_bytes},
		{"keep_logs", 1, 1000000, &c->keep_logs},
		{"keep_systems", 1, 100, &c->keep_systems},
		{"skep_uid", 1, 0x7fffffff, &skep_uid},
		{"build_uid", 1, 0x7fffffff, &build_uid},
		{"web_uid", 1, 0x7fffffff, &web_uid},
		{"admin_gid", -1, 0x7fffffff, &c->admin_gid},
		{"read_gid", -1, 0x7fffffff, &c->read_gid},
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && r == 0; i++)
		r = json_get_int(object, fields[i].key, false, fields[i].min, fields[i].max,
				 fields[i].field, err);
	if (r < 0)
		return r;
	if (skep_uid == build_uid)
		return error_set(err, EINVAL,
				 "'skep_uid' and 'build_uid' must differ, both are %lld",
				 (long long)skep_uid);
	if (web_uid == skep_uid || web_uid == build_uid)
		return error_set(err, EINVAL,
				 "'web_uid' must be a user of its own, %lld is not",
				 (long long)web_uid);
	c->dashboard_port = (uint16_t)port;
	c->skep_uid = (uid_t)skep_uid;
	c->build_uid = (uid_t)build_uid;
	c->web_uid = (uid_t)web_uid;
	return 0;
}

int config_load(struct config *c, const json_t *object, struct error *err)
{
	static const char *const keys[] = {
		"state_dir",
		"runtime_dir",
		"templates_dir",
		"domain",
		"home",
		"dashboard_port",
		"dashboard",
		"network",
		"limits",
		"max_builds",
		"max_starts",
		"driver",
		"builder",
		"nixpkgs",
		"base",
		"build_timeout",
		"build_memory_max",
		"stop_timeout",
		"import_timeout",
		"reconcile",
		"reconcile_interval",
		"proposal_days",
		"proposals_per_hour",
		"proposals_per_day",
		"max_repo_bytes",
		"max_log_bytes",
		"keep_logs",
		"keep_systems",
		"tidy_interval",
		"unbound_verdicts",
		"admin_group",
		"read_group",
		"skep_uid",
		"build_uid",
		"web_uid",
		"admin_gid",
		"read_gid",
		NULL,
	};
	static const char *const limit_keys[] = {"memory_max", "cpu_quota", "tasks_max", NULL};
	json_t *limits = NULL;
	int r;

	if (!json_is_object(object))
		return error_set(err, EINVAL, "the configuration must be a JSON object");
	if ((r = json_only_keys(object, keys, "the configuration", err)) < 0 ||
	    (r = load_path(object, "state_dir", &c->state_dir, err)) < 0 ||
	    (r = load_path(object, "runtime_dir", &c->runtime_dir, err)) < 0 ||
	    (r = load_path(object, "templates_dir", &c->templates_dir, err)) < 0 ||
	    (r = load_text(object, "domain", &c->domain, err)) < 0 ||
	    (r = load_text(object, "home", &c->home, err)) < 0 ||
	    (r = load_text(object, "admin_group", &c->admin_group, err)) < 0 ||
	    (r = load_text(object, "read_group", &c->read_group, err)) < 0 ||
	    (r = load_network(object, &c->private_network, err)) < 0 ||
	    (r = load_policy(object, &c->reconcile, err)) < 0 ||
	    (r = load_seconds(object, "stop_timeout", STOP_MAX_S, &c->stop_timeout_ms, err)) <
		    0 ||
	    (r = load_seconds(object, "tidy_interval", TIDY_MAX_S, &c->tidy_interval_ms, err)) <
		    0 ||
	    (r = load_seconds(object, "import_timeout", IMPORT_MAX_S, &c->import_timeout_ms,
			      err)) < 0 ||
	    (r = json_get_bool(object, "unbound_verdicts", false, &c->unbound_verdicts, err)) <
		    0 ||
	    (r = json_get_bool(object, "dashboard", false, &c->dashboard, err)) < 0 ||
	    (r = load_numbers(c, object, err)) < 0 || (r = load_builder(c, object, err)) < 0 ||
	    (r = json_get_object(object, "limits", false, &limits, err)) < 0)
		return r;
	if (limits && (r = json_only_keys(limits, limit_keys, "'limits'", err)) < 0)
		return r;
	return limits ? limits_from_json(limits, &c->limits, err) : 0;
}

void config_release(struct config *c)
{
	free(c->state_dir);
	free(c->runtime_dir);
	free(c->templates_dir);
	free(c->nixpkgs);
	free(c->base);
	free(c->domain);
	free(c->home);
	free(c->admin_group);
	free(c->read_group);
	*c = (struct config){};
}

int64_t config_proposals_per_day(const struct config *c)
{
	return c->proposals_per_day > 0 ? c->proposals_per_day : 5 * c->proposals_per_hour;
}
