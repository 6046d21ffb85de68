#include "skep/rows.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "model/flags.h"
#include "model/oid.h"
#include "skep/answer.h"
#include "skep/when.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LABEL_WIDTH 12

const char *agent_state(const json_t *row)
{
	const char *state = field_str(row, "state");

	if (field_bool(row, "failed"))
		return "failed";
	if (field_bool(row, "frozen"))
		return "frozen";
	if (field_bool(row, "needs_login"))
		return "needs-login";
	if (field_bool(row, "paused"))
		return "paused";
	if (state[0])
		return state;
	return field_bool(row, "running") ? "running" : "stopped";
}

enum style agent_style(const json_t *row)
{
	if (field_bool(row, "failed"))
		return STYLE_BAD;
	if (field_bool(row, "frozen") || field_bool(row, "needs_login") ||
	    field_bool(row, "paused"))
		return STYLE_WARN;
	if (strcmp(agent_state(row), "running") == 0)
		return STYLE_GOOD;
	return field_bool(row, "running") ? STYLE_NOTE : STYLE_DIM;
}

static const struct {
	const char *word, *status;
	enum style style;
} states[] = {
	{"submitted", "pending", STYLE_NOTE},  {"needs-review", "pending", STYLE_WARN},
	{"approved", "approved", STYLE_NOTE},  {"building", "approved", STYLE_NOTE},
	{"deploying", "approved", STYLE_NOTE}, {"deployed", "approved", STYLE_GOOD},
	{"failed", "failed", STYLE_BAD},       {"denied", "denied", STYLE_BAD},
	{"stale", "cancelled", STYLE_DIM},     {"superseded", "cancelled", STYLE_DIM},
	{"cancelled", "cancelled", STYLE_DIM}, {"pending", "pending", STYLE_WARN},
	{"all", "all", STYLE_PLAIN},
};

const char *proposal_word_at(size_t index)
{
	return index < ARRAY_SIZE(states) ? states[index].word : NULL;
}

const char *proposal_status_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i].word, word) == 0)
			return states[i].status;
	return NULL;
}

const char *proposal_state(const json_t *row)
{
	const char *state = field_str(row, "state");

	return state[0] ? state : field_str(row, "status");
}

enum style proposal_style(const json_t *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i].word, proposal_state(row)) == 0)
			return states[i].style;
	return STYLE_PLAIN;
}

bool proposal_is_open(const json_t *row)
{
	const char *status = proposal_status_of(proposal_state(row));

	return status && strcmp(status, "pending") == 0;
}

bool proposal_matches(const json_t *row, const char *word)
{
	if (strcmp(word, "all") == 0)
		return true;
	if (strcmp(word, "pending") == 0)
		return proposal_is_open(row);
	return strcmp(proposal_state(row), word) == 0;
}

const char *proposal_subject(const json_t *row)
{
	const char *agent = field_str(row, "agent");

	return agent[0] ? agent : "the hive";
}

bool proposal_is_of_commit(const json_t *row)
{
	const char *kind = field_str(row, "kind");

	return !kind[0] || strcmp(kind, "apply_commit") == 0;
}

const char *proposal_commit(const json_t *row)
{
	const char *commit = field_str(row, "commit_ref");

	return commit[0] ? commit : field_str(row, "commit");
}

const char *proposal_title(const json_t *row)
{
	const char *const keys[] = {"title", "commit_title", "description"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (field_str(row, keys[i])[0])
			return field_str(row, keys[i]);
	return "";
}

void proposals_print(struct out *out, const json_t *rows, bool plain, bool with_agent,
		     const char *indent)
{
	static const struct table_column columns[] = {
		{.title = "N", .right = true},
		{.title = "AGENT", .shrink_to = 8},
		{.title = "STATE"},
		{.title = "COMMIT", .drop = 1},
		{.title = "FLAGS", .right = true, .drop = 3},
		{.title = "AGE", .right = true, .drop = 2},
		{.title = "TITLE", .shrink_to = 12},
	};
	static const struct table_column without_agent[] = {
		{.title = "N", .right = true},
		{.title = "STATE"},
		{.title = "COMMIT", .drop = 1},
		{.title = "FLAGS", .right = true, .drop = 3},
		{.title = "AGE", .right = true, .drop = 2},
		{.title = "TITLE", .shrink_to = 12},
	};
	_cleanup_(table_freep) struct table *table =
		with_agent ? table_new(columns, ARRAY_SIZE(columns))
			   : table_new(without_agent, ARRAY_SIZE(without_agent));
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *at = field_str(row, "requested_at");
		size_t n_flags = json_array_size(json_object_get(row, "flags"));
		char age[24];

		table_cell(table, STYLE_BOLD, "%lld", (long long)field_int(row, "id"));
		if (with_agent)
			table_cell(table, STYLE_PLAIN, "%s",
				   field_str(row, "agent")[0] ? field_str(row, "agent") : "-");
		table_cell(table, proposal_style(row), "%s", proposal_state(row));
		table_cell(table, STYLE_DIM, "%.*s", plain ? OID_HEX_SIZE : OID_SHORT,
			   proposal_commit(row));
		table_cell(table, n_flags ? STYLE_WARN : STYLE_DIM, "%zu", n_flags);
		table_cell(table, STYLE_PLAIN, "%s",
			   plain ? at : when_age(age, at, clock_wall_s()));
		table_cell(table, STYLE_PLAIN, "%s", proposal_title(row));
	}
	table_print(table, out, plain, indent);
}

const char *flag_title(const json_t *flag)
{
	const char *name = json_string_value(flag);

	return name ? name : field_str(flag, "name");
}

/* What the row does not say, our own list of flags does. */
bool flag_blocks(const json_t *flag)
{
	const char *strength = field_str(flag, "strength");
	enum flag_kind kind;

	if (strength[0])
		return strcmp(strength, "block") == 0;
	return flag_kind_parse(flag_title(flag), &kind, NULL) == 0 &&
	       flag_strength(kind) == FLAG_BLOCK;
}

void flags_print(struct out *out, const json_t *flags, const char *indent)
{
	json_t *flag;
	size_t i;

	json_array_foreach (flags, i, flag) {
		const char *sentence = field_str(flag, "sentence"),
			   *place = field_str(flag, "place");
		bool blocks = flag_blocks(flag);

		out_add(out, blocks ? STYLE_BAD : STYLE_WARN, "%s%s %s", indent,
			blocks ? "block" : "ack", flag_title(flag));
		out_line(out, STYLE_PLAIN, "%s%s%s%s", sentence[0] ? ": " : "", sentence,
			 place[0] ? ": " : "", place);
	}
}

void field_print(struct out *out, const char *label, enum style style, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (!text || !text[0])
		return;
	out_add(out, STYLE_DIM, "%-*s", LABEL_WIDTH, label);
	out_pad(out, 1);
	out_line(out, style, "%s", text);
}
