/* Who comes along, and under which name, port and number. */
#include "control/takeover.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "control/plan.h"
#include "git/refs.h"
#include "git/tagfile.h"
#include "nix/lock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 400
#define APPLIED "/applied/"

void takeover_warn(json_t *list, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(list, json_string(text));
}

static void ignore(struct takeover *t, const char *name, const char *why)
{
	json_array_append_new(t->ignored, json_pack("{s:s,s:s}", "name", name, "why", why));
}

static bool is_asked_for(const struct takeover *t, const char *name)
{
	return !t->names || json_holds(t->names, name);
}

/* ---- their meta ---- */

/* "file:///var/lib/hyperhive/applied/alice" is of alice. */
static bool name_of(const char *url, char ret[AGENT_NAME_MAX + 1])
{
	const char *at = url ? strstr(url, APPLIED) : NULL;
	size_t n;

	if (!at)
		return false;
	at += strlen(APPLIED);
	n = strcspn(at, "/?");
	if (n == 0 || n > AGENT_NAME_MAX)
		return false;
	memcpy(ret, at, n);
	ret[n] = '\0';
	return name_check(ret, NULL) == 0;
}

static void take_node(const char *node, const json_t *locked, void *data)
{
	struct takeover *t = data;
	const char *url = json_string_value(json_object_get(locked, "url"));
	const char *rev = json_string_value(json_object_get(locked, "rev"));
	const char *owner = json_string_value(json_object_get(locked, "owner"));
	const char *repo = json_string_value(json_object_get(locked, "repo"));
	const char *type = json_string_value(json_object_get(locked, "type"));
	_cleanup_free_ char *text = NULL, *shown = NULL;
	char name[AGENT_NAME_MAX + 1];

	if (name_of(url, name)) {
		json_put_str(t->locked, name, rev ? rev : "");
		return;
	}
	if (owner && repo && type)
		text = str_format("%s:%s/%s%s%s", type, owner, repo, rev ? "/" : "",
				  rev ? rev : "");
	else if (url)
		text = str_format("%s%s%s", url, rev ? "?rev=" : "", rev ? rev : "");
	else
		return;
	shown = text_clean_dup(text, 300, false);
	json_put_str(t->inputs, node, shown);
}

void takeover_take_lock(struct takeover *t, const char *text)
{
	_cleanup_(lock_freep) struct lock *lock = NULL;
	struct error err = {};

	if (lock_parse(text, strlen(text), &lock, &err) < 0) {
		takeover_warn(t->warnings, "their flake.lock cannot be read: %s",
			      error_text(&err));
		return;
	}
	t->locked = json_object();
	lock_each(lock, take_node, t);
}

/* ---- who ---- */

static int refuse(const struct takeover *t, const char *name, const char *why,
		  struct error *err)
{
	int r = error_set(err, EINVAL, "'%s' cannot be taken over: %s", name, why);

	if (!t->names)
		error_hint(err, "name the agents that are to come: skep import-hyperhive DIR "
				"AGENT...");
	return r;
}

/* 1: it comes along. */
static int judge(struct takeover *t, const char *name, const json_t *entry, struct error *err)
{
	const char *applied = json_string_value(json_object_get(entry, "applied"));
	struct error why = {};

	if (!is_asked_for(t, name))
		return 0;
	if (name_check(name, &why) < 0)
		return refuse(t, name, error_text(&why), err);
	if (strcmp(applied, "elsewhere") == 0)
		return refuse(t, name,
			      "the .git of its applied repository is no directory but "
			      "leads elsewhere",
			      err);
	if (strcmp(applied, "none") == 0 && t->names)
		return refuse(t, name, "it has no applied repository", err);
	if (strcmp(applied, "none") == 0) {
		ignore(t, name, "it has no applied repository: it was never deployed");
		return 0;
	}
	if (t->locked && !t->names && !json_object_get(t->locked, name)) {
		ignore(t, name,
		       "it is not in their meta any more: it was destroyed there, and "
		       "what it kept was not. Name it to take it over");
		return 0;
	}
	return 1;
}

