/*
 * A container as skepd asks for it and skep-exec validates it: the only description `run` ever
 * reads.
 */
#pragma once

#include "base/error.h"
#include "model/driver.h"
#include "model/limits.h"
#include "model/names.h"
#include "model/system.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SPEC_MAX_ENV 64
#define SPEC_MAX_ENV_BYTES 2048 /* of one entry */
#define SPEC_MAX_LABEL_BYTES 128

#define UID_RANGE 65536u
#define UID_BASE_FIRST 1310720u   /* multiples of 65536 from here ... */
#define UID_BASE_LAST 1878982656u /* ... to the end of systemd's container range */

struct container_spec {
	char agent[AGENT_NAME_MAX + 1];
	char container[CONTAINER_NAME_SIZE];
	enum driver_kind driver;
	bool manager;
	uid_t uid_base;
	char system[SYSTEM_SIZE];
	bool private_network;
	uint16_t port, dashboard_port;
	char *label;
	char **env; /* "NAME=value", NULL-terminated, one line each; never a name of ours */
	struct limits limits;
	bool fresh; /* only in a request: the root is made anew, nothing the container changed
		       stays */
};

/*
 * Validates every field of the SPEC object; unknown keys are errors. The caller calls
 * spec_release().
 */
int spec_parse(const json_t *object, struct container_spec *ret, struct error *err);
/* What is written down and hashed: all but fresh. */
json_t *spec_to_json(const struct container_spec *spec);
void spec_release(struct container_spec *spec);

/* -EINVAL naming key unless base is the first id of a range that an agent can have. */
int uid_base_check(const char *key, int64_t base, struct error *err);

/*
 * Limits as the wire carries them: {"memory_max_bytes","cpu_quota_percent","tasks_max"}, all
 * three, each in its range; errors name the key.
 */
int spec_limits_parse(const json_t *object, struct limits *ret, struct error *err);

/* Reads a specification file written from spec_to_json(). */
int spec_read(int dir_fd, const char *path, struct container_spec *ret, struct error *err);

#define SPEC_HASH_SIZE 17

/* 16 hex digits that are equal for equal specifications (FNV-1a, 64 bits, over the canonical
 * JSON). Returns out. */
char *spec_hash(char out[SPEC_HASH_SIZE], const struct container_spec *spec);
