/* A hash table from object ids to small numbers. Its order depends on a secret: ids are chosen
 * by strangers. */
#pragma once

#include "git/treecheck.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oidmap_slot {
	unsigned char id[RAW_ID_SIZE];
	uint32_t value;
	bool used;
};

struct oidmap {
	struct oidmap_slot *slots;
	size_t count, room; /* room is a power of two, or 0 */
	uint64_t secret;
};

/* Where id's value is, or NULL. Valid until the next oidmap_put(). */
uint32_t *oidmap_get(const struct oidmap *map, const unsigned char *id);

/* Adds an id that is not there yet. A zeroed map is an empty one. */
void oidmap_put(struct oidmap *map, const unsigned char *id, uint32_t value);

void oidmap_release(struct oidmap *map);
