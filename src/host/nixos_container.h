/*
 * One container as nixos-container keeps it: conf file, profile, root. Steps that the driver
 * puts together; all of them can be repeated.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "host/place.h"
#include "host/spec.h"

enum nixos_conf_kind {
	NIXOS_ABSENT,
	NIXOS_DECLARED, /* read-only: part of the machine's configuration */
	NIXOS_PRESENT,
};

/* What there is of a container. */
struct nixos_container {
	char name[CONTAINER_NAME_SIZE];
	enum nixos_conf_kind kind;
	bool is_file;              /* the conf file, and no link to one */
	struct buf conf;           /* its text */
	char profile[SYSTEM_SIZE]; /* what its profile leads to; "": it has none */
	bool has_root;
};

int nixos_look(const char *agent, struct nixos_container *ret, struct error *err);
void nixos_container_release(struct nixos_container *c);
#define _cleanup_nixos_ __attribute__((cleanup(nixos_container_release)))

/* nixos-container create; what a failed one leaves is removed again. */
int nixos_make(const struct place *place, const struct nixos_container *c, const char *system,
	       struct error *err);

/* nixos-container destroy, and a look whether it is gone. */
int nixos_unmake(const struct place *place, const char *agent, struct error *err);

/* Gives a root directory to a container that has none; nothing to give is success. */
int nixos_move_root(const struct nixos_container *from, const struct nixos_container *to,
		    struct error *err);

/* Points the profile at a system. */
int nixos_set_profile(const struct place *place, const struct nixos_container *c,
		      const char *system, struct error *err);

/* Replaces the conf file as a whole. */
int nixos_write_conf(const struct nixos_container *c, const char *text, struct error *err);
