#include "skep-exec/table.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "host/spec.h"
#include "host/verbs_inside.h"
#include "model/oid.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define SECOND 1000
#define MAX_ARGUMENTS 10
#define TIMEOUT_MAX_S 600
#define BUILD_MAX_S 86400

#define REQUIRED(k, t, lo, hi)                                              \
	{                                                                   \
		.key = k, .type = t, .required = true, .min = lo, .max = hi \
	}
#define OPTIONAL(k, t, lo, hi)                            \
	{                                                 \
		.key = k, .type = t, .min = lo, .max = hi \
	}
#define AGENT REQUIRED("agent", ARG_AGENT, 0, 0)
#define OWNER REQUIRED("owner", ARG_UID_BASE, 0, 0)
#define BASE REQUIRED("uid_base", ARG_UID_BASE, 0, 0)
#define URL REQUIRED("url", ARG_TEXT, 0, 200)
#define TARGET REQUIRED("target", ARG_INT, 1, INT64_MAX)
#define ARGUMENTS(...)                         \
	.arguments = (const struct argument[]) \
	{                                      \
		__VA_ARGS__ __VA_OPT__(, )     \
		{                              \
		}                              \
	}

/* clang-format off */
static const struct verb verbs[] = {
	{.name = "hello", .handler = verb_hello, .deadline_ms = 10 * SECOND, ARGUMENTS()},
	{.name = "prepare", .handler = verb_prepare, .deadline_ms = 20 * SECOND,
	 ARGUMENTS(AGENT, REQUIRED("role", ARG_TEXT, 0, 16), BASE)},
	{.name = "seed", .handler = verb_seed, .deadline_ms = 150 * SECOND,
	 ARGUMENTS(AGENT, OWNER, URL, OPTIONAL("files", ARG_LIST, 0, 500),
		   OPTIONAL("time", ARG_INT, 0, UINT32_MAX), OPTIONAL("commit", ARG_OID, 0, 0))},
	{.name = "copy-state", .handler = verb_copy_state, .deadline_ms = 600 * SECOND,
	 ARGUMENTS(AGENT, BASE, REQUIRED("from", ARG_AGENT, 0, 0),
		   REQUIRED("from_base", ARG_UID_BASE, 0, 0))},
	{.name = "remote", .handler = verb_remote, .deadline_ms = 30 * SECOND,
	 ARGUMENTS(AGENT, OWNER, URL)},
	{.name = "agent-socket", .handler = verb_agent_socket, .deadline_ms = 10 * SECOND,
	 ARGUMENTS(AGENT, BASE)},
	{.name = "pause", .handler = verb_pause, .deadline_ms = 10 * SECOND,
	 ARGUMENTS(AGENT, REQUIRED("paused", ARG_BOOL, 0, 0))},
	{.name = "freeze", .handler = verb_freeze, .deadline_ms = 20 * SECOND,
	 ARGUMENTS(AGENT, REQUIRED("frozen", ARG_BOOL, 0, 0))},
	{.name = "export", .open = export_open, .deadline_ms = 90 * SECOND, .n_fds = 1,
	 ARGUMENTS(AGENT, OWNER, OPTIONAL("from", ARG_TEXT, 0, 16), OPTIONAL("timeout_s", ARG_INT, 1, TIMEOUT_MAX_S))},
	{.name = "import-look", .handler = verb_import_look, .deadline_ms = 60 * SECOND, .n_fds = 1,
	 ARGUMENTS()},
	{.name = "import-stage", .handler = verb_import_stage, .deadline_ms = 600 * SECOND, .n_fds = 1,
	 ARGUMENTS(OWNER, OPTIONAL("agent", ARG_AGENT, 0, 0), OPTIONAL("uid_base", ARG_UID_BASE, 0, 0),
		   OPTIONAL("state", ARG_BOOL, 0, 0))},
	{.name = "import-take", .handler = verb_import_take, .deadline_ms = 60 * SECOND,
	 ARGUMENTS(REQUIRED("agents", ARG_WORDS, 0, 5000))},
	{.name = "import-drop", .handler = verb_import_drop, .deadline_ms = 300 * SECOND, ARGUMENTS()},
	{.name = "build", .handler = verb_build, .deadline_ms = 290 * SECOND, .n_fds = 1,
	 ARGUMENTS(AGENT, REQUIRED("commit", ARG_OID, 0, 0), REQUIRED("tree", ARG_OID, 0, 0),
		   OPTIONAL("base_uid", ARG_UID_BASE, 0, 0), OPTIONAL("builder", ARG_TEXT, 0, 16),
		   OPTIONAL("memo", ARG_TEXT, 0, 64), OPTIONAL("ref", ARG_TEXT, 0, 100),
		   OPTIONAL("name", ARG_AGENT, 0, 0),
		   OPTIONAL("timeout_s", ARG_INT, 1, BUILD_MAX_S),
		   OPTIONAL("memory_max_bytes", ARG_INT, 1 << 20, INT64_MAX))},
	{.name = "lock", .handler = verb_lock, .deadline_ms = 290 * SECOND, .n_fds = 1,
	 ARGUMENTS(REQUIRED("inputs", ARG_OBJECT, 0, 0), OPTIONAL("lock", ARG_LINES, 0, 131072),
		   OPTIONAL("timeout_s", ARG_INT, 1, BUILD_MAX_S),
		   OPTIONAL("memory_max_bytes", ARG_INT, 1 << 20, INT64_MAX))},
	{.name = "effect", .handler = verb_effect, .deadline_ms = 290 * SECOND, .n_fds = 1,
	 .flags = VERB_MINOR,
	 ARGUMENTS(AGENT, REQUIRED("system", ARG_TEXT, 0, 255), OPTIONAL("against", ARG_TEXT, 0, 255))},
	{.name = "gcroots", .handler = verb_gcroots, .deadline_ms = 30 * SECOND,
	 ARGUMENTS(AGENT, REQUIRED("keep", ARG_WORDS, 0, 1000))},
	{.name = "retain", .handler = verb_retain, .deadline_ms = 300 * SECOND,
	 .flags = VERB_MINOR, ARGUMENTS(REQUIRED("systems", ARG_WORDS, 0, 5000))},
	{.name = "start", .handler = verb_start, .deadline_ms = 300 * SECOND,
	 .flags = VERB_SPEC | VERB_LIFECYCLE},
	{.name = "stop", .handler = verb_stop, .deadline_ms = 60 * SECOND,
	 .flags = VERB_LIFECYCLE,
	 ARGUMENTS(AGENT, OPTIONAL("timeout_s", ARG_INT, 0, TIMEOUT_MAX_S))},
	{.name = "switch", .handler = verb_switch, .deadline_ms = 400 * SECOND,
	 .flags = VERB_SPEC | VERB_LIFECYCLE},
	{.name = "inspect", .handler = verb_inspect, .deadline_ms = 60 * SECOND,
	 ARGUMENTS(OPTIONAL("agent", ARG_AGENT, 0, 0), OPTIONAL("compare", ARG_BOOL, 0, 0))},
	{.name = "exec", .handler = verb_exec, .n_fds = 3, .flags = VERB_STOPPABLE | VERB_MINOR,
	 ARGUMENTS(AGENT, REQUIRED("argv", ARG_WORDS, 1, 1024),
		   OPTIONAL("timeout_s", ARG_INT, 1, TIMEOUT_MAX_S),
		   OPTIONAL("env", ARG_WORDS, 0, 256), OPTIONAL("user", ARG_TEXT, 0, 64),
		   OPTIONAL("cwd", ARG_TEXT, 0, 1024))},
	{.name = "shell", .handler = verb_shell, .flags = VERB_STOPPABLE | VERB_MINOR,
	 ARGUMENTS(AGENT, OPTIONAL("argv", ARG_WORDS, 1, 1024),
		   OPTIONAL("term", ARG_TEXT, 0, 64), OPTIONAL("rows", ARG_INT, 1, 2000),
		   OPTIONAL("cols", ARG_INT, 1, 2000))},
	{.name = "logs", .handler = verb_logs, .n_fds = 1, .flags = VERB_STOPPABLE | VERB_MINOR,
	 ARGUMENTS(AGENT, OPTIONAL("lines", ARG_INT, 0, 100000),
		   OPTIONAL("follow", ARG_BOOL, 0, 0), OPTIONAL("since", ARG_TEXT, 0, 64),
		   OPTIONAL("until", ARG_TEXT, 0, 64), OPTIONAL("priority", ARG_TEXT, 0, 20),
		   OPTIONAL("after_cursor", ARG_TEXT, 0, 256),
		   OPTIONAL("output", ARG_TEXT, 0, 8), OPTIONAL("mine", ARG_BOOL, 0, 0))},
	{.name = "signal", ARGUMENTS(TARGET, REQUIRED("signal", ARG_INT, 1, 64))},
	{.name = "cancel", ARGUMENTS(TARGET)},
	{.name = "limits", .handler = verb_limits, .deadline_ms = 30 * SECOND,
	 ARGUMENTS(AGENT, REQUIRED("limits", ARG_OBJECT, 0, 0))},
	{.name = "observe", .handler = verb_observe, .deadline_ms = 30 * SECOND, .flags = VERB_MINOR,
	 ARGUMENTS(REQUIRED("what", ARG_TEXT, 0, 16), OPTIONAL("agent", ARG_AGENT, 0, 0),
		   OPTIONAL("port", ARG_INT, 1, UINT16_MAX), OPTIONAL("nix", ARG_BOOL, 0, 0))},
	{.name = "adopt", .handler = verb_adopt, .deadline_ms = 30 * SECOND,
	 ARGUMENTS(AGENT, OPTIONAL("release", ARG_BOOL, 0, 0))},
	{.name = "restore", .handler = verb_restore, .deadline_ms = 150 * SECOND, ARGUMENTS(AGENT)},
	{.name = "rename", .handler = verb_rename, .deadline_ms = 120 * SECOND,
	 .flags = VERB_LIFECYCLE, ARGUMENTS(AGENT, REQUIRED("to", ARG_AGENT, 0, 0))},
	{.name = "destroy", .handler = verb_destroy, .deadline_ms = 120 * SECOND,
	 .flags = VERB_LIFECYCLE, ARGUMENTS(AGENT)},
	{.name = "purge", .handler = verb_purge, .deadline_ms = 240 * SECOND,
	 .flags = VERB_LIFECYCLE, ARGUMENTS(AGENT)},
	/* The daemon's own: a container has ended without being asked to. */
	{.name = "settle", .handler = verb_settle, .deadline_ms = 120 * SECOND,
	 .flags = VERB_INTERNAL,
	 ARGUMENTS(AGENT, REQUIRED("exit", ARG_TEXT, 0, 63), REQUIRED("clean", ARG_BOOL, 0, 0))},
};
/* clang-format on */

