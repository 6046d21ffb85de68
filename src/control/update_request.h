/*
 * Asking for newer inputs. They are locked first, so that what is proposed is exact: a commit
 * of meta with another flake.lock and, where the configuration says so, other URLs.
 */
#pragma once

#include "control/ledger.h"

/*
 * The arguments of skep-exec's `lock` that ask for newer ones of these inputs (array of names;
 * NULL or empty: of all). The caller owns *ret. -EOPNOTSUPP where Nix builds nothing yet.
 */
int update_request_begin(struct hive *hive, const json_t *names, json_t **ret,
			 struct error *err);

/*
 * Proposes what `lock` answered to those arguments. 0: *ret is the proposal, the hive's; 1:
 * nothing is newer, and nothing was proposed. -ESTALE when the inputs were updated meanwhile.
 */
int update_request_end(struct hive *hive, const json_t *arguments, const char *locked,
		       const char *description, const struct actor *actor,
		       struct proposal **ret, struct error *err);

/* Whether a proposal still is about the inputs there are. -ESTALE. */
int update_request_check(const struct hive *hive, const struct proposal *proposal,
			 struct error *err);

/* The lock and the URLs that a commit of meta has. The caller's. */
int update_request_read(const struct hive *hive, const char *commit, struct lock **ret_lock,
			json_t **ret_inputs, struct error *err);

/* Whether the hive's inputs are locked to the very same. */
bool update_request_is_done(const struct hive *hive, const struct lock *lock);
