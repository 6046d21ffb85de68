/* The command line of systemd-nspawn for a container (man systemd-nspawn). */
#pragma once

#include "host/place.h"
#include "host/spec.h"

#include <stdbool.h>

/* What the machine decides, found out by whoever starts it. */
struct nspawn_setup {
	const char *root; /* the container's root directory */
	const char *usr;  /* what is bound at /usr: the machine's own, or a stack made of it */
	bool usr_idmap;   /* its owners have to be, and can be, shifted by nspawn */
	bool store_idmap; /* the same of /nix/store, which a NixOS system has instead of /usr */
	const char *skep; /* the static client */
};

/* The arguments, NULL-terminated; nspawn_free_argv() frees them. Pure. */
char **nspawn_argv(const struct place *place, const struct container_spec *spec,
		   const struct nspawn_setup *setup);
void nspawn_free_argv(char **argv);

/* The capabilities a container goes without, separated by commas. The caller frees it. */
char *nspawn_dropped(const struct container_spec *spec);
