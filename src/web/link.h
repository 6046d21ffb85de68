/* One request to skepd on a connection of its own, and the lines that answer it. */
#pragma once

#include "base/error.h"
#include "base/loop.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link;

/* One line of the answer, valid during the call. The handler may call link_close(). */
typedef void (*link_line_fn)(const char *line, size_t size, void *data);

/* No more lines come; the link is freed after the call. err says why, or that the connection
 * simply ended. */
typedef void (*link_end_fn)(const struct error *err, void *data);

/*
 * Connects to the socket at path, sends the request (stolen) and waits for its answer: first_ms
 * at most for the first line (0: for ever). Whoever gets an answer that is complete closes the
 * link. -EAGAIN or another error: nothing was begun.
 */
int link_open(struct loop *loop, const char *path, json_t *request, int64_t first_ms,
	      link_line_fn on_line, link_end_fn on_end, void *data, struct link **ret,
	      struct error *err);

/* Stops taking lines for a while: what comes waits in the kernel, then in skepd. */
void link_hold(struct link *link, bool hold);

/* Ends it; neither function is called any more. NULL is fine. */
void link_close(struct link *link);
