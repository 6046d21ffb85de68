/* A line-framed stream connection on the loop that can carry descriptors both ways. */
#pragma once

#include "base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

struct conn_limits {
	size_t max_line;    /* bytes of one line; more ends the connection with on_overlong */
	size_t max_queued;  /* bytes waiting to be sent; more ends the connection */
	size_t busy_queued; /* while more than this waits, no line is taken; 0: no limit */
	size_t turn_lines;  /* lines taken in one turn of the loop, before others' turn; 0: all
			     */
	int64_t part_ms;    /* after a piece that ends no line, nothing is read for this long */
	int64_t line_ms;    /* a begun line must be complete within this; 0: no limit */
	int64_t idle_ms;    /* nothing at all received for this long ends it; 0: no limit */
};

struct conn_ops {
	/*
	 * One line without its newline, NUL-terminated, valid during the call. The handler may
	 * call conn_close().
	 */
	void (*on_line)(struct conn *conn, const char *line, size_t size, void *data);
	/*
	 * A line was too long or too slow; the answer may be sent here, the connection closes
	 * once it is out.
	 */
	void (*on_overlong)(struct conn *conn, void *data);
	/*
	 * The peer is gone or the connection was closed: last call, the object is freed after
	 * it.
	 */
	void (*on_close)(struct conn *conn, void *data);
	/* Everything queued was sent. May be NULL. */
	void (*on_drained)(struct conn *conn, void *data);
};

/* Takes over a connected descriptor. ops and limits must outlive the connection. */
struct conn *conn_new(struct loop *loop, int fd, const struct conn_limits *limits,
		      const struct conn_ops *ops, void *data);

/*
 * Queues one line (a newline is added). Descriptors in fds are duplicated and travel with its
 * first byte.
 */
void conn_send(struct conn *conn, const char *line, const int *fds, size_t n_fds);

/* Bytes not yet taken by the peer. */
size_t conn_queued(const struct conn *conn);

/*
 * Ends it: at once, or after everything queued was sent (30 seconds at most). on_close runs
 * from the loop, not from here.
 */
void conn_close(struct conn *conn, bool flush);

/*
 * Stops (or resumes) delivering lines: requests are answered in order, and what comes meanwhile
 * waits in the kernel. A peer that goes away meanwhile is noticed: on_close may come at any
 * time.
 */
void conn_hold(struct conn *conn, bool hold);

/* Neither reads nor delivers anything for ms milliseconds; a line that has begun has its time
 * all the same. */
void conn_rest(struct conn *conn, int64_t ms);

/*
 * From on_line: hands over the descriptors that came with the line, oldest first, at most
 * SOCK_MAX_FDS; the caller owns them. Those of a message of several lines are the last one's;
 * what is not taken is closed after the call.
 */
size_t conn_take_fds(struct conn *conn, int *ret_fds);

/* The descriptor, for peer questions; stays the connection's. */
int conn_fd(const struct conn *conn);
