/* The process gives up everything but one directory, which becomes its whole file system. */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

struct jail {
	int dir_fd; /* the directory; closed */
	uid_t uid;  /* its owner; never 0 */
	gid_t gid;
	pid_t parent; /* getppid() as the program began: it ends when the parent does */
	uint64_t max_file_bytes; /* the largest file it may write */
	unsigned wall_s;         /* it is killed after this */
};

/*
 * For a process of one thread that has CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_SETUID and
 * CAP_SETGID. Anything that does not take effect is an error, after which the process must end.
 */
int jail_enter(const struct jail *jail, struct error *err);