static int check_here(const struct takeover *t, const char *name, struct error *err)
{
	_cleanup_free_ char *dir = hive_applied_dir(t->hive, name);
	int r = plan_check_name(t->hive, name, err);

	if (r < 0)
		return r;
	if (!hive_find_kept(t->hive, name) && access(dir, F_OK) < 0)
		return 0;
	r = error_set(err, EEXIST,
		      "an agent '%s' was destroyed here, and what it kept is still "
		      "there",
		      name);
	error_hint(err, "skep destroy --purge %s", name);
	return r;
}

static int add(struct takeover *t, const char *name, const json_t *entry, struct error *err)
{
	const struct spawn_request request = {
		.name = name,
		.limits = LIMITS_UNSET,
		.private_network = -1,
		.driver = t->hive->config->driver,
		.builder = BUILDER_NIX,
	};
	const char *config = json_string_value(json_object_get(entry, "config"));
	struct takeover_item *item;
	struct settings settings;
	int r = check_here(t, name, err);

	if (r == 0)
		r = plan_agent(t->hive, &request, &settings, err);
	if (r < 0)
		return r;
	settings.running = false;
	t->items = mem_grow(t->items, t->n_items + 1, sizeof(*t->items));
	item = &t->items[t->n_items++];
	*item = (struct takeover_item){.warnings = json_array(), .refusals = json_object()};
	snprintf(item->name, sizeof(item->name), "%s", name);
	buf_add_char(&item->skip, ' ');
	item->has_config = strcmp(config, "repository") == 0;
	item->has_state = json_is_true(json_object_get(entry, "state"));
	item->agent = hive_add(t->hive, &settings);
	item->agent->unborn = true; /* its name, port and ids are taken from now on */
	if (item->agent->settings.port != name_port(name))
		takeover_warn(item->warnings, "port %u is taken here: it gets %u",
			      (unsigned)name_port(name), (unsigned)item->agent->settings.port);
	if (!item->has_config)
		takeover_warn(item->warnings,
			      "agents/%s/config is %s: the proposed repository "
			      "begins with what is deployed",
			      name,
			      strcmp(config, "none") == 0 ? "no repository"
							  : "no ordinary repository");
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int takeover_plan(struct takeover *t, struct error *err)
{
	json_t *agents = json_object_get(t->look, "agents"), *entry, *word;
	_cleanup_free_ const char **names =
		mem_new(json_object_size(agents) + 1, sizeof(*names));
	const char *name;
	size_t n = 0, i;

	json_array_foreach (t->names, i, word)
		if (!json_object_get(agents, json_string_value(word)))
			return error_set(err, ENOENT, "there is no agent '%s' to take over",
					 json_string_value(word));
	json_object_foreach (agents, name, entry)
		names[n++] = name;
	qsort(names, n, sizeof(*names), compare_names);
	for (i = 0; i < n; i++) {
		int r;

		entry = json_object_get(agents, names[i]);
		r = judge(t, names[i], entry, err);
		if (r > 0)
			r = add(t, names[i], entry, err);
		if (r < 0)
			return r;
	}
	return t->n_items ? 0 : error_set(err, ENOENT, "there is no agent to take over");
}

/* ---- their numbers ---- */

static int on_purged_tag(const char *name, const char *oid, const struct tag *tag, void *data)
{
	enum proposal_state state;
	int64_t id;

	(void)oid;
	(void)tag;
	if (proposal_parse_ref(name, &state, &id) == 0)
		json_array_append_new(data, json_integer(id));
	return 0;
}

struct purged {
	struct repo *repo;
	json_t *ids;
};

static int on_purged(const char *name, const char *oid, void *data)
{
	struct purged *purged = data;

	(void)oid;
	return tagfile_each(purged->repo, name, on_purged_tag, purged->ids, NULL);
}

/* The numbers of agents that are gone are taken, too. */
static int read_purged(const struct hive *hive, json_t *ids, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct purged purged = {.ids = ids};
	int r = repo_open(dir, &repo, err);

	purged.repo = repo;
	return r < 0 ? r : refs_scan(dir, "refs/skep/purged/", on_purged, &purged, err);
}

static bool holds(const json_t *ids, int64_t id)
{
	json_t *other;
	size_t i;

	json_array_foreach (ids, i, other)
		if (json_integer_value(other) == id)
			return true;
	return false;
}

static int check_number(const struct takeover *t, const struct takeover_item *item, int64_t id,
			const json_t *taken, struct error *err)
{
	const struct proposal *p = hive_find_proposal(t->hive, id);
	int r = 0;

	if (p || holds(taken, id)) {
		r = error_set(err, EEXIST,
			      "number %" PRId64
			      " of '%s' has another proposal here already%s%s",
			      id, item->name, p ? ", for " : "", p ? p->agent : "");
		error_hint(err, "numbers are never given twice: take it over into a new hive");
	}
	return r;
}

int takeover_check_numbers(const struct takeover *t, struct error *err)
{
	json_t *taken = json_array(), *number;
	int r = read_purged(t->hive, taken, err);
	size_t at;

	for (size_t i = 0; i < t->n_items && r == 0; i++)
		json_array_foreach (json_object_get(t->items[i].found, "numbers"), at, number) {
			int64_t id = json_integer_value(json_object_get(number, "id"));

			if (r == 0)
				r = check_number(t, &t->items[i], id, taken, err);
			json_array_append_new(taken, json_integer(id));
		}
	json_decref(taken);
	return r;
}

/* ---- what is told ---- */

static json_t *count_states(const json_t *numbers, json_t *pending)
{
	json_t *counts = json_object(), *number;
	size_t i;

	json_array_foreach (numbers, i, number) {
		const char *state = json_string_value(json_object_get(number, "state"));
		json_t *now;

		if (strcmp(state, "proposal") == 0 || strcmp(state, "approved") == 0 ||
		    strcmp(state, "building") == 0) {
			json_array_append(pending, json_object_get(number, "id"));
			continue;
		}
		now = json_object_get(counts, state);
		json_object_set_new(counts, state, json_integer(json_integer_value(now) + 1));
	}
	return counts;
}

static json_t *report_item(const struct takeover_item *item)
{
	const struct settings *s = &item->agent->settings;
	json_t *deployed = json_object_get(item->found, "deployed"), *pending = json_array();
	json_t *row = json_pack("{s:s,s:s,s:i,s:b,s:b,s:I,s:I}", "name", item->name,
				"container", "", "port", (int)s->port, "proposed_copied",
				item->has_config, "state", item->has_state, "files",
				(json_int_t)item->files, "bytes", (json_int_t)item->bytes);
	char container[CONTAINER_NAME_SIZE];

	json_put_str(row, "container", name_container(container, item->name));
	json_object_set(row, "layout", json_object_get(item->found, "layout"));
	json_object_set(row, "deployed", json_object_get(deployed, "id"));
	json_object_set(row, "commit", json_object_get(deployed, "commit"));
	json_object_set_new(row, "counts",
			    count_states(json_object_get(item->found, "numbers"), pending));
	json_object_set_new(row, "pending", pending);
	json_object_set(row, "warnings", item->warnings);
	return row;
}

json_t *takeover_report(const struct takeover *t)
{
	json_t *agents = json_array();

	for (size_t i = 0; i < t->n_items; i++)
		json_array_append_new(agents, report_item(&t->items[i]));
	return json_pack("{s:b,s:o,s:O,s:O,s:O}", "dry_run", t->dry_run, "agents", agents,
			 "ignored", t->ignored, "inputs", t->inputs, "warnings", t->warnings);
}
