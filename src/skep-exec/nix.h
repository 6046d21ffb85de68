/* Where skep-build runs Nix: a directory of one run, the program, and what came out. */
#pragma once

#include "host/verb.h"

struct nix_run {
	const struct verb_request *request;
	char *program; /* of Nix */
	char *dir, *cache;
	int systems_fd, dir_fd, work_fd;
	int64_t timeout_s, memory_bytes;
};

/* Makes the directories. The caller calls nix_run_end(), which removes them. */
int nix_run_begin(const struct verb_request *request, struct nix_run *ret, struct error *err);
void nix_run_end(struct nix_run *run);

/*
 * Runs skep-build's `word` with what every run has and the options in more (NULL-terminated).
 * -EIO with its own words when it failed.
 */
int nix_run_do(struct nix_run *run, const char *word, const char *const *more,
	       struct error *err);
