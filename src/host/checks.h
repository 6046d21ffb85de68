/* What this machine must have for agents to run: the checks behind `skep doctor` that need
 * root. */
#pragma once

#include "host/place.h"
#include "host/supervisor.h"

#include <jansson.h>

/*
 * An array of {"name","ok","detail","fix"?}, always complete: what cannot be looked at is a
 * check that failed. The caller owns it. Blocks, up to seconds.
 */
json_t *checks_run(const struct place *place, const struct supervisor *supervisor);

/* "ok" false needs a fix, which is a sentence for the operator. */
void checks_add(json_t *checks, const char *name, bool ok, const char *fix, const char *format,
		...) __attribute__((format(printf, 5, 6)));

/* The first number in a text: "systemd 252 (252.39)" is 252; -1: none. */
int checks_parse_version(const char *text);

/* The first line of `PATH --version`; -errno when it cannot be run or fails. */
int checks_run_version(const char *path, char *out, size_t size, struct error *err);
