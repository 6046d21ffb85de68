#include "control/scope.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "control/lifecycle.h"
#include "model/names.h"

#include <errno.h>
#include <string.h>

static int refuse_classes(const json_t *scope, struct error *err)
{
	static const char *const classes[] = {"ci", "forge", "gateway", "matrix"};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		bool asked = false;
		int r = json_get_bool(scope, classes[i], false, &asked, err);

		if (r < 0)
			return r;
		if (asked)
			return error_set(err, EOPNOTSUPP, "this hive runs no '%s'", classes[i]);
	}
	return 0;
}

/* Adds a name once, the manager's before all others. */
static void add_name(json_t *names, const char *name)
{
	if (json_holds(names, name))
		return;
	if (name_is_manager(name))
		json_array_insert_new(names, 0, json_string(name));
	else
		json_array_append_new(names, json_string(name));
}

static int add_named(struct session *s, const json_t *wanted, json_t *names, struct error *err)
{
	json_t *value;
	size_t i;

	json_array_foreach (wanted, i, value) {
		json_t *one = json_pack("{s:O}", "name", value);
		struct agent *agent;
		int r = dispatch_child(s, one, "name", &agent, err);

		json_decref(one);
		if (r < 0)
			return r;
		add_name(names, agent->settings.name);
	}
	return 0;
}

/* What a scope says: every agent this session may start and stop, those with a label, those it
 * names. */
static int read_scope(struct session *s, const json_t *scope, json_t *names, struct error *err)
{
	json_t *wanted = NULL, *labels = NULL;
	bool agents = false, all = false;
	int r;

	if ((r = refuse_classes(scope, err)) < 0 ||
	    (r = json_get_bool(scope, "agents", false, &agents, err)) < 0 ||
	    (r = json_get_bool(scope, "all", false, &all, err)) < 0 ||
	    (r = json_get_array(scope, "agent_names", false, &wanted, err)) < 0 ||
	    (r = json_get_array(scope, "labels", false, &labels, err)) < 0 ||
	    (r = add_named(s, wanted, names, err)) < 0)
		return r;
	for (size_t i = 0; i < s->hive->n_agents; i++) {
		const struct agent *a = s->hive->agents[i];

		if ((agents || all || agent_has_label(a, labels)) && dispatch_sees(s, a) &&
		    strcmp(a->settings.name, s->agent) != 0)
			add_name(names, a->settings.name);
	}
	if (json_array_size(labels) > 0 && json_array_size(names) == 0)
		return error_set(err, ENOENT, "no agent has such a label");
	if (!agents && !all && json_array_size(names) == 0)
		return error_set_code(err, EINVAL, "empty_scope", "the scope names no agent");
	return 0;
}

int scope_resolve(struct session *s, const json_t *request, json_t *names, struct error *err)
{
	json_t *scope = NULL, *value;
	struct agent *agent;
	size_t i;
	int r;

	if (json_object_get(request, "scope")) {
		r = json_get_object(request, "scope", true, &scope, err);
		if (r == 0)
			r = read_scope(s, scope, names, err);
	} else {
		r = dispatch_child(s, request, "name", &agent, err);
		if (r == 0)
			add_name(names, agent->settings.name);
	}
	json_array_foreach (names, i, value) {
		agent = hive_find(s->hive, json_string_value(value));
		if (r == 0)
			r = lifecycle_check_line(agent, err);
	}
	return r;
}
