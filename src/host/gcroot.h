/*
 * Roots that keep systems in the Nix store from being collected: links of root's, one directory
 * per agent, below Nix's own gcroots (nix: a link to a directory there would not be followed).
 * A root is named by what its system was made of, so that it also says that nothing needs to be
 * built.
 */
#pragma once

#include "base/error.h"
#include "host/place.h"
#include "model/system.h"

#include <jansson.h>
#include <stdbool.h>

#define GCROOT_DIR "/nix/var/nix/gcroots"
#define GCROOT_KEY_MAX 128 /* letters, digits and '-' */

bool gcroot_key_is_valid(const char *key);

/* -ENOENT when no root of the agent leads to this system, or it is no longer in the store. */
int gcroot_has(const struct place *place, const char *agent, const char *system,
	       struct error *err);

/* The system that was made of this, if it is still there: 1; else 0. */
int gcroot_find(const struct place *place, const char *agent, const char *key,
		char ret[SYSTEM_SIZE], struct error *err);

/* Makes or moves a root; on disk on return. */
int gcroot_add(const struct place *place, const char *agent, const char *key,
	       const char *system, struct error *err);

/* Gives an agent's roots to its new name, beside those that are there. Nothing to move is
 * success. */
int gcroot_rename(const struct place *place, const char *from, const char *to,
		  struct error *err);

/* Removes every root of the agent whose system is not in the list (NULL: every root). Nothing
 * to remove is success. */
int gcroot_keep(const struct place *place, const char *agent, const json_t *systems,
		struct error *err);
