/* Waiting until files of a directory have changed. */
#pragma once

#include "base/error.h"

#include <stdint.h>

/*
 * Watches a directory and all below it, but for what begins with a dot at its top. Returns a
 * descriptor, to be closed; what happens from now on is not lost. -E2BIG: too many directories.
 */
int watch_open(const char *path, struct error *err);

/* Waits for a change, at most timeout_ms (-1: for ever), and then until nothing has changed for
 * a moment. */
int watch_wait(int fd, int timeout_ms, struct error *err);
