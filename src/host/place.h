/* Where a hive lives on this machine and whose ids it uses: handed to everything that runs as
 * root. */
#pragma once

#include <sys/types.h>

struct place {
	const char *state;       /* absolute, no trailing slash: /var/lib/skep */
	const char *runtime;     /* absolute, no trailing slash: /run/skep */
	const char *program_dir; /* where skep-exec and its siblings are */
	uid_t skep_uid, build_uid;
	gid_t skep_gid, build_gid;
};
