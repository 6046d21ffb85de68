/* Text that is not what it seems: invisible characters and words of mixed scripts. */
#pragma once

#include "model/flags.h"

#include <stddef.h>

/*
 * Adds flags with places "path:line" for lines of new that old does not hold as they are. old
 * may be NULL.
 */
void risk_text(const char *path, const char *old, size_t old_size, const char *new,
	       size_t new_size, struct flags *flags);

/* The same for a path itself, whose place it is. */
void risk_name(const char *path, struct flags *flags);
