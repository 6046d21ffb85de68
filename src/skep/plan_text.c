#include "skep/plan_text.h"

#include "base/buf.h"
#include "skep/answer.h"

#include <string.h>

static const struct {
	const char *action, *mark;
	enum style style;
} kinds[] = {
	{"create", "+", STYLE_GOOD},
	{"change", "~", STYLE_WARN},
	{"remove", "-", STYLE_BAD},
	{"leave", "!", STYLE_NOTE},
};

static const char *shown(const json_t *field, const char *key)
{
	return json_object_get(field, key) ? field_str(field, key) : "-";
}

static void print_plain(struct out *out, const json_t *change)
{
	const char *agent = field_str(change, "agent"), *action = field_str(change, "action");
	json_t *fields = json_object_get(change, "fields"), *field;
	size_t i;

	if (json_array_size(fields) == 0)
		out_line(out, STYLE_PLAIN, "%s\t%s\t-\t-\t-", agent, action);
	json_array_foreach (fields, i, field) {
		const char *const columns[] = {agent, action, field_str(field, "field"),
					       shown(field, "from"), shown(field, "to")};

		for (size_t c = 0; c < 5; c++) {
			if (c > 0)
				out_raw(out, "\t", 1);
			out_add(out, STYLE_PLAIN, "%s", columns[c]);
		}
		out_end(out);
	}
}

static void print_field(struct out *out, const json_t *field, bool is_new)
{
	if (is_new)
		out_line(out, STYLE_PLAIN, "      %s: %s", field_str(field, "field"),
			 shown(field, "to"));
	else
		out_line(out, STYLE_PLAIN, "      %s: %s -> %s", field_str(field, "field"),
			 shown(field, "from"), shown(field, "to"));
}

static void print_change(struct out *out, const json_t *change)
{
	const char *action = field_str(change, "action");
	json_t *field;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].action, action) == 0)
			break;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return;
	out_add(out, kinds[i].style, "  %s", kinds[i].mark);
	out_add(out, STYLE_BOLD, " %s", field_str(change, "agent"));
	if (strcmp(action, "leave") == 0)
		out_add(out, STYLE_DIM, ": not declared any more; --prune destroys it");
	else
		out_add(out, STYLE_DIM, ": %s", action);
	out_end(out);
	json_array_foreach (json_object_get(change, "fields"), i, field)
		print_field(out, field, strcmp(action, "create") == 0);
}

void plan_print(struct out *out, const json_t *plan, bool plain)
{
	json_t *change;
	size_t i;

	json_array_foreach (json_object_get(plan, "changes"), i, change) {
		if (strcmp(field_str(change, "action"), "none") == 0)
			continue;
		if (plain)
			print_plain(out, change);
		else
			print_change(out, change);
	}
}

int64_t plan_changes(const json_t *plan)
{
	return field_int(plan, "create") + field_int(plan, "change") +
	       field_int(plan, "remove");
}

char *plan_summary(const json_t *plan)
{
	return str_format("%lld to create, %lld to change, %lld to remove, %lld as declared",
			  (long long)field_int(plan, "create"),
			  (long long)field_int(plan, "change"),
			  (long long)field_int(plan, "remove"),
			  (long long)field_int(plan, "none"));
}
