/*
 * A container as skepd asks for it and skep-exec validates it: the only description `run` ever
 * reads.
 */
#pragma once

#include "base/error.h"
#include "model/limits.h"
#include "model/names.h"
#include "model/oid.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define UID_RANGE 65536u
#define UID_BASE_FIRST 1310720u   /* multiples of 65536 from here ... */
#define UID_BASE_LAST 1878982656u /* ... to the end of systemd's container range */

struct container_spec {
	char agent[AGENT_NAME_MAX + 1];
	char container[CONTAINER_NAME_SIZE];
	bool manager;
	uid_t uid_base;
	char system[OID_HEX_SIZE];
	bool private_network;
	uint16_t port, dashboard_port;
	char **env; /* "NAME=value", NULL-terminated */
	struct limits limits;
};

/*
 * Validates every field of the SPEC object; unknown keys are errors. The caller calls
 * spec_release().
 */
int spec_parse(const json_t *object, struct container_spec *ret, struct error *err);
json_t *spec_to_json(const struct container_spec *spec);
void spec_release(struct container_spec *spec);
