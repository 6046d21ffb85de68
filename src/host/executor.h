/*
 * skepd's end of the channel to skep-exec: asynchronous requests, their answers, and what it
 * observes by itself. skep-exec refuses what is too much at once, so that only so many requests
 * are open; the others wait here for their turn, in order.
 */
#pragma once

#include "base/error.h"
#include "base/loop.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define EXECUTOR_OPEN_MAX 48 /* commands in containers, which may last, do not count */

struct executor;

/*
 * The end of a request. answer is the whole answer object, borrowed, or NULL when err says what
 * failed. fds came with the answer; those that fn does not set to -1 are closed after it. An
 * answer with "partial":true is followed by another call.
 */
typedef void (*executor_fn)(const json_t *answer, int *fds, size_t n_fds,
			    const struct error *err, void *data);

/* Something that happened by itself: {"event":"container","agent":…,"state":…,…}; borrowed. */
typedef void (*executor_event_fn)(const json_t *event, void *data);

/* The channel broke: every open request has been failed with -EPIPE before this is called. */
typedef void (*executor_gone_fn)(void *data);

/* Takes over a connected SOCK_SEQPACKET descriptor. */
struct executor *executor_new(struct loop *loop, int fd, executor_event_fn on_event,
			      executor_gone_fn on_gone, void *data);

/* Closes the channel. Calls nothing, may be called from any of the three callbacks. */
void executor_free(struct executor *executor);

/*
 * Sends a verb with its arguments (stolen) and descriptors (duplicated). fn is called from the
 * loop, never from here. Returns the request's number, for executor_cancel().
 */
uint64_t executor_call(struct executor *executor, const char *verb, json_t *arguments,
		       const int *fds, size_t n_fds, executor_fn fn, void *data);

/* Asks skep-exec to end a request early; fn is still called. */
void executor_cancel(struct executor *executor, uint64_t number);
