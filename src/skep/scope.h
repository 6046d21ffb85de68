/* Which agents a command is about: those it names, those with a label, or all. */
#pragma once

#include "skep/args.h"

#include <jansson.h>

/*
 * Puts what the first count words and --all and --label say into a request: "scope", or "name"
 * alone where one agent is named and the verb takes it. -EINVAL with a hint when they say
 * nothing.
 */
int scope_put(const struct args *args, size_t count, bool takes_name, json_t *request,
	      struct error *err);

/* For lists: "names" and "labels", where given. */
int scope_filter(const struct args *args, json_t *request, struct error *err);

/* Whether --all or --label is there. */
bool scope_is_given(const struct args *args);

/* "alice, bob": those the answer says were touched, else the first count words. The caller
 * frees. */
char *scope_text(const struct args *args, size_t count, const json_t *answer);
