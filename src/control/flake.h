/* flake.nix and flake.lock of the meta repository, from the hive as it is in memory. */
#pragma once

#include "control/hive.h"

#define FLAKE_FILE "flake.nix"
#define LOCK_FILE "flake.lock"
#define FLAKE_MAX_BYTES (4 << 20)

/*
 * Brings hive->lock in line with the agents that Nix builds, each locked to its revision, and
 * makes the texts of both files, the caller's. While the hive has no inputs both are NULL: Nix
 * has nothing to do then. With added they are those of the hive as it would be with one more
 * agent, in the place of removed (NULL: beside all others), and hive->lock stays as it is.
 */
int flake_texts(struct hive *hive, const struct settings *added, const char *removed,
		char **ret_flake, char **ret_lock, struct error *err);

/* Reads hive->lock out of a commit of meta; without the file it is an empty one. */
int flake_load(struct hive *hive, struct repo *repo, const char *commit, struct error *err);

/* The template of flake.nix, borrowed; read once. */
int flake_template(struct hive *hive, const char **ret, struct error *err);
