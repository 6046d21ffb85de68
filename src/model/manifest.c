#include "model/manifest.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIPTION_MAX_BYTES 1000
#define ENV_NAME_MAX 128
#define ENV_VALUE_MAX 1024
#define ARGV_MAX 32
#define ARG_MAX_BYTES 1024
#define TIME_MAX_S 600
#define GRACE_DEFAULT_S 20
#define SOAK_DEFAULT_S 2
#define SHOWN_MAX 60

static const struct {
	const char *name;
	enum probe_kind kind;
} probe_kinds[] = {
	{"default", PROBE_DEFAULT},
	{"none", PROBE_NONE},
	{"command", PROBE_COMMAND},
	{"tcp", PROBE_TCP},
};

const char *probe_kind_name(enum probe_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(probe_kinds); i++)
		if (probe_kinds[i].kind == kind)
			return probe_kinds[i].name;
	return "default";
}

static void free_strings(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

static bool has_control(const char *s)
{
	size_t size = strlen(s);

	while (size > 0) {
		uint32_t c = 0;
		size_t n = text_decode(s, size, &c);

		if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
			return true;
		s += n;
		size -= n;
	}
	return false;
}

/*
 * What the controller and the container's own systemd decide about is not the agent's to set.
 */
static bool is_reserved_env(const char *name)
{
	static const char *const prefixes[] = {"HIVE_", "LD_", "SYSTEMD_"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return strcmp(name, "PATH") == 0;
}

static int check_env_name(const char *name, struct error *err)
{
	size_t size = strlen(name);
	_cleanup_free_ char *shown = NULL;

	if (size > 0 && size <= ENV_NAME_MAX && !(name[0] >= '0' && name[0] <= '9') &&
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == size) {
		if (is_reserved_env(name))
			return error_set(err, EINVAL, "'environment' may not set '%s'", name);
		return 0;
	}
	shown = text_clean_dup(name, SHOWN_MAX, false);
	return error_set(err, EINVAL,
			 "'environment': '%s' is not a name: 1 to %d characters A-Z, 0-9 and "
			 "'_', first no digit",
			 shown, ENV_NAME_MAX);
}

static int check_env_value(const char *name, const json_t *value, struct error *err)
{
	const char *text = json_string_value(value);
	_cleanup_free_ char *line = NULL, *shown = NULL;

	if (text && strlen(text) <= ENV_VALUE_MAX && !has_control(text))
		return 0;
	line = json_line(value);
	shown = text_clean_dup(line ? line : "?", SHOWN_MAX, false);
	return error_set(err, EINVAL,
			 "'environment': '%s' must be a string of at most %d bytes without "
			 "control characters, not %s",
			 name, ENV_VALUE_MAX, shown);
}

static int parse_env(json_t *object, char ***ret, struct error *err)
{
	const char *name;
	json_t *value;
	size_t n = 0;
	char **env;

	if (json_object_size(object) > MANIFEST_MAX_ENV)
		return error_set(err, EINVAL,
				 "'environment' has %zu entries, at most %d are accepted",
				 json_object_size(object), MANIFEST_MAX_ENV);
	json_object_foreach (object, name, value) {
		int r = check_env_name(name, err);

		if (r == 0)
			r = check_env_value(name, value, err);
		if (r < 0)
			return r;
	}
	env = mem_new(json_object_size(object) + 1, sizeof(*env));
	json_object_foreach (object, name, value)
		env[n++] = str_format("%s=%s", name, json_string_value(value));
	free_strings(*ret);
	*ret = env;
	return 0;
}

static int parse_argv(json_t *list, char ***ret, struct error *err)
{
	size_t n = json_array_size(list);
	char **argv;

	if (n == 0 || n > ARGV_MAX)
		return error_set(err, EINVAL, "'command' must have 1 to %d words, not %zu",
				 ARGV_MAX, n);
	for (size_t i = 0; i < n; i++) {
		const char *word = json_string_value(json_array_get(list, i));

		if (!word || strlen(word) > ARG_MAX_BYTES || (i == 0 && !*word))
			return error_set(
				err, EINVAL,
				"'command': word %zu must be a string of at most %d bytes%s",
				i + 1, ARG_MAX_BYTES, i == 0 ? " and not empty" : "");
	}
	argv = mem_new(n + 1, sizeof(*argv));
	for (size_t i = 0; i < n; i++)
		argv[i] = str_dup(json_string_value(json_array_get(list, i)));
	*ret = argv;
	return 0;
}

static int parse_probe_kind(const char *name, enum probe_kind *ret, struct error *err)
{
	_cleanup_free_ char *shown = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(probe_kinds); i++) {
		if (strcmp(probe_kinds[i].name, name) != 0)
			continue;
		*ret = probe_kinds[i].kind;
		return 0;
	}
	shown = text_clean_dup(name, SHOWN_MAX, false);
	return error_set(err, EINVAL, "'kind' must be default, none, command or tcp, not '%s'",
			 shown);
}

static int parse_time(const json_t *object, const char *key, int64_t *ret_ms, struct error *err)
{
	int64_t s = *ret_ms / 1000;
	int r = json_get_int(object, key, false, 0, TIME_MAX_S, &s, err);

	if (r == 0)
		*ret_ms = s * 1000;
	return r;
}

static int parse_probe(json_t *object, struct probe *probe, struct error *err)
{
	static const char *const keys[] = {"kind", "command", "port", "grace", "soak", NULL};
	const char *kind = NULL;
	json_t *command = NULL;
	int64_t port = 0;
	int r = json_only_keys(object, keys, "'probe'", err);

	if (r == 0)
		r = json_get_str(object, "kind", true, &kind, err);
	if (r == 0)
		r = parse_probe_kind(kind, &probe->kind, err);
	if (r == 0)
		r = json_get_array(object, "command", probe->kind == PROBE_COMMAND, &command,
				   err);
	if (r == 0)
		r = json_get_int(object, "port", false, 1, UINT16_MAX, &port, err);
	if (r == 0)
		r = parse_time(object, "grace", &probe->grace_ms, err);
	if (r == 0)
		r = parse_time(object, "soak", &probe->soak_ms, err);
	if (r < 0)
		return r;
	if (command && probe->kind != PROBE_COMMAND)
		return error_set(err, EINVAL, "'command' is for probes of kind command, not %s",
				 kind);
	if (port && probe->kind != PROBE_TCP)
		return error_set(err, EINVAL, "'port' is for probes of kind tcp, not %s", kind);
	probe->port = (uint16_t)port;
	return command ? parse_argv(command, &probe->argv, err) : 0;
}

int probe_lay_over(struct probe *probe, const json_t *object, struct error *err)
{
	static const char *const times[] = {"grace", "soak", NULL};
	struct probe wanted = {.grace_ms = probe->grace_ms, .soak_ms = probe->soak_ms};
	int r;

	if (!json_object_get(object, "kind")) {
		if ((r = json_only_keys(object, times, "'probe' without a kind", err)) < 0 ||
		    (r = parse_time(object, "grace", &probe->grace_ms, err)) < 0)
			return r;
		return parse_time(object, "soak", &probe->soak_ms, err);
	}
	r = parse_probe((json_t *)object, &wanted, err);
	if (r < 0)
		return r;
	free_strings(probe->argv);
	*probe = wanted;
	return 0;
}

json_t *probe_to_json(const struct probe *probe)
{
	json_t *object = json_pack("{s:s}", "kind", probe_kind_name(probe->kind)), *words;

	if (probe->kind == PROBE_TCP && probe->port > 0)
		json_object_set_new(object, "port", json_integer(probe->port));
	if (probe->kind == PROBE_COMMAND) {
		words = json_array();
		for (char **word = probe->argv; word && *word; word++)
			json_array_append_new(words, json_string(*word));
		json_object_set_new(object, "command", words);
	}
	json_object_set_new(object, "grace", json_integer(probe->grace_ms / 1000));
	json_object_set_new(object, "soak", json_integer(probe->soak_ms / 1000));
	return object;
}

static int parse_description(const json_t *object, char **ret, struct error *err)
{
	const char *text = NULL;
	int r = json_get_str(object, "description", false, &text, err);

	if (r < 0 || !text)
		return r;
	if (strlen(text) > DESCRIPTION_MAX_BYTES)
		return error_set(err, EINVAL, "'description' is longer than %d bytes",
				 DESCRIPTION_MAX_BYTES);
	*ret = text_clean_dup(text, 4 * DESCRIPTION_MAX_BYTES, false);
	return 0;
}

static int parse_limits(json_t *object, struct limits *ret, struct error *err)
{
	static const char *const keys[] = {"memory_max", "cpu_quota", "tasks_max", NULL};
	int r = json_only_keys(object, keys, "'limits'", err);

	return r < 0 ? r : limits_from_json(object, ret, err);
}

static int parse_object(const json_t *root, struct manifest *manifest, struct error *err)
{
	static const char *const keys[] = {"description", "environment", "limits", "probe",
					   NULL};
	json_t *env = NULL, *limits = NULL, *probe = NULL;
	int r;

	if (!json_is_object(root))
		return error_set(err, EINVAL, "it must be an object");
	r = json_only_keys(root, keys, "it", err);
	if (r == 0)
		r = parse_description(root, &manifest->description, err);
	if (r == 0)
		r = json_get_object(root, "environment", false, &env, err);
	if (r == 0 && env)
		r = parse_env(env, &manifest->env, err);
	if (r == 0)
		r = json_get_object(root, "limits", false, &limits, err);
	if (r == 0 && limits)
		r = parse_limits(limits, &manifest->limits, err);
	if (r == 0)
		r = json_get_object(root, "probe", false, &probe, err);
	if (r == 0 && probe)
		r = parse_probe(probe, &manifest->probe, err);
	return r;
}

int manifest_parse(const char *data, size_t size, struct manifest *ret, struct error *err)
{
	json_auto_t *root = NULL;
	struct manifest manifest;
	int r;

	if (size > MANIFEST_MAX_BYTES)
		return error_set(err, EINVAL, MANIFEST_PATH " is larger than %d bytes",
				 MANIFEST_MAX_BYTES);
	r = json_parse(data, size, &root, err);
	if (r < 0) {
		(void)error_prefix(err, MANIFEST_PATH);
		return r;
	}
	manifest_init(&manifest);
	r = parse_object(root, &manifest, err);
	if (r < 0) {
		manifest_release(&manifest);
		(void)error_prefix(err, MANIFEST_PATH);
		return r;
	}
	*ret = manifest;
	return 0;
}

void manifest_init(struct manifest *manifest)
{
	*manifest = (struct manifest){
		.env = mem_new(1, sizeof(char *)),
		.limits = LIMITS_UNSET,
		.probe = {.kind = PROBE_DEFAULT,
			  .grace_ms = GRACE_DEFAULT_S * 1000,
			  .soak_ms = SOAK_DEFAULT_S * 1000},
	};
}

void manifest_release(struct manifest *manifest)
{
	free(manifest->description);
	free_strings(manifest->env);
	free_strings(manifest->probe.argv);
	*manifest = (struct manifest){};
}
