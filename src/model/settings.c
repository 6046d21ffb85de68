#include "model/settings.h"

#include "base/json.h"
#include "base/text.h"
#include "model/probe_setting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void settings_init(struct settings *s, const char *name)
{
	*s = (struct settings){
		.running = true,
		.limits = LIMITS_UNSET,
		.labels = json_object(),
		.deployed = -1,
	};
	snprintf(s->name, sizeof(s->name), "%s", name);
}

void settings_release(struct settings *s)
{
	json_decref(s->labels);
	json_decref(s->probe);
	*s = (struct settings){};
}

void settings_copy(struct settings *to, const struct settings *from)
{
	*to = *from;
	to->labels = json_deep_copy(from->labels);
	to->probe = from->probe ? json_deep_copy(from->probe) : NULL;
}

void settings_rename(struct settings *to, const struct settings *from, const char *name)
{
	settings_copy(to, from);
	snprintf(to->name, sizeof(to->name), "%s", name);
	to->system[0] = '\0';
}

static bool is_label_text(const char *s)
{
	size_t n = strlen(s);

	return n <= LABEL_MAX_BYTES &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       n;
}

int settings_check_label(const char *key, const char *value, struct error *err)
{
	char *shown;

	if (key[0] && is_label_text(key) && is_label_text(value))
		return 0;
	shown = text_clean_dup(key[0] && is_label_text(key) ? value : key, 80, false);
	error_set(err, EINVAL,
		  "label '%s': key and value have 1 to %d of a-z, A-Z, 0-9, '.', '_', '-'",
		  shown, LABEL_MAX_BYTES);
	free(shown);
	return -EINVAL;
}

static int read_labels(const json_t *labels, struct settings *s, struct error *err)
{
	const char *key;
	json_t *value;
	int r;

	if (json_object_size(labels) > LABELS_MAX)
		return error_set(err, E2BIG, "more than %d labels", LABELS_MAX);
	json_object_foreach ((json_t *)labels, key, value) {
		if (!json_is_string(value) || !json_string_value(value)[0])
			return error_set(err, EINVAL,
					 "label '%.60s' must be a string that is not empty",
					 key);
		r = settings_check_label(key, json_string_value(value), err);
		if (r < 0)
			return r;
		json_object_set(s->labels, key, value);
	}
	return 0;
}

static int read_power(const json_t *object, struct settings *s, struct error *err)
{
	const char *desired = NULL, *network = NULL;
	int r;

	if ((r = json_get_str(object, "desired", true, &desired, err)) < 0 ||
	    (r = json_get_str(object, "network", true, &network, err)) < 0)
		return r;
	if (strcmp(desired, "running") != 0 && strcmp(desired, "stopped") != 0)
		return error_set(err, EINVAL,
				 "'desired' must be \"running\" or \"stopped\", not '%.60s'",
				 desired);
	s->running = strcmp(desired, "running") == 0;
	return settings_change(s, "network", network, &(bool){false}, err);
}

int settings_from_json(const char *name, const json_t *object, struct settings *ret,
		       struct error *err)
{
	static const char *const keys[] = {"role",     "driver",  "builder",   "port",
					   "uid_base", "network", "limits",    "labels",
					   "parent",   "desired", "paused",    "deployed",
					   "revision", "probe",   "reconcile", "system",
					   NULL};
	const char *driver = NULL, *builder = NULL, *parent = NULL, *revision = NULL,
		   *system = NULL;
	json_t *limits = NULL, *labels = NULL, *probe = NULL;
	const char *reconcile = "";
	struct settings s;
	int64_t port = 0, uid_base = 0;
	int r;

