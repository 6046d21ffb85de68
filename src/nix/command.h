/* The command lines of Nix that skep runs, with everything that keeps a hostile flake harmless.
 */
#pragma once

#include "base/error.h"
#include "nix/lock.h"

#include <stddef.h>
#include <stdint.h>

/* An argument vector that owns its words. */
struct words {
	char **items; /* NULL-terminated */
	size_t count;
};
void words_add(struct words *words, const char *word);
void words_release(struct words *words);
#define _cleanup_words_ __attribute__((cleanup(words_release)))

struct nix_build {
	const char *program;      /* of Nix, absolute */
	const char *meta_dir;     /* holds .git */
	const char *ref, *commit; /* of the meta repository: the candidate */
	const char *agent;
	const char *out_link;
	const char *allowed_uris; /* of nix_allowed_uris() */
	int64_t timeout_s, silent_s;
};

/* Builds the system of one agent out of exactly this commit. */
void nix_build_words(const struct nix_build *build, struct words *ret);

/* Locks what is missing in the flake.lock of a directory, which is no repository. */
void nix_lock_words(const char *program, const char *dir, struct words *ret);

/* Lists what a system needs, a path and its size per line. */
void nix_closure_words(const char *program, const char *system, struct words *ret);

/*
 * The only places an evaluation may fetch from: the locked inputs, each by its revision. Nix
 * before 2.20 compares with the plain URL of a repository, so both forms are there. The
 * caller's.
 */
char *nix_allowed_uris(const struct lock *lock, const char *agent);
