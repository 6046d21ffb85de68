/*
 * libgit2 looks for signs of a collision attack in all that it hashes, which takes ten times as
 * long as hashing, and it hashes and compresses an object before it sees that it has it. The
 * files of meta, tens of kilobytes that the controller rendered itself, are written with every
 * change of the hive.
 */
#include "git/blob.h"

#include <errno.h>
#include <git2/sys/odb_backend.h>
#include <nettle/sha1.h>
#include <stdio.h>

void blob_name(const void *data, size_t size, git_oid *ret)
{
	struct sha1_ctx sha1;
	char head[32];
	int n = snprintf(head, sizeof(head), "blob %zu", size);

	sha1_init(&sha1);
	sha1_update(&sha1, (size_t)n + 1, (const uint8_t *)head);
	sha1_update(&sha1, size, data);
	sha1_digest(&sha1, sizeof(ret->id), ret->id);
}

/* The one that writes loose objects; packs are not written one object at a time. */
static git_odb_backend *find_writer(git_odb *odb)
{
	git_odb_backend *backend = NULL;
	size_t n = git_odb_num_backends(odb);

	for (size_t i = 0; i < n; i++)
		if (git_odb_get_backend(&backend, odb, i) == 0 && backend->write)
			return backend;
	return NULL;
}

int blob_write(struct repo *repo, const git_oid *name, const void *data, size_t size,
	       struct error *err)
{
	_cleanup_(git_odb_freep) git_odb *odb = NULL;
	git_odb_backend *writer;
	int r = git_repository_odb(&odb, repo->git);

	if (r < 0)
		return git_fail(r, err, "cannot read the objects of '%s'", repo->dir);
	if (git_odb_exists_ext(odb, name, GIT_ODB_LOOKUP_NO_REFRESH))
		return 0;
	writer = find_writer(odb);
	if (!writer)
		return error_set(err, ENOTSUP, "no objects can be written in '%s'", repo->dir);
	r = writer->write(writer, name, data, size, GIT_OBJECT_BLOB);
	return r < 0 ? git_fail(r, err, "cannot write a file of '%s'", repo->dir) : 0;
}
