#include "model/declare.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "model/probe_setting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 60

const char *const declare_keys[] = {"network", "parent", "desired", "paused",
				    "limits",  "labels", "probe",   NULL};

int declare_only_keys(const json_t *object, const char *what, const char *const *keys,
		      struct error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value) {
		_cleanup_free_ char *shown = NULL;
		const char *near;
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], key) != 0)
			i++;
		if (keys[i])
			continue;
		shown = text_clean_dup(key, SHOWN_MAX, false);
		near = text_nearest(key, keys);
		if (near)
			return error_set(err, EINVAL,
					 "unknown key '%s%s'; did you mean '%s%s'?", what,
					 shown, what, near);
		return error_set(err, EINVAL, "unknown key '%s%s'", what, shown);
	}
	return 0;
}

/* ---- each key ---- */

static int check_word(const json_t *object, const char *key, const char *const words[2],
		      struct error *err)
{
	_cleanup_free_ char *shown = NULL;
	const char *text = NULL;
	int r = json_get_str(object, key, false, &text, err);

	if (r < 0 || !text || strcmp(text, words[0]) == 0 || strcmp(text, words[1]) == 0)
		return r;
	shown = text_clean_dup(text, SHOWN_MAX, false);
	return error_set(err, EINVAL, "'%s' must be \"%s\" or \"%s\", not '%s'", key, words[0],
			 words[1], shown);
}

static int check_parent(const json_t *object, struct error *err)
{
	const char *parent = NULL;
	int r = json_get_str(object, "parent", false, &parent, err);

	if (r < 0 || !parent || !parent[0])
		return r;
	r = name_check(parent, err);
	return r < 0 ? error_prefix(err, "'parent'") : 0;
}

/* A limit is a string, or a whole number. */
static char *limit_text(const json_t *value)
{
	if (json_is_integer(value))
		return str_format("%" PRId64, (int64_t)json_integer_value(value));
	return str_dup(json_string_value(value));
}

static int lay_limits(const json_t *limits, struct limits *ret, struct error *err)
{
	static const char *const keys[] = {"memory_max", "cpu_quota", "tasks_max", NULL};
	static int (*const parse[])(const char *, const char *, int64_t *,
				    struct error *) = {limit_parse_memory, limit_parse_cpu,
						       limit_parse_tasks};
	int64_t *const fields[] = {&ret->memory_max_bytes, &ret->cpu_quota_percent,
				   &ret->tasks_max};
	int r = declare_only_keys(limits, "limits.", keys, err);

	for (size_t i = 0; r == 0 && keys[i]; i++) {
		const json_t *value = json_object_get(limits, keys[i]);
		_cleanup_free_ char *text = limit_text(value),
				    *path = str_format("limits.%s", keys[i]);

		if (!value || json_is_null(value))
			continue;
		r = text ? parse[i](path, text, fields[i], err)
			 : error_set(err, EINVAL, "'%s' must be a string or a whole number",
				     path);
	}
	return r;
}

static int check_label(const char *key, const json_t *value, struct error *err)
{
	_cleanup_free_ char *shown = text_clean_dup(key, SHOWN_MAX, false);
	int r;

	if (strcmp(key, OWNER_LABEL) == 0)
		return error_set(err, EINVAL,
				 "'labels." OWNER_LABEL
				 "' says whose an agent is and is not for files to write");
	if (json_is_null(value))
		return settings_check_label(key, "", err);
	if (!json_is_string(value) || !json_string_value(value)[0])
		return error_set(err, EINVAL, "'labels.%s' must be a string that is not empty",
				 shown);
	r = settings_check_label(key, json_string_value(value), err);
	return r < 0 ? error_prefix(err, "'labels.%s'", shown) : 0;
}

static int check_labels(const json_t *labels, struct error *err)
{
	const char *key;
	json_t *value;
	int r = 0;

	if (json_object_size(labels) >= LABELS_MAX)
		return error_set(err, E2BIG, "'labels' has more than %d", LABELS_MAX - 1);
	json_object_foreach ((json_t *)labels, key, value)
		if (r == 0)
			r = check_label(key, value, err);
	return r;
}

