#include "nix/lock_changes.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_MAX_BYTES 200
#define AGENT_PREFIX "agent-"

struct walk {
	json_t *nodes; /* name: its "locked" */
	const struct lock *lock;
};

static void take_node(const char *node, const json_t *locked, void *data)
{
	const struct walk *walk = data;
	char commit[OID_HEX_SIZE];

	if (strncmp(node, AGENT_PREFIX, strlen(AGENT_PREFIX)) == 0 &&
	    lock_get_agent(walk->lock, node + strlen(AGENT_PREFIX), commit))
		return;
	json_object_set(walk->nodes, node, locked ? (json_t *)locked : json_null());
}

static json_t *nodes_of(const struct lock *lock)
{
	struct walk walk = {.nodes = json_object(), .lock = lock};

	lock_each(lock, take_node, &walk);
	return walk.nodes;
}

static void put_text(json_t *to, const char *key, const char *text)
{
	_cleanup_free_ char *clean = text ? text_clean_dup(text, FIELD_MAX_BYTES, false) : NULL;

	json_put_str(to, key, clean);
}

static const char *text_of(const json_t *locked, const char *key)
{
	return json_string_value(json_object_get(locked, key));
}

/* As it would be written in flake.nix, without what says the commit. */
static void put_url(json_t *to, const json_t *locked)
{
	const char *type = text_of(locked, "type"), *owner = text_of(locked, "owner"),
		   *repo = text_of(locked, "repo"), *url = text_of(locked, "url");
	_cleanup_free_ char *hosted =
		type && owner && repo ? str_format("%s:%s/%s", type, owner, repo) : NULL;

	put_text(to, "url", hosted ? hosted : url ? url : text_of(locked, "path"));
}

static json_t *describe(const json_t *locked)
{
	const json_t *at = json_object_get(locked, "lastModified");
	const char *rev = text_of(locked, "rev");
	char when[CLOCK_TEXT_SIZE];
	json_t *row = json_object();

	put_url(row, locked);
	put_text(row, "rev", rev ? rev : text_of(locked, "narHash"));
	if (json_is_integer(at))
		json_put_str(row, "at", clock_format(when, json_integer_value(at)));
	return row;
}

static void add_change(json_t *changes, const char *node, const json_t *from, const json_t *to)
{
	json_t *row;

	if ((from && to && json_equal(from, to)) ||
	    json_array_size(changes) >= LOCK_CHANGES_MAX)
		return;
	row = json_object();
	put_text(row, "name", node);
	json_put_str(row, "change", !from ? "added" : !to ? "removed" : "changed");
	if (from)
		json_object_set_new(row, "from", describe(from));
	if (to)
		json_object_set_new(row, "to", describe(to));
	json_array_append_new(changes, row);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *lock_changes(const struct lock *from, const struct lock *to)
{
	json_auto_t *old = nodes_of(from), *new = nodes_of(to), *all = json_copy(old);
	_cleanup_free_ const char **names = NULL;
	json_t *changes = json_array(), *value;
	const char *name;
	size_t n = 0;

	json_object_update(all, new);
	names = mem_new(json_object_size(all) + 1, sizeof(*names));
	json_object_foreach (all, name, value)
		names[n++] = name;
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++)
		add_change(changes, names[i], json_object_get(old, names[i]),
			   json_object_get(new, names[i]));
	return changes;
}
