#include "skep/effect.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "model/oid.h"
#include "skep/rows.h"

#include <string.h>

#define MIB (1 << 20)

static enum style style_of(const char *change)
{
	if (strcmp(change, "added") == 0)
		return STYLE_GOOD;
	return strcmp(change, "removed") == 0 ? STYLE_BAD : STYLE_NOTE;
}

/* "+ a.service": one line per thing that is added, removed or changed. */
static void print_changes(struct out *out, const char *title, const json_t *list,
			  const char *key)
{
	json_t *row;
	size_t i;

	if (!json_is_array(list))
		return;
	if (json_array_size(list) == 0) {
		field_print(out, title, STYLE_PLAIN, "no change");
		return;
	}
	json_array_foreach (list, i, row) {
		const char *change = field_str(row, "change");

		field_print(out, i == 0 ? title : "", style_of(change), "%s %s", change,
			    field_str(row, key));
	}
}

static double mib(const json_t *row, const char *key)
{
	return (double)field_int(row, key) / MIB;
}

static const char *file_of(const json_t *row, const char *key)
{
	const char *path = field_str(row, key), *name = strrchr(path, '/');
	const char *dash = name ? strchr(name, '-') : NULL;

	return dash ? dash + 1 : path;
}

static void print_paths(struct out *out, const json_t *closure)
{
	static const char *const keys[] = {"added", "removed"};
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(closure, "changed"), i, row)
		field_print(out, "changed", STYLE_NOTE, "%s → %s, %+.1f MiB",
			    file_of(row, "from"), file_of(row, "to"),
			    mib(row, "bytes") - mib(row, "bytes_before"));
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
		json_array_foreach (json_object_get(closure, keys[k]), i, row)
			field_print(out, keys[k], style_of(keys[k]), "%s, %.1f MiB",
				    file_of(row, "path"), mib(row, "bytes"));
	if (field_bool(closure, "truncated"))
		out_line(out, STYLE_BAD, "there are more; not all are shown");
}

/* Before and after, in one line each where they differ. */
static void print_pair(struct out *out, const char *title, const json_t *pair)
{
	_cleanup_free_ char *before = NULL, *after = NULL;

	if (!pair)
		return;
	if (!field_bool(pair, "changed")) {
		field_print(out, title, STYLE_PLAIN, "no change");
		return;
	}
	before = json_dumps(json_object_get(pair, "before"), JSON_ENCODE_ANY);
	after = json_dumps(json_object_get(pair, "after"), JSON_ENCODE_ANY);
	field_print(out, title, STYLE_BAD, "%s", before ? before : "");
	field_print(out, "", STYLE_GOOD, "%s", after ? after : "");
}

static void print_system(struct out *out, const json_t *effect)
{
	const char *state = field_str(effect, "state");
	const json_t *closure = json_object_get(effect, "closure");

	if (strcmp(state, "none") == 0 || strcmp(state, "building") == 0)
		out_line(out, STYLE_NOTE,
			 "its system is %s: what it changes is known when that is done",
			 state[0] == 'n' ? "built when the hive has nothing else to do"
					 : "being built");
	if (field_str(effect, "error")[0]) {
		out_line(out, STYLE_BAD, "it cannot be built:");
		out_lines(out, STYLE_PLAIN, "  ", field_str(effect, "error"));
	}
	if (field_str(effect, "system")[0])
		field_print(out, "system", STYLE_PLAIN, "%s", field_str(effect, "system"));
	if (!closure)
		return;
	field_print(out, "closure", STYLE_PLAIN, "%.1f MiB, %+.1f MiB", mib(closure, "bytes"),
		    mib(closure, "bytes") - mib(closure, "bytes_before"));
	print_paths(out, closure);
}

/* "nixpkgs 1111111 (2026-01-31) → 2222222 (2026-02-28)" */
static void print_revision(struct buf *text, const json_t *end)
{
	const char *rev = field_str(end, "rev");

	buf_addf(text, "%.*s", oid_is_valid(rev) ? OID_SHORT : 60,
		 rev[0]                     ? rev
		 : field_str(end, "url")[0] ? field_str(end, "url")
					    : "?");
	if (field_str(end, "at")[0])
		buf_addf(text, " (%.10s)", field_str(end, "at"));
}

void effect_print_inputs(struct out *out, const json_t *inputs)
{
	json_t *row;
	size_t i;

	json_array_foreach (inputs, i, row) {
		const json_t *from = json_object_get(row, "from"),
			     *to = json_object_get(row, "to");
		_cleanup_buf_ struct buf text = {};

		if (from)
			print_revision(&text, from);
		buf_add_str(&text, from && to ? " → " : from ? ", removed" : "added, ");
		if (to)
			print_revision(&text, to);
		if (from && to && strcmp(field_str(from, "url"), field_str(to, "url")) != 0)
			buf_addf(&text, ", of %s instead of %s", field_str(to, "url"),
				 field_str(from, "url"));
		field_print(out, i == 0 ? "inputs" : "", STYLE_BOLD, "%s %s",
			    field_str(row, "name"), buf_str(&text));
	}
}

int effect_show(struct cli *cli, int64_t id, struct error *err)
{
	json_auto_t *request = cli_request("effect"), *answer = NULL;
	struct out *out = &cli->out;
	const json_t *effect;
	int r;

	json_object_set_new(request, "id", json_integer(id));
	r = cli_call(cli, TAKE_PTR(request), &answer, err);
	if (r < 0 || cli_print_json(cli, answer, "effect"))
		return r;
	effect = json_object_get(answer, "effect");
	if (json_object_get(effect, "inputs")) {
		effect_print_inputs(out, json_object_get(effect, "inputs"));
		return cli_finish_page(cli, err);
	}
	print_system(out, effect);
	print_changes(out, "units", json_object_get(effect, "units"), "name");
	print_changes(out, "ports", json_object_get(effect, "ports"), "port");
	print_pair(out, "limits", json_object_get(effect, "limits"));
	print_pair(out, "probe", json_object_get(effect, "probe"));
	field_print(out, "binds", STYLE_PLAIN, "no change: a commit has no say in them");
	if (field_bool(effect, "truncated"))
		out_line(out, STYLE_BAD,
			 "the proposal is too large to be looked through whole");
	return cli_finish_page(cli, err);
}
