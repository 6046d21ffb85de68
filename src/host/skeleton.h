/* The base of a container's root: what a system needs beside the machine's own /usr. Nothing in
 * it is secret. */
#pragma once

#include "base/error.h"
#include "host/spec.h"

/*
 * Fills an empty directory: directories, usr-merge links, the parts of the host's /etc that
 * programs need (never accounts, host names, keys), the machine id (32 hex digits). Everything
 * belongs to uid_base.
 */
int skeleton_make(int root_fd, const struct container_spec *spec, const char *machine_id,
		  struct error *err);

/* The same for a NixOS system, which makes its own /etc and needs no /usr: mount points, and
 * what nspawn insists on. */
int skeleton_make_bare(int root_fd, const struct container_spec *spec, const char *machine_id,
		       struct error *err);
