/*
 * flake.lock of the meta flake, read and written without Nix: byte for byte what Nix itself
 * keeps (version 7, two spaces, keys sorted bytewise, one newline at the end). Agents are
 * inputs "agent-<name>" that are locked by their commit alone; every other node is carried
 * along as it is.
 */
#pragma once

#include "base/error.h"
#include "model/oid.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCK_MAX_BYTES (4 << 20)
#define LOCK_MAX_NODES 4096

struct lock;

/* A lock without any input. */
struct lock *lock_new(void);

/*
 * Reads one; size 0 is a lock without any input. -E2BIG when it is too large, -EINVAL for
 * anything that is not a lock of version 7 whose input names lead to nodes that exist.
 */
int lock_parse(const char *data, size_t size, struct lock **ret, struct error *err);
void lock_free(struct lock *lock);
static inline void lock_freep(struct lock **lock)
{
	lock_free(*lock);
}

/* Its bytes, the caller's; "" when there is no input: Nix keeps no file for that. */
char *lock_write(const struct lock *lock);

/*
 * Adds an agent or moves it to another commit. applied_dir is the absolute directory that holds
 * <name>/.git, committed_s the commit's committer time. -EEXIST when an input of another flake
 * has the name of its node.
 */
int lock_put_agent(struct lock *lock, const char *applied_dir, const char *agent,
		   const char *commit, int64_t committed_s, struct error *err);

/* Whether there is such an agent, and which commit it is locked to. */
bool lock_get_agent(const struct lock *lock, const char *agent, char ret_commit[OID_HEX_SIZE]);

/* Removes an agent; one that is not there is success. */
void lock_remove_agent(struct lock *lock, const char *agent);

/* Removes every agent that keep() does not know. */
void lock_keep_agents(struct lock *lock, bool (*keep)(const char *agent, const void *data),
		      const void *data);

/* Whether the flake itself has an input of this name ("nixpkgs"). */
bool lock_has_input(const struct lock *lock, const char *input);

/* Whether input's own input of that name is the flake's ("follows"). */
bool lock_follows(const struct lock *lock, const char *input, const char *inner);

/* Whether input has an input of that name at all. */
bool lock_has_inner(const struct lock *lock, const char *input, const char *inner);

/* Removes an input and what only it led to, so that Nix locks it anew. */
void lock_remove_input(struct lock *lock, const char *input);

/* The lock without the agents, its bytes: what the operator alone updates. The caller's. */
char *lock_base(const struct lock *lock);

/* Puts the nodes of base in the place of everything that is no agent. */
int lock_replace_base(struct lock *lock, const struct lock *base, struct error *err);

/* Calls fn for each node but the root: its name and its "locked" object. */
void lock_each(const struct lock *lock,
	       void (*fn)(const char *node, const json_t *locked, void *data), void *data);
