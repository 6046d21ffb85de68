/*
 * References: an own scan for start-up, and compare-and-swap writes of one reference at a time.
 */
#pragma once

#include "git/repo.h"

/*
 * Called for each reference; oid is what it points at (the tag object for annotated tags).
 * Non-zero ends the scan with it.
 */
typedef int (*refs_fn)(const char *name, const char *oid, void *data);

/*
 * Calls fn for each reference of <dir>/.git whose name starts with prefix ("refs/tags/"), in
 * the order of names, from packed-refs and a walk of refs/; a loose one hides its packed twin.
 * Unlike libgit2 it reports an empty or unparsable file: the sound ones are delivered, then
 * -EUCLEAN names the first that is not.
 */
int refs_scan(const char *dir, const char *prefix, refs_fn fn, void *data, struct error *err);

/*
 * The same for all references, with what repo_recover() does to their stale locks on the way:
 * the caller holds the hive's lock. *ret_removed counts them.
 */
int refs_scan_recovering(const char *dir, int *ret_removed, refs_fn fn, void *data,
			 struct error *err);

/*
 * For the writes below: -EBUSY names the lock file in the way, -ENOENT an object that is
 * absent, -EUCLEAN a reference file that cannot be read. On return the reference is on disk.
 */

/*
 * Creates name if nothing is there, tested under its lock. -EEXIST otherwise, even for the same
 * value. This and the next: what failed is not there, or with -ENOTRECOVERABLE may be.
 */
int refs_create(struct repo *repo, const char *name, const char *oid, struct error *err);

/* Moves name from old (NULL: it must not exist) to oid. -ESTALE when it is something else. */
int refs_move(struct repo *repo, const char *name, const char *oid, const char *old,
	      struct error *err);

/* Deletes name; absent is success. */
int refs_delete(struct repo *repo, const char *name, struct error *err);

/* What name points at, unpeeled. -ENOENT when absent. */
int refs_read(struct repo *repo, const char *name, char ret[OID_HEX_SIZE], struct error *err);

/* Packs all loose references. */
int refs_pack(struct repo *repo, struct error *err);
