/* Resource limits of a container: memory, CPU, tasks. */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define LIMIT_UNSET (-1)
#define LIMIT_MEMORY_DEFAULT (2LL << 30)
#define LIMIT_CPU_DEFAULT 50
#define LIMIT_TASKS_DEFAULT 4096

struct limits {
	int64_t memory_max_bytes;
	int64_t cpu_quota_percent; /* of one CPU; 200 is two CPUs */
	int64_t tasks_max;
};

#define LIMITS_UNSET ((struct limits){LIMIT_UNSET, LIMIT_UNSET, LIMIT_UNSET})

/*
 * "2G", "512M", "64K", "1048576": bytes, powers of 1024; 16 MiB to 1 TiB. -EINVAL naming key
 * and value.
 */
int limit_parse_memory(const char *key, const char *text, int64_t *ret, struct error *err);

/* "50%" or "50": percent of one CPU, 1 to 100000. */
int limit_parse_cpu(const char *key, const char *text, int64_t *ret, struct error *err);

/* 16 to 1,000,000. */
int limit_parse_tasks(const char *key, const char *text, int64_t *ret, struct error *err);

/*
 * Reads memory_max, cpu_quota, tasks_max (strings as above, or numbers) of an object; absent
 * ones stay as they are.
 */
int limits_from_json(const json_t *object, struct limits *ret, struct error *err);

/*
 * {"memory_max":"2G","cpu_quota":"50%","tasks_max":4096}; unset fields are left out. The caller
 * owns it.
 */
json_t *limits_to_json(const struct limits *limits);

/*
 * Field by field the first that is set: the operator's setting, what the agent asked for, the
 * default.
 */
struct limits limits_effective(const struct limits *set, const struct limits *asked);

/* Whether any field of b allows more than that of a (both effective). */
bool limits_go_up(const struct limits *a, const struct limits *b);

/* "2G", "512M", or plain bytes where no unit divides it. out is returned. */
char *limit_format_memory(char out[24], int64_t bytes);