const struct outside_verb table_outside[] = {
	{"start", verb_start},   {"switch", verb_switch},
	{"adopt", verb_adopt},   {"restore", verb_restore},
	{"rename", verb_rename}, {"destroy", verb_destroy},
	{"purge", verb_purge},   {},
};

const struct verb *table_all(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(verbs);
	return verbs;
}

const struct verb *table_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int check_text(const struct argument *a, const json_t *value, struct error *err)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) > (size_t)a->max ||
	    (a->type == ARG_TEXT && strchr(text, '\n')))
		return error_set(err, EINVAL, "'%s' must be a line of at most %lld bytes",
				 a->key, (long long)a->max);
	return 0;
}

static int check_list(const struct argument *a, const json_t *value, struct error *err)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) > (size_t)a->max ||
	    json_array_size(value) < (size_t)a->min)
		return error_set(err, EINVAL, "'%s' must be a list of %lld to %lld items",
				 a->key, (long long)a->min, (long long)a->max);
	json_array_foreach (value, i, item)
		if (a->type == ARG_WORDS && !json_is_string(item))
			return error_set(err, EINVAL, "'%s' must be a list of strings", a->key);
	return 0;
}

static int check_one(const struct argument *a, const json_t *arguments, struct error *err)
{
	const json_t *value = json_object_get(arguments, a->key);
	const char *text = NULL;
	int64_t number = 0;
	json_t *object;
	bool truth;
	int r;

	if (!value || json_is_null(value))
		return a->required ? error_set(err, EINVAL, "'%s' is missing", a->key) : 0;
	switch (a->type) {
	case ARG_AGENT:
		r = json_get_str(arguments, a->key, true, &text, err);
		if (r == 0 && name_check(text, err) < 0)
			return error_prefix(err, "'%s'", a->key);
		return r;
	case ARG_UID_BASE:
		r = json_get_int(arguments, a->key, true, INT64_MIN, INT64_MAX, &number, err);
		return r < 0 ? r : uid_base_check(a->key, number, err);
	case ARG_OID:
		r = json_get_str(arguments, a->key, true, &text, err);
		if (r == 0 && !oid_is_valid(text))
			r = error_set(err, EINVAL,
				      "'%s' must be 40 lower-case hexadecimal digits", a->key);
		return r;
	case ARG_INT:
		return json_get_int(arguments, a->key, true, a->min, a->max, &number, err);
	case ARG_BOOL:
		return json_get_bool(arguments, a->key, true, &truth, err);
	case ARG_LINES:
	case ARG_TEXT:
		return check_text(a, value, err);
	case ARG_OBJECT:
		return json_get_object(arguments, a->key, true, &object, err);
	case ARG_WORDS:
	case ARG_LIST:
		return check_list(a, value, err);
	}
	return -EINVAL;
}

