/*
 * What differs between two systems in the Nix store: "closure": {"added": [{"name","path",
 * "bytes"}], "removed": [...], "changed": [{"name","from","to","bytes","bytes_before"}],
 * "bytes", "bytes_before", "truncated"}, where paths of one name are one thing in two versions;
 * "units": [{"name","change": added|removed|changed}]; "ports": [{"port","change"}], by the
 * Listen lines of socket units.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>

/* Adds "closure" from what `nix path-info -r -s` printed of both (before "": nothing). */
void closure_compare(const char *before, const char *after, json_t *effect);

/* Adds "units" and "ports" from etc/systemd/system of both systems (before NULL: nothing). */
void closure_compare_units(const char *before, const char *after, json_t *effect);
