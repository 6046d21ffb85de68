/* Open addressing with linear probing, never more than half full. */
#include "git/oidmap.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static size_t slot_of(const struct oidmap *map, const unsigned char *id)
{
	uint64_t h = map->secret;

	for (size_t i = 0; i < RAW_ID_SIZE; i += 4) {
		uint32_t word;

		memcpy(&word, id + i, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return (size_t)h & (map->room - 1);
}

static struct oidmap_slot *find(const struct oidmap *map, const unsigned char *id)
{
	size_t i = slot_of(map, id);

	while (map->slots[i].used && memcmp(map->slots[i].id, id, RAW_ID_SIZE) != 0)
		i = (i + 1) & (map->room - 1);
	return &map->slots[i];
}

uint32_t *oidmap_get(const struct oidmap *map, const unsigned char *id)
{
	struct oidmap_slot *slot = map->room ? find(map, id) : NULL;

	return slot && slot->used ? &slot->value : NULL;
}

static void grow(struct oidmap *map)
{
	struct oidmap bigger = {
		.count = map->count,
		.room = map->room ? map->room * 2 : 64,
		.secret = map->secret,
	};

	/* Without randomness the table still works; it is only easier to slow down. */
	if (!map->room && getrandom(&bigger.secret, sizeof(bigger.secret), GRND_NONBLOCK) < 0)
		bigger.secret = (uintptr_t)map;
	bigger.slots = mem_new(bigger.room, sizeof(*bigger.slots));
	for (size_t i = 0; i < map->room; i++)
		if (map->slots[i].used)
			*find(&bigger, map->slots[i].id) = map->slots[i];
	free(map->slots);
	*map = bigger;
}

void oidmap_put(struct oidmap *map, const unsigned char *id, uint32_t value)
{
	struct oidmap_slot *slot;

	if (map->count * 2 >= map->room)
		grow(map);
	slot = find(map, id);
	memcpy(slot->id, id, RAW_ID_SIZE);
	slot->value = value;
	slot->used = true;
	map->count++;
}

void oidmap_release(struct oidmap *map)
{
	free(map->slots);
	*map = (struct oidmap){};
}