static int check_arguments(const struct verb *verb, const json_t *arguments, struct error *err)
{
	const char *keys[MAX_ARGUMENTS + 1] = {};
	struct container_spec spec = {};
	int r;

	if (verb->flags & VERB_SPEC) {
		r = spec_parse(arguments, &spec, err);
		if (r == 0)
			spec_release(&spec);
		return r;
	}
	for (size_t i = 0; verb->arguments[i].key; i++)
		keys[i] = verb->arguments[i].key;
	r = json_only_keys(arguments, keys, "the request", err);
	for (size_t i = 0; verb->arguments[i].key && r == 0; i++)
		r = check_one(&verb->arguments[i], arguments, err);
	return r;
}

int table_check(const struct verb *verb, const json_t *arguments, size_t n_fds,
		struct error *err)
{
	int r = check_arguments(verb, arguments, err);

	if (r == 0 && n_fds != verb->n_fds)
		r = error_set(err, EINVAL, "it takes %zu descriptors, not %zu", verb->n_fds,
			      n_fds);
	return r < 0 ? error_prefix(err, "%s", verb->name) : 0;
}

int64_t table_deadline_ms(const struct verb *verb, const json_t *arguments)
{
	int64_t timeout_s = 0;

	if (verb->deadline_ms == 0)
		return 0;
	(void)json_get_int(arguments, "timeout_s", false, 0, BUILD_MAX_S, &timeout_s, NULL);
	return verb->deadline_ms + timeout_s * SECOND;
}
