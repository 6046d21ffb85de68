/*
 * Hostile repositories as a table: how each is made, and what its import must say. The same
 * table runs with a plain reader process in the unit tests and with the jailed one as root.
 */
#pragma once

#include "base/error.h"
#include "corpus/raw.h"

#include <stdbool.h>
#include <stdint.h>

#define ANY_ERROR (-1)

struct corpus_case {
	const char *name;
	void (*make)(struct raw_repo *repo, const void *arg);
	const void *arg;
	int wanted;        /* 0: accepted; an errno; ANY_ERROR: refused, one way or another */
	const char *says;  /* part of the error's text */
	const char *flags; /* names of what is warned of when it is taken; NULL: nothing */
	bool needs_jail;  /* leads out of the repository: only a jailed reader may be pointed at
			     it */
	bool not_written; /* too many files to write out for the sake of a test */
	/* tighter limits, 0 leaves the default */
	int64_t deadline_ms;
	uint64_t max_objects, max_bytes, max_files, max_expanded;
};

/* Rows of a table; designated fields follow. */
#define TAKE(n, ...)                   \
	{                              \
		.name = n, __VA_ARGS__ \
	}
#define REFUSE(n, e, text, ...)                                   \
	{                                                         \
		.name = n, .wanted = e, .says = text, __VA_ARGS__ \
	}

struct corpus_list {
	const struct corpus_case *cases;
	size_t n;
};

extern const struct corpus_list *const corpus_lists[];
extern const size_t corpus_n_lists;

extern const struct corpus_list corpus_names, corpus_trees, corpus_commits, corpus_objects,
	corpus_packs, corpus_repositories;

/* Starts the process that reads the repository in dir; *ret_fd is the socket to it. */
struct corpus_reader {
	int (*start)(const char *dir, void *data, int *ret_fd, int *ret_pidfd,
		     struct error *err);
	void *data;
	bool jailed;
	unsigned owner; /* uid and gid the repository is given; 0: left as it is */
};

/* What an import took. */
struct corpus_cost {
	int64_t ms;
	long reader_kib, reader_exit; /* peak memory; exit status, or minus the signal */
};

/*
 * Makes the repository in the directory repo->dir, which is there and empty, and the one it
 * must not reach in repo->secret, which is not there; both are given to owner (0: left as they
 * are).
 */
void corpus_make(const struct corpus_case *c, struct raw_repo *repo, unsigned owner);

/*
 * Makes the repository below the existing directory top, imports it into an empty one, and
 * looks at what is left. Accepted: `git fsck --strict` finds nothing, the tree reads back to
 * its id, and the scan warns of what it should. Refused: not a byte of applied changed. Never
 * is the secret in it, and nothing was run. 0, or -EINVAL with what went wrong.
 */
int corpus_run(const struct corpus_case *c, const char *top, const struct corpus_reader *reader,
	       struct corpus_cost *ret_cost, struct error *err);

/* All bytes, modes and names below path, to be compared. */
void corpus_snapshot(const char *path, struct buf *ret);
