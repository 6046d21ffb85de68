/*
 * The operator's own word on how an agent is probed, laid over what its agent.json asks for. It
 * is an object like "probe" there, in which everything may be missing.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>

/*
 * Changes one key from text. "probe": "none", "default", "tcp", "tcp:PORT" or "command:WORDS"
 * (split at spaces, no shell); "probe.grace" and "probe.soak": seconds. "" leaves it to the
 * agent again. *setting is an object, or NULL while nothing is set. -ENOKEY when key is none of
 * these.
 */
int probe_setting_change(json_t **setting, const char *key, const char *value,
			 struct error *err);

/* Adds what is set under its keys, as probe_setting_change() takes it. setting may be NULL. */
void probe_setting_to_text(const json_t *setting, json_t *texts);

/* Whether an object read from the record makes sense. */
int probe_setting_check(const json_t *setting, struct error *err);
