/* Between the two ends of a zygote (base/zygote.h): a job is one message, and so is its answer,
 * the child's process id or -errno as an int32_t. */
#pragma once

#include "base/sock.h"

#include <stdint.h>

#define ZYGOTE_FD 3
#define ZYGOTE_MESSAGE_MAX 65536
#define ZYGOTE_TARGET_MAX 32 /* descriptors get numbers below */

/* Then as many arguments, each up to its NUL; the descriptors come along. */
struct zygote_job {
	uint32_t argc, new_session, n_fds;
	int32_t targets[SOCK_MAX_FDS];
};
