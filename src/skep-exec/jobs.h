/*
 * Requests being worked on, each by a process of its own: started, listened to, told to end
 * early, ended at their deadline. It is `skep-exec verb NAME`, which answers; or a reader of a
 * repository, forked by the zygote of skep-export, whose end is the answer.
 */
#pragma once

#include "base/error.h"
#include "base/loop.h"
#include "skep-exec/options.h"
#include "skep-exec/table.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define JOBS_MAX 128 /* more are refused */
#define JOBS_KEPT 64 /* of them, for what is no VERB_MINOR */

struct jobs;

/* One message of a request, its last when final. Everything is borrowed. */
typedef void (*job_fn)(const json_t *answer, const int *fds, size_t n_fds, bool final,
		       void *data);

struct jobs *jobs_new(struct loop *loop, const struct options *options);

/* Kills what still runs; calls nothing. */
void jobs_free(struct jobs *jobs);

/*
 * Starts one. id 0 is the daemon's own; others must be free. fn is called from the loop until
 * it was called with final. Arguments and descriptors are borrowed.
 */
int jobs_start(struct jobs *jobs, const struct verb *verb, uint64_t id, json_t *arguments,
	       const int *fds, size_t n_fds, job_fn fn, void *data, struct error *err);

/* Ends a request early; its final answer comes as always. */
int jobs_cancel(struct jobs *jobs, uint64_t id, struct error *err);

/*
 * Who asked is gone: what was asked for to look at or to type into is of no use to the next one
 * and is ended early; the others go on, their numbers are free.
 */
void jobs_abandon(struct jobs *jobs);

/* Passes a signal to what a request runs. */
int jobs_signal(struct jobs *jobs, uint64_t id, int signum, struct error *err);

/* Whether a request that starts or stops this agent's container is being worked on. */
bool jobs_lifecycle(const struct jobs *jobs, const char *agent);

/* Whether a process is one of theirs. */
bool jobs_own(const struct jobs *jobs, pid_t pid);
