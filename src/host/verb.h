/*
 * What a verb of skep-exec is written against. Each request runs in a process of its own, so
 * handlers are straight-line code that may block; the daemon enforces the deadline, and a
 * killed handler must leave nothing half done.
 */
#pragma once

#include "base/error.h"
#include "base/sock.h"
#include "host/place.h"
#include "host/supervisor.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct verb_request {
	const struct place *place;
	const struct supervisor *supervisor;
	uint64_t id;
	const json_t *arguments; /* keys and types were checked against the verb's schema */
	int fds[SOCK_MAX_FDS];   /* those that came with it, as many as the verb's table entry
				    says */
	size_t n_fds;
	/*
	 * End of file here: end early. One byte: a signal number for what runs. Only verbs
	 * whose table entry says so get either; the others are killed. Good as inside_run()'s
	 * stop_fd.
	 */
	int stop_fd;
	int answer_fd;  /* descriptor to send with the final answer; -1: none */
	int channel_fd; /* where answers go: SOCK_SEQPACKET, blocking */
};

/* Adds the answer's keys to an object that becomes {"id":…,"ok":true,…}, or fails. */
typedef int (*verb_fn)(struct verb_request *request, json_t *answer, struct error *err);

/*
 * Sends {"id":…,"ok":true,"partial":true,…} with an optional descriptor (-1: none; stays the
 * caller's) ahead of the final answer. answer is stolen.
 */
int verb_send_partial(struct verb_request *request, json_t *answer, int fd, struct error *err);

/*
 * Sends what a handler returned (r) and made: {"id":…,"ok":true} with answer's keys and
 * answer_fd, or the failure. answer is only borrowed. Returns 0 or -errno.
 */
int verb_send_final(struct verb_request *request, int r, const json_t *answer,
		    const struct error *err);
