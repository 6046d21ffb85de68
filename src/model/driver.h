/* How a container is run, as settings and specifications name it. */
#pragma once

#include "base/error.h"

enum driver_kind {
	DRIVER_NSPAWN,          /* any Linux with systemd-nspawn */
	DRIVER_NIXOS_CONTAINER, /* NixOS: container@.service and nixos-container */
};

const char *driver_kind_name(enum driver_kind kind);

/* -EOPNOTSUPP naming the value and what there is. */
int driver_kind_parse(const char *name, enum driver_kind *ret, struct error *err);
