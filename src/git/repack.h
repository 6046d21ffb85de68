/* Many packs and loose objects made into one pack. */
#pragma once

#include "git/repo.h"

#include <stdbool.h>

/* Whether it is worth it: more than a few packs, or many loose objects (by a sample). */
int repack_is_due(const char *dir, bool *ret, struct error *err);

/*
 * Writes every object of <dir>/.git into one new pack, on disk, then removes the packs and
 * loose objects that were there before it began: what comes in meanwhile stays, and a crash
 * leaves objects twice at worst. Nothing is dropped, reachable or not. One at a time; blocks
 * long.
 */
int repack_all(struct repo *repo, struct error *err);

/*
 * Removes directories of loose objects and of references that hold nothing any more: each is
 * one to be read at every start. For the process that writes both, between its writes.
 */
int repack_drop_empty(const char *dir, struct error *err);
