/*
 * What a rename takes where Nix builds: the name is in the flake, in its lock and in the system
 * itself, which is built before anything of the agent is touched.
 */
#pragma once

#include "control/op.h"

/*
 * Lets the repository of an agent be found under its new name too, by a link: the flake that is
 * built names it so, and it moves only later. -EEXIST when something is there.
 */
int rename_lend_name(const struct hive *hive, const char *from, const char *to,
		     struct error *err);

/* The end of that; a name that is nobody's link is left alone. */
int rename_end_loan(const struct hive *hive, const char *name, struct error *err);

/* At start: the same for all that were cut short. */
int rename_end_loans(const struct hive *hive, struct error *err);

/* What ran under the old name, for the way back: op->old_system; also when meta has the new one
 * already. */
int rename_find_old(struct op *op, const char *from, const char *to);
