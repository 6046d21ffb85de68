/* What differs between two locks, for people: which input, from which commit of when to which.
 */
#pragma once

#include "nix/lock.h"

#define LOCK_CHANGES_MAX 64

/*
 * [{"name":"nixpkgs","change":"changed","from":{"url","rev","at"},"to":{…}}], sorted by name;
 * agents are left out. What is added has no "from", what is removed no "to". url, rev and at
 * (RFC 3339) are there where the lock says them. More than LOCK_CHANGES_MAX are cut. The
 * caller's.
 */
json_t *lock_changes(const struct lock *from, const struct lock *to);
