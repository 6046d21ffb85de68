/*
 * What is declared of an agent, in files or in a document made from them: a part of its
 * settings, written as in agents.json. {"network":"private","limits":{"memory_max":"2G"},
 * "labels":{"team":"red"},"parent":"hm1nd","desired":"running","paused":false,
 * "probe":{"kind":"tcp"}}; a null takes back what was said before.
 */
#pragma once

#include "base/error.h"
#include "model/settings.h"

#include <jansson.h>

/* The label that says which declared hive an agent belongs to. */
#define OWNER_LABEL "owner"

/* The keys above, NULL-terminated. */
extern const char *const declare_keys[];

/* -EINVAL naming the first key that is none of these, and the one that was probably meant. what
 * is put before it ("limits."), or "". */
int declare_only_keys(const json_t *object, const char *what, const char *const *keys,
		      struct error *err);

/* Checks what is said of each of declare_keys; other keys are the caller's. The error names the
 * key as a path: 'limits.memory_max'. */
int declare_check(const json_t *object, struct error *err);

/* Lays one object over another: limits and labels key by key, everything else whole. */
void declare_merge(json_t *into, const json_t *object);

/*
 * Makes settings what a checked object says. Limits, labels and probe are what it says and
 * nothing else, with the owner's label; network, parent, power and pause stay where it says
 * nothing. -E2BIG: too many labels.
 */
int declare_settings(const json_t *object, const char *owner, struct settings *settings,
		     struct error *err);

/* 'prod': what a declared hive may be called, 1 to 63 of a-z, A-Z, 0-9, '.', '_', '-'. */
int declare_check_owner(const char *name, struct error *err);
