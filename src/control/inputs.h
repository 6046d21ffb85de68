/*
 * The inputs that are no agents: nixpkgs, and the flake with the modules that every agent gets.
 * Locked once, when Nix is first to build something; from then on only by the operator.
 */
#pragma once

#include "control/op.h"

/* Whether the configuration allows builds by Nix: it names both, and they can be written down.
 */
int inputs_check(const struct hive *hive, struct error *err);

/*
 * Goes on with step when the hive has its inputs, after having them locked if need be. op->r
 * says how that went; the log is the operation's.
 */
void inputs_ensure(struct op *op, op_step step);

/* What skep-exec's `lock` answered: a lock with nixpkgs, base and what they lead to. The
 * caller's.
 */
int inputs_parse(const char *text, struct lock **ret, struct error *err);
