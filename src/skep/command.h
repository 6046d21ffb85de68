/* The commands as data: parsing, help, completion and usage errors are all made from this one
 * table. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct cli;

struct option {
	const char *name; /* long name without dashes; NULL ends a list */
	char letter;      /* 0: none */
	const char
		*value; /* what it takes: "FILE", or "a|b|c" for fixed words; NULL: a switch */
	const char *help;
	bool repeats; /* may be given more than once; else the last one would silently win, so
			 it is refused */
};

/* What may follow "--": a command line for the container. */
enum command_rest {
	REST_NONE,
	REST_OPTIONAL,
	REST_REQUIRED,
};

struct command {
	const char *name;
	const char *group; /* heading in the overview; NULL: hidden */
	/*
	 * Words it takes, e.g. "AGENT [K]": capitals are values, small letters are literal, "[
	 * ]" is optional, "..." repeats. The number of words allowed follows from it.
	 */
	const char *usage;
	enum command_rest rest;
	const struct option *options; /* may be NULL */
	int (*run)(struct cli *cli, struct error *err);
	const char *summary; /* one line, no full stop */
	const char *details; /* may be NULL */
};

/* All commands in the order of the overview, hidden ones included; NULL past the last. */
const struct command *command_at(size_t index);

/* NULL when there is none of that name. */
const struct command *command_find(const char *name);

/* Options every command takes. */
extern const struct option command_global_options[];

/* One word of a usage line. */
struct usage_word {
	char name[24];
	bool optional, repeats;
};

/* Takes the next word off a usage line; false at its end. */
bool usage_next(const char **usage, struct usage_word *ret);

/* How many words a usage line allows; *ret_most is SIZE_MAX without a limit. */
void usage_count(const char *usage, size_t *ret_least, size_t *ret_most);
