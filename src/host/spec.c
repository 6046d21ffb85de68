#include "host/spec.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

#define SPEC_FILE_MAX (512u * 1024)
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
#define ENV_NAME_MAX 128

static const char *const keys[] = {"agent",  "role",  "uid_base",       "system", "network",
				   "port",   "label", "dashboard_port", "env",    "limits",
				   "frozen", "fresh", "driver",         NULL};
static const char *const limit_keys[] = {"memory_max_bytes", "cpu_quota_percent", "tasks_max",
					 NULL};

/* What skep itself sets, and what would change how programs are loaded or systemd works. */
static const char *const reserved[] = {"HIVE_", "LD_", "SYSTEMD_"};

int uid_base_check(const char *key, int64_t base, struct error *err)
{
	if (base < UID_BASE_FIRST || base > UID_BASE_LAST || base % UID_RANGE != 0)
		return error_set(err, EINVAL,
				 "'%s' must be a multiple of %u from %u to %u, not %lld", key,
				 UID_RANGE, UID_BASE_FIRST, UID_BASE_LAST, (long long)base);
	return 0;
}

/* Text that reaches a container's environment: one line, no control characters, so that it can
 * be quoted. */
static bool is_plain_line(const char *s)
{
	if (!text_is_utf8(s, strlen(s)))
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return false;
	return true;
}

static int check_env(const char *entry, struct error *err)
{
	size_t name = strspn(entry, NAME_CHARACTERS);
	_cleanup_free_ char *shown = text_clean_dup(entry, 80, false);

	if (name == 0 || name > ENV_NAME_MAX || entry[name] != '=' ||
	    (entry[0] >= '0' && entry[0] <= '9'))
		return error_set(err, EINVAL, "'env' entry '%s' is not NAME=value", shown);
	if (strlen(entry) > SPEC_MAX_ENV_BYTES)
		return error_set(err, EINVAL, "'env' entry '%s' is longer than %d bytes", shown,
				 SPEC_MAX_ENV_BYTES);
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strncmp(entry, reserved[i], strlen(reserved[i])) == 0)
			return error_set(err, EINVAL, "'env' entry '%s' uses a reserved name",
					 shown);
	if (!is_plain_line(entry))
		return error_set(err, EINVAL,
				 "'env' entry '%s' has a control character or is not UTF-8",
				 shown);
	return 0;
}

static int parse_env(const json_t *object, char ***ret, struct error *err)
{
	json_t *list = NULL, *item;
	size_t i;
	int r = json_get_array(object, "env", false, &list, err);

	if (r < 0)
		return r;
	if (json_array_size(list) > SPEC_MAX_ENV)
		return error_set(err, EINVAL, "'env' has more than %d entries", SPEC_MAX_ENV);
	*ret = mem_new(json_array_size(list) + 1, sizeof(char *));
	json_array_foreach (list, i, item) {
		if (!json_is_string(item))
			return error_set(err, EINVAL, "'env' must be a list of strings");
		r = check_env(json_string_value(item), err);
		if (r < 0)
			return r;
		(*ret)[i] = str_dup(json_string_value(item));
	}
	return 0;
}

static int choice(const json_t *object, const char *key, const char *no, const char *yes,
		  bool *ret, struct error *err)
{
	const char *text = NULL;
	_cleanup_free_ char *shown = NULL;
	int r = json_get_str(object, key, true, &text, err);

	if (r < 0)
		return r;
	if (strcmp(text, no) != 0 && strcmp(text, yes) != 0) {
		shown = text_clean_dup(text, 40, false);
		return error_set(err, EINVAL, "'%s' must be \"%s\" or \"%s\", not \"%s\"", key,
				 no, yes, shown);
	}
	*ret = strcmp(text, yes) == 0;
	return 0;
}

static int parse_port(const json_t *object, const char *key, uint16_t *ret, struct error *err)
{
	int64_t value = 0;
	int r = json_get_int(object, key, true, 1, UINT16_MAX, &value, err);

	if (r == 0)
		*ret = (uint16_t)value;
	return r;
}

static int parse_identity(const json_t *object, struct container_spec *spec, struct error *err)
{
	const char *agent = NULL;
	int64_t base = 0;
	int r = json_get_str(object, "agent", true, &agent, err);

	if (r == 0)
		r = name_check(agent, err);
	if (r < 0)
		return r;
	strcpy(spec->agent, agent);
	name_container(spec->container, agent);
	r = choice(object, "role", "agent", "manager", &spec->manager, err);
	if (r == 0 && spec->manager != name_is_manager(agent))
		r = error_set(err, EINVAL,
			      "'role' cannot be \"%s\" for '%s': the manager is '%s'",
			      spec->manager ? "manager" : "agent", agent, MANAGER_NAME);
	if (r == 0)
		r = json_get_int(object, "uid_base", true, 0, UINT32_MAX, &base, err);
	if (r == 0)
		r = uid_base_check("uid_base", base, err);
	if (r == 0)
		spec->uid_base = (uid_t)base;
	return r;
}