int declare_check(const json_t *object, struct error *err)
{
	static const char *const networks[2] = {"host", "private"};
	static const char *const powers[2] = {"running", "stopped"};
	json_t *limits = NULL, *labels = NULL, *probe = NULL;
	struct limits ignored = LIMITS_UNSET;
	bool paused = false;
	int r;

	if ((r = check_word(object, "network", networks, err)) < 0 ||
	    (r = check_word(object, "desired", powers, err)) < 0 ||
	    (r = check_parent(object, err)) < 0 ||
	    (r = json_get_bool(object, "paused", false, &paused, err)) < 0 ||
	    (r = json_get_object(object, "limits", false, &limits, err)) < 0 ||
	    (limits && (r = lay_limits(limits, &ignored, err)) < 0) ||
	    (r = json_get_object(object, "labels", false, &labels, err)) < 0 ||
	    (labels && (r = check_labels(labels, err)) < 0) ||
	    (r = json_get_object(object, "probe", false, &probe, err)) < 0)
		return r;
	r = probe ? probe_setting_check(probe, err) : 0;
	return r < 0 ? error_prefix(err, "'probe'") : 0;
}

int declare_check_owner(const char *name, struct error *err)
{
	_cleanup_free_ char *shown = NULL;

	if (name[0] && settings_check_label(OWNER_LABEL, name, NULL) == 0)
		return 0;
	shown = text_clean_dup(name, SHOWN_MAX, false);
	return error_set(err, EINVAL,
			 "a hive's name has 1 to %d of a-z, A-Z, 0-9, '.', '_', '-', not '%s'",
			 LABEL_MAX_BYTES, shown);
}

/* ---- one over the other ---- */

static bool is_map(const char *key)
{
	return strcmp(key, "limits") == 0 || strcmp(key, "labels") == 0;
}

static void merge_map(json_t *into, const json_t *map)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)map, key, value) {
		if (json_is_null(value))
			json_object_del(into, key);
		else
			json_object_set(into, key, value);
	}
}

void declare_merge(json_t *into, const json_t *object)
{
	for (size_t i = 0; declare_keys[i]; i++) {
		const char *key = declare_keys[i];
		json_t *value = json_object_get(object, key), *old = json_object_get(into, key);

		if (!value)
			continue;
		if (json_is_null(value)) {
			json_object_del(into, key);
		} else if (is_map(key)) {
			if (!old)
				json_object_set_new(into, key, json_object());
			merge_map(json_object_get(into, key), value);
		} else {
			json_object_set_new(into, key, json_deep_copy(value));
		}
	}
}

static const char *word(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

int declare_settings(const json_t *object, const char *owner, struct settings *s,
		     struct error *err)
{
	json_t *labels = json_object_get(object, "labels"),
	       *probe = json_object_get(object, "probe"),
	       *paused = json_object_get(object, "paused");
	struct limits limits = LIMITS_UNSET;
	int r = lay_limits(json_object_get(object, "limits"), &limits, err);

	if (r < 0)
		return r;
	if (json_object_size(labels) >= LABELS_MAX)
		return error_set(err, E2BIG, "'labels' has more than %d", LABELS_MAX - 1);
	s->limits = limits;
	json_decref(s->labels);
	s->labels = json_object();
	merge_map(s->labels, labels);
	json_object_set_new(s->labels, OWNER_LABEL, json_string(owner));
	json_decref(s->probe);
	s->probe = json_object_size(probe) > 0 ? json_deep_copy(probe) : NULL;
	if (word(object, "network"))
		s->private_network = strcmp(word(object, "network"), "private") == 0;
	if (word(object, "parent"))
		snprintf(s->parent, sizeof(s->parent), "%s", word(object, "parent"));
	if (word(object, "desired"))
		s->running = strcmp(word(object, "desired"), "running") == 0;
	if (json_is_boolean(paused))
		s->paused = json_is_true(paused);
	return 0;
}
