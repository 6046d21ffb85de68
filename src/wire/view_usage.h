/* What a container uses, as the object that all interfaces carry. */
#pragma once

#include "model/usage.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct usage_sample {
	int64_t wall_s, boot_ms;
	struct usage usage;
};

/*
 * One row from the samples of an agent, oldest first, at least one: the newest, what it used of
 * the processors and of disks since the one before, and with history all of them. The caller
 * owns it.
 */
json_t *view_usage(const char *name, const struct usage_sample *samples, size_t count,
		   bool history);