static int parse_contents(const json_t *object, struct container_spec *spec, struct error *err)
{
	const char *system = NULL, *label = NULL;
	const char *driver = driver_kind_name(DRIVER_NSPAWN);
	json_t *limits = NULL;
	bool frozen = false;
	int r = json_get_str(object, "system", true, &system, err);

	if (r < 0)
		return r;
	if (!system_is_valid(system))
		return error_set(err, EINVAL,
				 "'system' must be 40 lower-case hexadecimal digits or a path "
				 "in " SYSTEM_STORE_DIR);
	strcpy(spec->system, system);
	r = json_get_str(object, "driver", false, &driver, err);
	if (r == 0)
		r = driver_kind_parse(driver, &spec->driver, err);
	if (r == 0 && spec->driver == DRIVER_NIXOS_CONTAINER && !system_is_store(system))
		r = error_set(err, EINVAL,
			      "'system' must be a path in " SYSTEM_STORE_DIR
			      " for driver nixos-container");
	if (r == 0)
		r = choice(object, "network", "host", "private", &spec->private_network, err);
	if (r == 0)
		r = parse_port(object, "port", &spec->port, err);
	if (r == 0)
		r = parse_port(object, "dashboard_port", &spec->dashboard_port, err);
	if (r == 0)
		r = json_get_str(object, "label", true, &label, err);
	if (r == 0 && (strlen(label) > SPEC_MAX_LABEL_BYTES || !is_plain_line(label)))
		r = error_set(err, EINVAL, "'label' must be one line of at most %d bytes",
			      SPEC_MAX_LABEL_BYTES);
	if (r == 0)
		spec->label = str_dup(label);
	if (r == 0)
		r = json_get_bool(object, "frozen", false, &frozen, err);
	if (r == 0 && frozen)
		r = error_set(err, EOPNOTSUPP, "'frozen' containers are not supported");
	if (r == 0)
		r = json_get_bool(object, "fresh", false, &spec->fresh, err);
	if (r == 0)
		r = json_get_object(object, "limits", true, &limits, err);
	if (r == 0)
		r = spec_limits_parse(limits, &spec->limits, err);
	return r;
}

int spec_limits_parse(const json_t *object, struct limits *ret, struct error *err)
{
	struct limits l = LIMITS_UNSET;
	int r = json_only_keys(object, limit_keys, "'limits'", err);

	if (r == 0)
		r = json_get_int(object, "memory_max_bytes", true, 16LL << 20, 1LL << 40,
				 &l.memory_max_bytes, err);
	if (r == 0)
		r = json_get_int(object, "cpu_quota_percent", true, 1, 100000,
				 &l.cpu_quota_percent, err);
	if (r == 0)
		r = json_get_int(object, "tasks_max", true, 16, 1000000, &l.tasks_max, err);
	if (r == 0)
		*ret = l;
	return r;
}

int spec_parse(const json_t *object, struct container_spec *ret, struct error *err)
{
	struct container_spec spec = {};
	int r;

	if (!json_is_object(object))
		return error_set(err, EINVAL, "a container specification must be an object");
	r = json_only_keys(object, keys, "the container specification", err);
	if (r == 0)
		r = parse_identity(object, &spec, err);
	if (r == 0)
		r = parse_contents(object, &spec, err);
	if (r == 0)
		r = parse_env(object, &spec.env, err);
	if (r < 0) {
		spec_release(&spec);
		return r;
	}
	*ret = spec;
	return 0;
}

json_t *spec_to_json(const struct container_spec *spec)
{
	json_t *env = json_array(), *object;

	for (char **e = spec->env; e && *e; e++)
		json_array_append_new(env, json_string(*e));
	object = json_pack("{s:s, s:s, s:I, s:s, s:s, s:i, s:s, s:i, s:o, s:{s:I, s:I, s:I}}",
			   "agent", spec->agent, "role", spec->manager ? "manager" : "agent",
			   "uid_base", (json_int_t)spec->uid_base, "system", spec->system,
			   "network", spec->private_network ? "private" : "host", "port",
			   (int)spec->port, "label", spec->label, "dashboard_port",
			   (int)spec->dashboard_port, "env", env, "limits", "memory_max_bytes",
			   (json_int_t)spec->limits.memory_max_bytes, "cpu_quota_percent",
			   (json_int_t)spec->limits.cpu_quota_percent, "tasks_max",
			   (json_int_t)spec->limits.tasks_max);
	if (spec->driver != DRIVER_NSPAWN)
		json_put_str(object, "driver", driver_kind_name(spec->driver));
	return object;
}

void spec_release(struct container_spec *spec)
{
	for (char **e = spec->env; e && *e; e++)
		free(*e);
	free(spec->env);
	free(spec->label);
	spec->env = NULL;
	spec->label = NULL;
}

int spec_read(int dir_fd, const char *path, struct container_spec *ret, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	json_t *object = NULL;
	int r = file_read(dir_fd, path, SPEC_FILE_MAX, &text, err);

	if (r < 0)
		return r;
	r = json_parse(text.data, text.size, &object, err);
	if (r == 0)
		r = spec_parse(object, ret, err);
	json_decref(object);
	if (r < 0)
		(void)error_prefix(err, "'%s'", path);
	return r;
}

char *spec_hash(char out[SPEC_HASH_SIZE], const struct container_spec *spec)
{
	json_t *object = spec_to_json(spec);
	_cleanup_free_ char *line = json_line(object);
	uint64_t hash = 14695981039346656037u;

	for (const char *c = line; c && *c; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211u;
	snprintf(out, SPEC_HASH_SIZE, "%016llx", (unsigned long long)hash);
	json_decref(object);
	return out;
}
