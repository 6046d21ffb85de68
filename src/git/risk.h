/*
 * The risk scan: what an operator must be warned of between the deployed commit and a proposed
 * one.
 */
#pragma once

#include "git/repo.h"
#include "model/flags.h"
#include "model/limits.h"

/*
 * Looks at everything that differs between base (NULL: nothing deployed) and commit, and at the
 * whole tree where a rule is about the tree (symlinks, control files, collisions). current is
 * what the agent has now. Flags are added to *flags.
 */
int risk_scan(struct repo *repo, const char *base, const char *commit,
	      const struct limits *current, struct flags *flags, struct error *err);
