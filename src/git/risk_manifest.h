/* What agent.json asks for, against what the agent has. */
#pragma once

#include "git/repo.h"
#include "model/flags.h"
#include "model/limits.h"

/* Arguments as of risk_scan(). */
int risk_manifest(struct repo *repo, const char *base, const char *commit,
		  const struct limits *current, struct flags *flags, struct error *err);
