/*
 * What an operator is warned of before approving: the kinds of risk flags and a list of found
 * ones.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum flag_strength {
	FLAG_ACK,   /* the approval must name it */
	FLAG_BLOCK, /* no approval is accepted */
};

enum flag_kind {
	FLAG_SYMLINK_ESCAPE,
	FLAG_GIT_CONTROL_FILE,
	FLAG_EXPORT_ATTRIBUTES,
	FLAG_LFS_POINTER,
	FLAG_CASE_COLLISION,
	FLAG_FLAKE_CHANGED,
	FLAG_MANIFEST_INVALID,
	FLAG_INVISIBLE_CHARACTERS,
	FLAG_MIXED_SCRIPT,
	FLAG_ATTRIBUTES_CHANGED,
	FLAG_MODE_CHANGED,
	FLAG_BINARY_FILE,
	FLAG_LARGE_DIFF,
	FLAG_LIMITS_UP,
	FLAG_LOCK_MOVED,
	FLAG_HISTORY_REWRITTEN,
	FLAG_KIND_COUNT,
};

struct flag {
	enum flag_kind kind;
	char *place; /* path, or path:line; cleaned text; "" when the whole proposal is meant */
};

/*
 * A list holds about this many; past it only the first of each kind is added, so that no kind
 * is crowded out.
 */
#define FLAGS_MAX 200
#define FLAG_PLACE_MAX 300

struct flags {
	struct flag *items;
	size_t count;
};

/* The stable name ("symlink-escape"), the strength, and one sentence for people. */
const char *flag_name(enum flag_kind kind);
enum flag_strength flag_strength(enum flag_kind kind);
const char *flag_sentence(enum flag_kind kind);

/* Finds a kind by name; -EINVAL naming it. */
int flag_kind_parse(const char *name, enum flag_kind *ret, struct error *err);

/*
 * Adds one (place may be NULL and may be hostile: it is cleaned and cut). Equal entries are
 * kept once.
 */
void flags_add(struct flags *flags, enum flag_kind kind, const char *place);
bool flags_has(const struct flags *flags, enum flag_kind kind);
bool flags_has_strength(const struct flags *flags, enum flag_strength strength);
/* Keeps the first of each kind. */
void flags_trim(struct flags *flags);
void flags_release(struct flags *flags);

/* [{"name","place"}]; the caller owns it. */
json_t *flags_to_json(const struct flags *flags);
