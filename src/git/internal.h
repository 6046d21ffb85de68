/* What the files of this layer share: the open repository, libgit2's errors as ours, ids,
 * owning locals. */
#pragma once

#include "base/cleanup.h"
#include "git/repo.h"

#include <git2.h>

struct repo {
	git_repository *git;
	char *dir; /* the directory that holds .git */
};

/*
 * Fills err from libgit2's last error: "context: libgit2's words", cleaned. code is what the
 * call returned. errno is ENOENT, EEXIST, EBUSY (a lock), ESTALE (another value), EINVAL,
 * EUCLEAN (wrong hash), EPERM, ENOMEM, what the kernel said (ENOSPC, EROFS, EACCES, …), or EIO.
 * Returns it negative.
 */
int git_fail(int code, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Writes a commit object. libgit2's git_commit_create() says that all is well when the object
 * could not be written (1.5.1). Returns libgit2's code.
 */
int git_write_commit(git_oid *ret, git_repository *git, const git_signature *who,
		     const char *message, const git_tree *tree, size_t n_parents,
		     const git_commit **parents);

/* -EINVAL unless hex is a full id. */
int oid_to_git(git_oid *ret, const char *hex, struct error *err);
void oid_from_git(char ret[OID_HEX_SIZE], const git_oid *oid);

DEFINE_CLEANUP(git_blob *, git_blob_free)
DEFINE_CLEANUP(git_commit *, git_commit_free)
DEFINE_CLEANUP(git_object *, git_object_free)
DEFINE_CLEANUP(git_odb *, git_odb_free)
DEFINE_CLEANUP(git_odb_object *, git_odb_object_free)
DEFINE_CLEANUP(git_reference *, git_reference_free)
DEFINE_CLEANUP(git_refdb *, git_refdb_free)
DEFINE_CLEANUP(git_repository *, git_repository_free)
DEFINE_CLEANUP(git_revwalk *, git_revwalk_free)
DEFINE_CLEANUP(git_signature *, git_signature_free)
DEFINE_CLEANUP(git_tag *, git_tag_free)
DEFINE_CLEANUP(git_tree *, git_tree_free)
DEFINE_CLEANUP(git_tree_entry *, git_tree_entry_free)
DEFINE_CLEANUP(git_treebuilder *, git_treebuilder_free)
DEFINE_CLEANUP(git_diff *, git_diff_free)
DEFINE_CLEANUP(git_patch *, git_patch_free)
