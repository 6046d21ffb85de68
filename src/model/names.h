/* Agent names and what is derived from them: container name, port, FNV hash. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define AGENT_NAME_MAX 32
#define CONTAINER_NAME_MAX 11 /* what nixos-container accepts */
#define CONTAINER_NAME_SIZE (CONTAINER_NAME_MAX + 1)
#define MANAGER_NAME "hm1nd"
#define MANAGER_PORT 8000
#define PORT_BASE 8100
#define PORT_SPAN 900

/*
 * The one parser of agent names: [a-z][a-z0-9-]{0,31}, no trailing '-', not reserved. -EINVAL
 * with code "bad_name" and one message that shows the rule.
 */
int name_check(const char *name, struct error *err);

/* The same form for what is no agent ("a profile"), without the reserved words. */
int name_check_other(const char *what, const char *name, struct error *err);

/* The manager's name, and nothing else, is the manager's role. */
bool name_is_manager(const char *name);

/*
 * Container name: the manager's is its own; others "h-NAME" when that fits 11 characters, else
 * "h-" + 4 characters of the name + 5 of Crockford's base32 (lower case) of the FNV-1a hash of
 * the whole name. name must be valid. Returns out.
 */
char *name_container(char out[CONTAINER_NAME_SIZE], const char *name);

/* FNV-1a, 32 bits (offset 2166136261, prime 16777619). */
uint32_t name_hash(const char *name);

/* First choice of port: 8000 for the manager, 8100 + hash % 900 for the others. */
uint16_t name_port(const char *name);