	r = name_check(name, err);
	if (r < 0)
		return r;
	if (!json_is_object(object))
		return error_set(err, EINVAL, "'%s' must be an object", name);
	settings_init(&s, name);
	if ((r = json_only_keys(object, keys, name, err)) < 0 ||
	    (r = json_get_str(object, "driver", true, &driver, err)) < 0 ||
	    (r = driver_kind_parse(driver, &s.driver, err)) < 0 ||
	    (r = json_get_str(object, "builder", true, &builder, err)) < 0 ||
	    (r = builder_kind_parse(builder, &s.builder, err)) < 0 ||
	    (r = json_get_int(object, "port", true, 1, 65535, &port, err)) < 0 ||
	    (r = json_get_int(object, "uid_base", true, 65536, 0x7fff0000, &uid_base, err)) <
		    0 ||
	    (r = json_get_bool(object, "paused", true, &s.paused, err)) < 0 ||
	    (r = json_get_str(object, "reconcile", false, &reconcile, err)) < 0 ||
	    (r = policy_parse("reconcile", reconcile, &s.reconcile, err)) < 0 ||
	    (r = json_get_int(object, "deployed", true, -1, INT64_MAX, &s.deployed, err)) < 0 ||
	    (r = json_get_str(object, "parent", false, &parent, err)) < 0 ||
	    (r = json_get_str(object, "revision", false, &revision, err)) < 0 ||
	    (r = json_get_str(object, "system", false, &system, err)) < 0 ||
	    (r = json_get_object(object, "limits", false, &limits, err)) < 0 ||
	    (r = json_get_object(object, "labels", false, &labels, err)) < 0 ||
	    (r = read_power(object, &s, err)) < 0 ||
	    (parent && (r = name_check(parent, err)) < 0) ||
	    (limits && (r = limits_from_json(limits, &s.limits, err)) < 0) ||
	    (labels && (r = read_labels(labels, &s, err)) < 0) ||
	    (r = json_get_object(object, "probe", false, &probe, err)) < 0 ||
	    (probe && (r = probe_setting_check(probe, err)) < 0)) {
		settings_release(&s);
		return r;
	}
	if (revision && !oid_is_valid(revision)) {
		settings_release(&s);
		return error_set(err, EINVAL, "'revision' must be 40 hexadecimal digits");
	}
	if (system && !system_is_store(system)) {
		settings_release(&s);
		return error_set(err, EINVAL, "'system' must be a path of the Nix store");
	}
	s.probe = probe ? json_deep_copy(probe) : NULL;
	s.port = (uint16_t)port;
	s.uid_base = (uid_t)uid_base;
	snprintf(s.parent, sizeof(s.parent), "%s", parent ? parent : "");
	snprintf(s.revision, sizeof(s.revision), "%s", revision ? revision : "");
	snprintf(s.system, sizeof(s.system), "%s", system ? system : "");
	*ret = s;
	return 0;
}

json_t *settings_to_json(const struct settings *s)
{
	json_t *o = json_object();
	json_t *limits = limits_to_json(&s->limits);

	json_object_set_new(o, "role",
			    json_string(name_is_manager(s->name) ? "manager" : "agent"));
	json_object_set_new(o, "driver", json_string(driver_kind_name(s->driver)));
	json_object_set_new(o, "builder", json_string(builder_kind_name(s->builder)));
	json_object_set_new(o, "port", json_integer(s->port));
	json_object_set_new(o, "uid_base", json_integer(s->uid_base));
	json_object_set_new(o, "network", json_string(s->private_network ? "private" : "host"));
	if (json_object_size(limits) > 0)
		json_object_set(o, "limits", limits);
	json_decref(limits);
	if (json_object_size(s->labels) > 0)
		json_object_set_new(o, "labels", json_deep_copy(s->labels));
	if (s->probe)
		json_object_set_new(o, "probe", json_deep_copy(s->probe));
	if (s->parent[0])
		json_object_set_new(o, "parent", json_string(s->parent));
	json_object_set_new(o, "desired", json_string(s->running ? "running" : "stopped"));
	json_object_set_new(o, "paused", json_boolean(s->paused));
	if (s->reconcile != POLICY_UNSET)
		json_object_set_new(o, "reconcile", json_string(policy_name(s->reconcile)));
	json_object_set_new(o, "deployed", json_integer(s->deployed));
	if (s->revision[0])
		json_object_set_new(o, "revision", json_string(s->revision));
	if (s->system[0])
		json_object_set_new(o, "system", json_string(s->system));
	return o;
}

