/* How a commit becomes a system, as settings name it. */
#pragma once

#include "base/error.h"

enum builder_kind {
	BUILDER_OVERLAY, /* its tree is laid over the base image */
	BUILDER_NIX,     /* a NixOS module is evaluated and built */
};

const char *builder_kind_name(enum builder_kind kind);

/* -EOPNOTSUPP naming the value and what there is. */
int builder_kind_parse(const char *name, enum builder_kind *ret, struct error *err);
