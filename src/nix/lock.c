#include "nix/lock.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "model/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 7
#define ROOT "root"
#define AGENT_PREFIX "agent-"
#define NODE_SIZE (sizeof(AGENT_PREFIX) + AGENT_NAME_MAX)

struct lock {
	json_t *top;            /* the whole file */
	json_t *nodes, *inputs; /* borrowed: all nodes, and the root's inputs */
	/* the lines of nodes that were written before. One that is there is replaced, never
	 * changed, but for the root. */
	json_t *lines;
};

/* ---- the bytes ---- */

static struct lock *take(json_t *top)
{
	struct lock *lock = mem_new(1, sizeof(*lock));
	json_t *root;

	lock->top = top;
	lock->nodes = json_object_get(top, "nodes");
	root = json_object_get(lock->nodes, ROOT);
	if (!json_object_get(root, "inputs"))
		json_object_set_new(root, "inputs", json_object());
	lock->inputs = json_object_get(root, "inputs");
	lock->lines = json_object();
	return lock;
}

struct lock *lock_new(void)
{
	return take(json_pack("{s:{s:{}}, s:s, s:i}", "nodes", ROOT, "root", ROOT, "version",
			      VERSION));
}

void lock_free(struct lock *lock)
{
	if (!lock)
		return;
	json_decref(lock->top);
	json_decref(lock->lines);
	free(lock);
}

static int check_inputs(const json_t *nodes, const char *name, const json_t *inputs,
			struct error *err)
{
	const char *input;
	json_t *value;

	if (inputs && !json_is_object(inputs))
		return error_set(err, EINVAL, "inputs of node '%.60s' are no object", name);
	json_object_foreach ((json_t *)inputs, input, value) {
		if (json_is_array(value))
			continue; /* follows another input */
		if (!json_is_string(value) || !json_object_get(nodes, json_string_value(value)))
			return error_set(err, EINVAL,
					 "input '%.60s' of node '%.60s' leads nowhere", input,
					 name);
	}
	return 0;
}

