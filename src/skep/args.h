/* The command line, taken apart by the table of commands. */
#pragma once

#include "skep/command.h"

#include <stdint.h>

struct arg_value {
	const struct option *option;
	const char *value; /* NULL for a switch */
};

/* Everything in it is borrowed from argv and the table. */
struct args {
	const struct command *command; /* NULL when none was given */
	struct arg_value *values;
	size_t n_values;
	const char **words; /* what the command takes, in order */
	size_t n_words;
	const char *const
		*rest; /* after "--", NULL-terminated as argv is; NULL when there was none */
	size_t n_rest;
};

/*
 * Takes argv apart. Options may stand before or after the command and its words; after "--"
 * everything is a word, or the command line for the container. -EINVAL with a hint for anything
 * the table does not allow. Counts of words are not checked when --help or --version is given.
 * The caller releases *ret, also after a failure.
 */
int args_parse(int argc, char *const argv[], struct args *ret, struct error *err);
void args_release(struct args *args);

bool args_has(const struct args *args, const char *option);

/* The value of an option, NULL when it was not given. */
const char *args_get(const struct args *args, const char *option);

/* The values of one that repeats: index counts from 0, NULL past the last. */
const char *args_get_nth(const struct args *args, const char *option, size_t index);

/* A word as a number of a proposal or deploy, from least up. what names it in the error. */
int args_parse_number(const char *text, const char *what, int64_t least, int64_t *ret,
		      struct error *err);

/* The agent's name in the first word, checked. */
int args_agent(const struct args *args, const char **ret, struct error *err);
