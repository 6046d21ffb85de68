/*
 * agent.json of an agent's repository: what the agent says of itself and asks for. Hostile
 * input.
 */
#pragma once

#include "base/error.h"
#include "model/limits.h"

#include <jansson.h>
#include <stdint.h>

#define MANIFEST_PATH "agent.json"
#define MANIFEST_MAX_BYTES 65536
#define MANIFEST_MAX_ENV 64

enum probe_kind {
	PROBE_DEFAULT, /* no unit is failed that was not failed before */
	PROBE_NONE,
	PROBE_COMMAND,
	PROBE_TCP,
};

struct probe {
	enum probe_kind kind;
	char **argv;               /* PROBE_COMMAND: NULL-terminated */
	uint16_t port;             /* PROBE_TCP; 0 = the agent's own port */
	int64_t grace_ms, soak_ms; /* time to come good, then time to stay good */
};

struct manifest {
	char *description; /* cleaned; may be NULL */
	char **env;        /* "NAME=value", NULL-terminated, validated */
	/* What it asks for; fields at LIMIT_UNSET where it does not say. */
	struct limits limits;
	struct probe probe;
};

/*
 * Parses agent.json. Unknown keys, bad names and values out of range are -EINVAL naming the
 * key. Times in the file are seconds: {"description":"…","environment":{"A":"b"},
 * "limits":{"memory_max":"512M","cpu_quota":"50%","tasks_max":256},
 * "probe":{"kind":"command","command":["/bin/true"],"grace":20,"soak":2}}.
 * The caller releases *ret.
 */
int manifest_parse(const char *data, size_t size, struct manifest *ret, struct error *err);

/* What an agent without agent.json has: nothing asked for, the default probe. */
void manifest_init(struct manifest *manifest);
void manifest_release(struct manifest *manifest);

/*
 * Lays an object like agent.json's "probe" over a probe; what it does not name stays. -EINVAL
 * naming the key.
 */
int probe_lay_over(struct probe *probe, const json_t *object, struct error *err);

/* The same object of a probe, complete. The caller owns it. */
json_t *probe_to_json(const struct probe *probe);

/* "none", "command", "tcp", "default" */
const char *probe_kind_name(enum probe_kind kind);
