/* Repositories we own: bare, without work trees, opened by path and never discovered. */
#pragma once

#include "base/error.h"
#include "model/oid.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct repo;

/*
 * Once per process before anything else here: starts libgit2, empties the configuration search
 * paths (no user or system configuration is ever read), and with write set makes every write
 * reach the disk (ENABLE_FSYNC_GITDIR).
 */
int git_setup(bool write, struct error *err);

/*
 * From now on objects are not hashed again each time they are read: for a process that hashes
 * what it takes over, and reads nothing but that and repositories of ours.
 */
void git_trust_objects(void);

/* While hold is set, writes of this process do not reach the disk one by one: whoever sets it
 * syncs all of them at the end. */
void git_hold_sync(bool hold);

/*
 * Makes <dir>/.git: core.bare=true, HEAD = refs/heads/main, pack.deltaCacheSize=1, gc.auto=0;
 * directories 2750. dir is made when missing. An existing repository is success.
 */
int repo_create(const char *dir, struct error *err);

/*
 * Gives <to>/.git every object of <from>/.git, as further names of the same files: both must be
 * on one file system and ours. Objects are never changed, so neither can hurt the other.
 * Repeating it is fine.
 */
int repo_link_objects(const char *from, const char *to, struct error *err);

/* The directory it was opened by; lives as long as it does. */
const char *repo_dir(const struct repo *repo);

/* How many bytes the packs of <dir>/.git take: what imports have brought. */
int repo_size(const char *dir, uint64_t *ret, struct error *err);

/*
 * Opens <dir>/.git. -ENOENT when it is not there. The directory must belong to the process's
 * uid and be writable by nobody else: -EPERM otherwise.
 */
int repo_open(const char *dir, struct repo **ret, struct error *err);

/* The same for a repository that belongs to another uid, to be read only. */
int repo_open_as(const char *dir, uid_t owner, struct repo **ret, struct error *err);

/* Whether it is there, owner's, and nobody else's to write: what opening it checks first. */
int repo_check(const char *dir, uid_t owner, struct error *err);
void repo_free(struct repo *repo);
static inline void repo_freep(struct repo **repo)
{
	repo_free(*repo);
}

/*
 * After a crash, before the first open and with the caller holding the hive's lock: removes
 * stale *.lock files, libgit2's temporary objects and packs, and index files without a pack.
 * *ret_removed counts them.
 */
int repo_recover(const char *dir, int *ret_removed, struct error *err);

/* The same but for the locks of references, which refs_scan_recovering() removes; also after
 * the death of the one process that added objects. */
int repo_recover_objects(const char *dir, int *ret_removed, struct error *err);

/*
 * Removes the repository parent/name: gone from its place at once, and whole until then. What a
 * crash leaves of it has another name, under which repo_finish_removals() finds it. None there
 * is fine.
 */
int repo_remove(const char *parent, const char *name, struct error *err);
int repo_finish_removals(const char *parent, struct error *err);

/*
 * The commit a revision id names, peeled from a tag object if need be. -ENOENT when it is
 * absent, -EINVAL for another type.
 */
int repo_peel_commit(struct repo *repo, const char *oid, char ret[OID_HEX_SIZE],
		     struct error *err);

/* The tree of a commit. */
int repo_commit_tree(struct repo *repo, const char *commit, char ret[OID_HEX_SIZE],
		     struct error *err);

/* First line of a commit's message and author "Name <mail>", cleaned; the caller frees both. */
int repo_commit_summary(struct repo *repo, const char *commit, char **ret_title,
			char **ret_author, struct error *err);

/* Whether ancestor is commit itself or reachable from it. */
int repo_is_ancestor(struct repo *repo, const char *ancestor, const char *commit, bool *ret,
		     struct error *err);
