/* The risk scan: what an operator must be warned of between the deployed commit and a proposed
 * one. */
#pragma once

#include "git/repo.h"
#include "model/flags.h"
#include "model/limits.h"

/*
 * Looks at everything that differs between base (NULL: nothing deployed) and commit, and at
 * the whole tree where a rule is about the tree (symlinks, control files, collisions,
 * attributes). current is what the agent has now (effective; NULL: the defaults). Flags are
 * added to *flags; places are "path", "path:line", for agent.json "agent.json: reason", for the
 * commit's own text "commit message:line". An error means that the scan could not be finished:
 * nothing may be concluded from the flags then.
 */
int risk_scan(struct repo *repo, const char *base, const char *commit,
	      const struct limits *current, struct flags *flags, struct error *err);
