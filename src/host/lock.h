/* Locks between processes that run as root for one hive. They end with the process that holds
 * them. */
#pragma once

#include "base/error.h"
#include "host/place.h"

#include <stdint.h>

/* Takes the lock of the whole hive, waiting for a predecessor to let go. -EBUSY after
 * timeout_ms. Returns a descriptor. */
int lock_hive(const struct place *place, int64_t timeout_ms, struct error *err);

/* Takes an agent's lock, waiting as long as it takes: requests that change its container come
 * one after the other. Returns a descriptor. */
int lock_agent(const struct place *place, const char *agent, struct error *err);
