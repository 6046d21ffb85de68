/* Waiting for something slow with its progress on stderr. */
#pragma once

#include "skep/cli.h"

/* What to watch meanwhile: the build log of a proposal, else the states of agents. */
struct progress {
	int64_t proposal; /* 0: none */
	const char *const *agents;
	size_t n_agents;
	const int *fds; /* what goes along with the request */
	size_t n_fds;
	const char *hint; /* how to look again later, said when the waiting is broken off; may
			     be NULL */
};

/*
 * Sends the request, with "wait" unless --no-wait was given, and returns its answer, checked.
 * SIGINT and SIGTERM end the waiting, not the work: code "interrupted" or "terminated". The
 * request is consumed; the caller owns *ret.
 */
int wait_call(struct cli *cli, json_t *request, const struct progress *progress, json_t **ret,
	      struct error *err);

/*
 * Follows the build log of a proposal and gives each piece to fn, until its outcome is known
 * (or, without follow, its end is reached). *ret is the last row of the proposal, or NULL; the
 * caller owns it.
 */
typedef void (*wait_log_fn)(struct cli *cli, const char *text, void *data);
int wait_build_log(struct cli *cli, json_t *request, wait_log_fn fn, void *data, json_t **ret,
		   struct error *err);
