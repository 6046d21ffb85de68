/* Nix as a child: what it says becomes the log, and it ends when nobody waits for it any more.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

/*
 * Runs argv[0] with this environment until it ends, the time is over, or descriptor 0 is at its
 * end. Its standard output is out_fd (-1: nothing). Its report goes to descriptor 1 as text.
 * -EIO with the first error it reported; -ETIMEDOUT, -ECANCELED, -E2BIG when it was ended.
 */
int supervise(char *const *argv, char *const *env, int out_fd, int64_t timeout_s,
	      struct error *err);
