/* The structured difference of a proposal as the unified text people know. */
#pragma once

#include "skep/out.h"

#include <jansson.h>

/* The whole difference; says at each place, and again at the end, what is not shown. */
void diff_print(struct out *out, const json_t *diff);

/* One line per file and a sum. */
void diff_print_stat(struct out *out, const json_t *diff);
