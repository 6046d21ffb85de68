#include "model/flags.h"

#include "base/buf.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	enum flag_strength strength;
	const char *sentence;
} kinds[FLAG_KIND_COUNT] = {
	[FLAG_SYMLINK_ESCAPE] = {"symlink-escape", FLAG_BLOCK,
				 "a symbolic link leads out of the tree"},
	[FLAG_GIT_CONTROL_FILE] = {"git-control-file", FLAG_BLOCK,
				   "a file tells git or LFS to fetch content from elsewhere"},
	[FLAG_EXPORT_ATTRIBUTES] =
		{"export-attributes", FLAG_BLOCK,
		 "attributes would make the built tree differ from the reviewed one"},
	[FLAG_LFS_POINTER] = {"lfs-pointer", FLAG_BLOCK,
			      "the content of a file is not in the commit"},
	[FLAG_CASE_COLLISION] = {"case-collision", FLAG_BLOCK,
				 "two names differ only in case or in how they are encoded"},
	[FLAG_FLAKE_CHANGED] = {"flake-changed", FLAG_BLOCK, "flake.nix is not the template's"},
	[FLAG_MANIFEST_INVALID] = {"manifest-invalid", FLAG_BLOCK, "agent.json cannot be used"},
	[FLAG_INVISIBLE_CHARACTERS] =
		{"invisible-characters", FLAG_ACK,
		 "text holds characters that hide or reorder what is read"},
	[FLAG_MIXED_SCRIPT] = {"mixed-script", FLAG_ACK,
			       "a word mixes letters of scripts that look alike"},
	[FLAG_ATTRIBUTES_CHANGED] = {"attributes-changed", FLAG_ACK,
				     ".gitattributes is new or changed"},
	[FLAG_MODE_CHANGED] = {"mode-changed", FLAG_ACK,
			       "a file becomes executable, a link, or neither"},
	[FLAG_BINARY_FILE] = {"binary-file", FLAG_ACK,
			      "a file that is not text is new or changed"},
	[FLAG_LARGE_DIFF] = {"large-diff", FLAG_ACK,
			     "the difference is too large to be shown whole"},
	[FLAG_LIMITS_UP] = {"limits-up", FLAG_ACK,
			    "the agent asks for more resources than it has"},
	[FLAG_LOCK_MOVED] = {"lock-moved", FLAG_ACK,
			     "a lock file pins other inputs than before"},
	[FLAG_HISTORY_REWRITTEN] = {"history-rewritten", FLAG_ACK,
				    "the commit does not descend from the deployed one"},
};

const char *flag_name(enum flag_kind kind)
{
	return kinds[kind].name;
}

enum flag_strength flag_strength(enum flag_kind kind)
{
	return kinds[kind].strength;
}

const char *flag_sentence(enum flag_kind kind)
{
	return kinds[kind].sentence;
}

int flag_kind_parse(const char *name, enum flag_kind *ret, struct error *err)
{
	char *shown;

	for (int i = 0; i < FLAG_KIND_COUNT; i++) {
		if (strcmp(kinds[i].name, name) != 0)
			continue;
		*ret = (enum flag_kind)i;
		return 0;
	}
	shown = text_clean_dup(name, 60, false);
	error_set(err, EINVAL, "unknown flag '%s'", shown);
	free(shown);
	return -EINVAL;
}

void flags_add(struct flags *flags, enum flag_kind kind, const char *place)
{
	char *clean = text_clean_dup(place ? place : "", FLAG_PLACE_MAX, false);

	for (size_t i = 0; i < flags->count; i++) {
		if (flags->items[i].kind == kind &&
		    (strcmp(flags->items[i].place, clean) == 0 || flags->count >= FLAGS_MAX)) {
			free(clean);
			return;
		}
	}
	/*
	 * a full list still takes the first of each kind: no kind can be crowded out by another
	 */
	flags->items = mem_grow(flags->items, flags->count + 1, sizeof(*flags->items));
	flags->items[flags->count++] = (struct flag){.kind = kind, .place = clean};
}

bool flags_has(const struct flags *flags, enum flag_kind kind)
{
	for (size_t i = 0; i < flags->count; i++)
		if (flags->items[i].kind == kind)
			return true;
	return false;
}

bool flags_has_strength(const struct flags *flags, enum flag_strength strength)
{
	for (size_t i = 0; i < flags->count; i++)
		if (flag_strength(flags->items[i].kind) == strength)
			return true;
	return false;
}

void flags_trim(struct flags *flags)
{
	bool seen[FLAG_KIND_COUNT] = {};
	size_t n = 0;

	for (size_t i = 0; i < flags->count; i++) {
		enum flag_kind kind = flags->items[i].kind;

		if (seen[kind])
			free(flags->items[i].place);
		else
			flags->items[n++] = flags->items[i];
		seen[kind] = true;
	}
	flags->count = n;
	if (n > 0)
		flags->items = mem_grow(flags->items, n, sizeof(*flags->items));
}

void flags_release(struct flags *flags)
{
	for (size_t i = 0; i < flags->count; i++)
		free(flags->items[i].place);
	free(flags->items);
	*flags = (struct flags){};
}

json_t *flags_to_json(const struct flags *flags)
{
	json_t *list = json_array();

	for (size_t i = 0; i < flags->count; i++)
		json_array_append_new(list, json_pack("{s:s,s:s}", "name",
						      flag_name(flags->items[i].kind), "place",
						      flags->items[i].place));
	return list;
}
