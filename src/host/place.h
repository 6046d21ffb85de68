/* Where a hive lives on this machine and whose ids it uses: handed to everything that runs as
 * root. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

struct place {
	const char *state;       /* absolute, no trailing slash: /var/lib/skep */
	const char *runtime;     /* absolute, no trailing slash: /run/skep */
	const char *program_dir; /* where skep-exec and its siblings are */
	const char *gcroots;     /* Nix's, NULL: where Nix has them */
	uid_t skep_uid, build_uid;
	gid_t skep_gid, build_gid;
};

/* Makes the directories below both that belong to root, or puts their owners and modes right.
 */
int place_make(const struct place *place, struct error *err);

/* Opens a directory of root's below state or runtime. The descriptor is the caller's. */
int place_open(const char *dir, const char *name, struct error *err);

/* Removes what an interrupted request left there: entries whose names begin with prefix. */
int place_sweep(const char *dir, const char *name, const char *prefix, struct error *err);
