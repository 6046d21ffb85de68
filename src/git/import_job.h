/*
 * One import from the inside. import.c runs the steps in order: expand the id, walk and check
 * (import_walk.c), count what the tree unfolds to (import_expand.c), store one pack
 * (import_store.c).
 */
#pragma once

#include "git/import.h"
#include "git/internal.h"
#include "git/reader_client.h"

struct import_job {
	struct repo *applied;
	const struct import_limits *limits;
	int64_t end_ms; /* clock_boot_ms() */
	struct reader_client reader;
	git_odb *known;  /* applied's objects: whole, because each import arrived as one pack */
	git_odb *staged; /* what arrived so far, in memory; applied does not see it */
	git_oid *new_ids; /* all that is staged */
	size_t n_new, room_new;
	uint64_t new_bytes;
};

/* -ETIMEDOUT past the deadline. */
int import_check_time(const struct import_job *job, struct error *err);

/* The type of an object applied has, or -ENOENT. Looks at no file that is not open already. */
int import_known_type(const struct import_job *job, const git_oid *id, git_object_t *ret,
		      struct error *err);

/* Pulls tip and everything it needs that applied lacks, checks each object, stages it. */
int import_walk(struct import_job *job, const git_oid *tip, struct error *err);

/*
 * Counts files, bytes, depth and path lengths the tree would have once written out, each
 * distinct tree once. A few objects can stand for 10^10 files: nothing may walk such a tree.
 */
int import_expand(struct import_job *job, const git_oid *tree, struct error *err);

/* Writes what is staged into applied as one pack, on disk when it returns. */
int import_store(struct import_job *job, struct error *err);
