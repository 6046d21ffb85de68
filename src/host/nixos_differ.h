/* In what a container of nixos-container is not as its driver made it. */
#pragma once

#include "base/error.h"
#include "host/place.h"
#include "host/spec.h"
#include "host/supervisor.h"

#include <jansson.h>

/*
 * Its conf file, as rows "conf KEY" (or "conf", when there is none of ours), and where its
 * profile leads ("profile"): what the next start goes by, which the driver's create puts back.
 * What nspawn was given of the flags ("flags") and what is mounted: what a restart puts right.
 */
int nixos_differ(const struct place *place, const struct container_spec *spec,
		 const struct container_state *state, json_t *list, struct error *err);

/*
 * nspawn's command line, its words ended by NUL each, against the flags it should have been
 * given; those of the conf file that it should not. Pure.
 */
void nixos_differ_flags(const char *line, size_t size, const char *want, const char *conf,
			json_t *list);
