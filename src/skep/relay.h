/*
 * Bytes carried both ways while a request is under way: each flow has a source, a sink and a
 * filter, and nothing waits for anything else, so neither a full pipe nor a slow reader can
 * lock the whole up.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "skep/client.h"
#include "skep/filter.h"

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>

struct flow {
	int from, to;            /* -1 once over */
	bool owns_from, owns_to; /* closed when over: the other side notices */
	bool is_result; /* carries what the request is made for: read to its end after the
			   answer */
	bool hangs_up;  /* from is a PTY master, which reads as hung up while nobody has it open
			   inside */
	filter_fn filter; /* NULL: bytes as they are */
	void *filter_state;
	struct buf data; /* taken and not yet given on */
	size_t given;
	size_t after_end; /* bytes taken since the answer came */
	bool sink_broke;  /* its reader went away */
};

#define RELAY_MAX_FLOWS 3

struct relay {
	struct client *client;
	struct flow flows[RELAY_MAX_FLOWS];
	size_t n_flows;
	bool stops_on_broken_sink; /* end when the reader of a result went away */
	sigset_t signals; /* handled here instead of by default; blocked by relay_run() while it
			     runs */
	/* Called for each of those; -errno ends the relay with it. */
	int (*on_signal)(int signum, void *data, struct error *err);
	void *data;
};

/*
 * Runs until the answer has come and the results are given on. The caller owns *ret. Owned
 * descriptors are closed in any case.
 */
int relay_run(struct relay *relay, json_t **ret, struct error *err);