static int change_label(struct settings *s, const char *key, const char *value,
			struct error *err)
{
	int r = settings_check_label(key, value, err);

	if (r < 0)
		return r;
	if (!value[0]) {
		json_object_del(s->labels, key);
		return 0;
	}
	if (!json_object_get(s->labels, key) && json_object_size(s->labels) >= LABELS_MAX)
		return error_set(err, E2BIG, "more than %d labels", LABELS_MAX);
	json_object_set_new(s->labels, key, json_string(value));
	return 0;
}

static int change_limit(const char *key, const char *value, int64_t *field,
			int (*parse)(const char *, const char *, int64_t *, struct error *),
			struct error *err)
{
	if (value[0])
		return parse(key, value, field, err);
	*field = LIMIT_UNSET;
	return 0;
}

int settings_change(struct settings *s, const char *key, const char *value, bool *ret_restart,
		    struct error *err)
{
	char *shown_key, *shown_value;
	int r = probe_setting_change(&s->probe, key, value, err);

	*ret_restart = false;
	if (r != -ENOKEY)
		return r;
	if (strncmp(key, "label.", 6) == 0)
		return change_label(s, key + 6, value, err);
	if (strcmp(key, "memory_max") == 0)
		return change_limit(key, value, &s->limits.memory_max_bytes, limit_parse_memory,
				    err);
	if (strcmp(key, "cpu_quota") == 0)
		return change_limit(key, value, &s->limits.cpu_quota_percent, limit_parse_cpu,
				    err);
	if (strcmp(key, "tasks_max") == 0)
		return change_limit(key, value, &s->limits.tasks_max, limit_parse_tasks, err);
	if (strcmp(key, "reconcile") == 0)
		return policy_parse(key, value, &s->reconcile, err);
	if (strcmp(key, "parent") == 0) {
		r = value[0] ? name_check(value, err) : 0;
		if (r == 0)
			snprintf(s->parent, sizeof(s->parent), "%s", value);
		return r;
	}
	if (strcmp(key, "network") == 0 &&
	    (strcmp(value, "host") == 0 || strcmp(value, "private") == 0)) {
		bool private_network = strcmp(value, "private") == 0;

		*ret_restart = private_network != s->private_network;
		s->private_network = private_network;
		return 0;
	}
	shown_key = text_clean_dup(key, 60, false);
	shown_value = text_clean_dup(value, 60, false);
	if (strcmp(key, "network") == 0)
		error_set(err, EINVAL, "'network' must be \"host\" or \"private\", not '%s'",
			  shown_value);
	else
		error_set(err, EINVAL,
			  "there is no setting '%s'; there are: memory_max cpu_quota tasks_max "
			  "network parent reconcile probe probe.grace probe.soak label.KEY",
			  shown_key);
	free(shown_key);
	free(shown_value);
	return -EINVAL;
}

json_t *settings_to_text(const struct settings *s)
{
	json_t *texts = limits_to_json(&s->limits), *value;
	json_int_t tasks = json_integer_value(json_object_get(texts, "tasks_max"));
	const char *key;

	if (tasks > 0)
		json_object_set_new(texts, "tasks_max", json_sprintf("%lld", (long long)tasks));
	json_object_set_new(texts, "network",
			    json_string(s->private_network ? "private" : "host"));
	if (s->parent[0])
		json_object_set_new(texts, "parent", json_string(s->parent));
	probe_setting_to_text(s->probe, texts);
	json_object_foreach (s->labels, key, value) {
		char name[LABEL_MAX_BYTES + 8];

		snprintf(name, sizeof(name), "label.%s", key);
		json_object_set(texts, name, value);
	}
	return texts;
}
