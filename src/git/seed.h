/* The first state of an agent's own repository: work tree and .git, made as the agent's uid. */
#pragma once

#include "base/error.h"
#include "model/oid.h"

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

/* The message of that commit. The same files, message and time make the same commit id
 * elsewhere. */
#define SEED_MESSAGE "First state\n"

struct seed_file {
	const char *path;
	const char *data;
	size_t size;
	bool symlink; /* data is the target */
	bool executable;
};

/*
 * Makes a repository with work tree in the current directory, which must be empty: branch main,
 * one commit of files by "skep <skep@localhost>", and the remote "applied" at the path
 * applied_url, whose tags are fetched to refs/tags/applied/ and nowhere else. Nothing is
 * synced: the caller does it once, before the directory gets its name.
 */
int seed_repository(const struct seed_file *files, size_t n_files, const char *applied_url,
		    int64_t wall_s, struct error *err);

/*
 * The same for a commit whose objects somebody has put into .git/objects beforehand, the only
 * thing there may be: branch main is that commit, the work tree its tree, written from raw
 * objects.
 */
int seed_from_commit(const char *commit, const char *applied_url, struct error *err);

/*
 * Puts the remote "applied" of the repository in the current directory right; nothing else is
 * written.
 */
int seed_repair_remote(const char *applied_url, struct error *err);