static int check_nodes(const json_t *nodes, struct error *err)
{
	const char *name;
	json_t *node;
	int r = 0;

	if (json_object_size(nodes) > LOCK_MAX_NODES)
		return error_set(err, E2BIG, "more than %d nodes", LOCK_MAX_NODES);
	json_object_foreach ((json_t *)nodes, name, node) {
		json_t *locked = json_object_get(node, "locked");

		if (!json_is_object(node))
			return error_set(err, EINVAL, "node '%.60s' is no object", name);
		if (strcmp(name, ROOT) != 0 && !json_is_object(locked))
			return error_set(err, EINVAL, "node '%.60s' is not locked", name);
		r = check_inputs(nodes, name, json_object_get(node, "inputs"), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check(const json_t *top, struct error *err)
{
	static const char *const keys[] = {"nodes", "root", "version", NULL};
	const char *root = NULL;
	json_t *nodes = NULL;
	int64_t version = 0;
	int r;

	if (!json_is_object(top))
		return error_set(err, EINVAL, "it is no object");
	if ((r = json_only_keys(top, keys, "flake.lock", err)) < 0 ||
	    (r = json_get_int(top, "version", true, VERSION, VERSION, &version, err)) < 0 ||
	    (r = json_get_str(top, "root", true, &root, err)) < 0 ||
	    (r = json_get_object(top, "nodes", true, &nodes, err)) < 0)
		return r;
	if (strcmp(root, ROOT) != 0 || !json_is_object(json_object_get(nodes, ROOT)))
		return error_set(err, EINVAL, "its root is not '" ROOT "'");
	return check_nodes(nodes, err);
}

int lock_parse(const char *data, size_t size, struct lock **ret, struct error *err)
{
	json_t *top = NULL;
	int r;

	if (size == 0) {
		*ret = lock_new();
		return 0;
	}
	if (size > LOCK_MAX_BYTES)
		return error_set(err, E2BIG, "flake.lock has more than %d bytes",
				 LOCK_MAX_BYTES);
	r = json_parse(data, size, &top, err);
	if (r == 0)
		r = check(top, err);
	if (r < 0) {
		json_decref(top);
		return error_prefix(err, "flake.lock");
	}
	*ret = take(top);
	return 0;
}

/* "name": {…} as it stands below "nodes". */
static json_t *render_node(const char *name, const json_t *node)
{
	json_t *key = json_string(name);
	_cleanup_free_ char *quoted = json_dumps(key, JSON_ENCODE_ANY);
	_cleanup_free_ char *text = json_dumps(node, JSON_INDENT(2) | JSON_SORT_KEYS);
	_cleanup_buf_ struct buf out = {};

	json_decref(key);
	buf_addf(&out, "    %s: ", quoted);
	/* a line ends in the structure alone: in a string it would be escaped */
	for (const char *line = text, *end; *line; line = end) {
		end = strchrnul(line, '\n');
		end += *end != '\0';
		buf_add(&out, line, (size_t)(end - line));
		if (*end)
			buf_add_str(&out, "    ");
	}
	return json_string(buf_str(&out));
}

static const json_t *lines_of(const struct lock *lock, const char *name, const json_t *node)
{
	json_t *lines = json_object_get(lock->lines, name);

	if (!lines || strcmp(name, ROOT) == 0) {
		lines = render_node(name, node);
		json_object_set_new(lock->lines, name, lines);
	}
	return lines;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *lock_write(const struct lock *lock)
{
	_cleanup_free_ const char **names =
		mem_new(json_object_size(lock->nodes) + 1, sizeof(*names));
	struct buf out = {};
	const char *name;
	json_t *node;
	size_t n = 0;

	if (json_object_size(lock->inputs) == 0)
		return str_dup("");
	json_object_foreach (lock->nodes, name, node)
		names[n++] = name;
	qsort(names, n, sizeof(*names), compare_names);
	buf_add_str(&out, "{\n  \"nodes\": {\n");
	for (size_t i = 0; i < n; i++) {
		const json_t *lines =
			lines_of(lock, names[i], json_object_get(lock->nodes, names[i]));

		buf_add(&out, json_string_value(lines), json_string_length(lines));
		buf_add_str(&out, i + 1 < n ? ",\n" : "\n");
	}
	buf_addf(&out, "  },\n  \"root\": \"" ROOT "\",\n  \"version\": %d\n}\n", VERSION);
	return buf_take(&out);
}

/* ---- what is left when something goes ---- */

static void mark(const struct lock *lock, const char *name, json_t *seen)
{
	json_t *inputs = json_object_get(json_object_get(lock->nodes, name), "inputs"), *value;
	const char *input;

	if (json_object_get(seen, name))
		return;
	json_object_set_new(seen, name, json_true());
	json_object_foreach (inputs, input, value)
		if (json_is_string(value))
			mark(lock, json_string_value(value), seen);
}

/* Takes out the nodes that nothing leads to any more. */
static void prune(struct lock *lock)
{
	json_t *seen = json_object(), *node;
	const char *name;
	void *next;

	mark(lock, ROOT, seen);
	json_object_foreach_safe (lock->nodes, next, name, node)
		if (!json_object_get(seen, name)) {
			json_object_del(lock->lines, name);
			json_object_del(lock->nodes, name);
		}
	json_decref(seen);
}

void lock_remove_input(struct lock *lock, const char *input)
{
	if (!json_object_get(lock->inputs, input))
		return;
	json_object_del(lock->inputs, input);
	prune(lock);
}

/* ---- agents ---- */

static char *node_name(char out[NODE_SIZE], const char *agent)
{
	snprintf(out, NODE_SIZE, AGENT_PREFIX "%s", agent);
	return out;
}

/* The agent that a node of this name is; NULL: it is none. */
static const char *agent_of(const struct lock *lock, const char *node)
{
	const char *target = json_string_value(json_object_get(lock->inputs, node));

	if (strncmp(node, AGENT_PREFIX, strlen(AGENT_PREFIX)) != 0 || !target ||
	    strcmp(target, node) != 0 || name_check(node + strlen(AGENT_PREFIX), NULL) < 0)
		return NULL;
	return node + strlen(AGENT_PREFIX);
}

int lock_put_agent(struct lock *lock, const char *applied_dir, const char *agent,
		   const char *commit, int64_t committed_s, struct error *err)
{
	_cleanup_free_ char *url = str_format("file://%s/%s", applied_dir, agent);
	char node[NODE_SIZE];
	json_t *value;

	node_name(node, agent);
	if (!agent_of(lock, node) &&
	    (json_object_get(lock->nodes, node) || json_object_get(lock->inputs, node)))
		return error_set(err, EEXIST,
				 "an input of another flake is named '%s' in flake.lock", node);
	value = json_pack("{s:{s:I, s:s, s:s, s:b, s:s, s:s}, s:{s:s, s:b, s:s, s:s}}",
			  "locked", "lastModified", (json_int_t)committed_s, "ref",
			  "refs/heads/main", "rev", commit, "shallow", 1, "type", "git", "url",
			  url, "original", "ref", "refs/heads/main", "shallow", 1, "type",
			  "git", "url", url);
	if (!value)
		return error_set(err, EINVAL, "'%s' cannot be locked", agent);
	json_object_set_new(lock->nodes, node, value);
	json_object_del(lock->lines, node);
	json_object_set_new(lock->inputs, node, json_string(node));
	return 0;
}

bool lock_get_agent(const struct lock *lock, const char *agent, char ret_commit[OID_HEX_SIZE])
{
	char node[NODE_SIZE];
	const char *rev;

	if (!agent_of(lock, node_name(node, agent)))
		return false;
	rev = json_string_value(
		json_object_get(json_object_get(json_object_get(lock->nodes, node), "locked"),
				"rev"));
	if (!rev || !oid_is_valid(rev))
		return false;
	memcpy(ret_commit, rev, OID_HEX_SIZE);
	return true;
}

void lock_remove_agent(struct lock *lock, const char *agent)
{
	char node[NODE_SIZE];

	if (agent_of(lock, node_name(node, agent)))
		lock_remove_input(lock, node);
}

void lock_keep_agents(struct lock *lock, bool (*keep)(const char *agent, const void *data),
		      const void *data)
{
	const char *input, *agent;
	bool gone = false;
	json_t *value;
	void *next;

	json_object_foreach_safe (lock->inputs, next, input, value) {
		agent = agent_of(lock, input);
		if (!agent || keep(agent, data))
			continue;
		gone = true;
		json_object_del(lock->inputs, input);
	}
	if (gone)
		prune(lock);
}

/* ---- what is no agent ---- */

bool lock_has_input(const struct lock *lock, const char *input)
{
	return json_object_get(lock->inputs, input) != NULL;
}

static const json_t *inner_of(const struct lock *lock, const char *input, const char *inner)
{
	const char *node = json_string_value(json_object_get(lock->inputs, input));

	if (!node)
		return NULL;
	return json_object_get(json_object_get(json_object_get(lock->nodes, node), "inputs"),
			       inner);
}

bool lock_has_inner(const struct lock *lock, const char *input, const char *inner)
{
	return inner_of(lock, input, inner) != NULL;
}

bool lock_follows(const struct lock *lock, const char *input, const char *inner)
{
	return json_is_array(inner_of(lock, input, inner));
}

static bool keep_none(const char *agent, const void *data)
{
	(void)agent;
	(void)data;
	return false;
}

char *lock_base(const struct lock *lock)
{
	struct lock *copy = take(json_deep_copy(lock->top));
	char *text;

	lock_keep_agents(copy, keep_none, NULL);
	text = lock_write(copy);
	lock_free(copy);
	return text;
}

int lock_replace_base(struct lock *lock, const struct lock *base, struct error *err)
{
	struct lock *new = take(json_deep_copy(base->top));
	const char *input;
	json_t *value;
	int r = 0;

	lock_keep_agents(new, keep_none, NULL);
	json_object_foreach (lock->inputs, input, value) {
		if (!agent_of(lock, input))
			continue;
		if (json_object_get(new->nodes, input)) {
			r = error_set(err, EEXIST,
				      "an input of another flake is named '%s' in flake.lock",
				      input);
			break;
		}
		json_object_set(new->nodes, input, json_object_get(lock->nodes, input));
		json_object_set(new->inputs, input, value);
	}
	if (r == 0) {
		json_decref(lock->top);
		json_decref(lock->lines);
		*lock = *new;
		free(new);
		return 0;
	}
	lock_free(new);
	return r;
}

void lock_each(const struct lock *lock,
	       void (*fn)(const char *node, const json_t *locked, void *data), void *data)
{
	const char *name;
	json_t *node;

	json_object_foreach (lock->nodes, name, node)
		if (strcmp(name, ROOT) != 0)
			fn(name, json_object_get(node, "locked"), data);
}
