/*
 * The meta repository: agents.json and, where Nix builds, the flake of all systems, one commit
 * per change; its log is the log of the hive.
 */
#pragma once

#include "control/hive.h"

/* Reads agents.json of meta's main into the hive; makes the repository with an empty one when
 * there is none. */
int meta_load(struct hive *hive, struct error *err);

/*
 * Writes a commit object for the hive as it is in memory, without moving main. ret receives its
 * id; it is the present head's when nothing changed.
 */
int meta_prepare(struct hive *hive, const char *message, char ret[OID_HEX_SIZE],
		 struct error *err);

/* The same for the hive as it would be with one more agent, in the place of removed (NULL:
 * beside all others). */
int meta_preview(struct hive *hive, const struct settings *added, const char *removed,
		 const char *message, char ret[OID_HEX_SIZE], struct error *err);

/* The URLs of the inputs that a commit of meta has; -EINVAL where it has none. The caller's. */
int meta_read_inputs(struct repo *repo, const char *commit, json_t **ret, struct error *err);

/* Moves main from the present head to a prepared commit. */
int meta_publish(struct hive *hive, const char *commit, struct error *err);

/* Both. The message says what changed, in one line. */
int meta_commit(struct hive *hive, const char *message, struct error *err);
