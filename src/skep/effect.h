/* diff --effect: what a proposal really changes, beside its text. */
#pragma once

#include "skep/cli.h"

/* Asks for it and prints it. */
int effect_show(struct cli *cli, int64_t id, struct error *err);

/* Which inputs change from what to what, as a proposal of newer ones says. NULL: prints
 * nothing. */
void effect_print_inputs(struct out *out, const json_t *inputs);
