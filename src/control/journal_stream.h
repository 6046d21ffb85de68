/*
 * The journal of a container as lines of an answer, for a client that cannot take descriptors:
 * a pipe whose other end skep-exec writes to, read only as fast as the client takes what comes
 * out.
 */
#pragma once

#include "control/session.h"

/*
 * Begins: {"log":text}* and then {"end":true}, or a failure. arguments are skep-exec's for its
 * verb "logs" and are stolen. The stream is the session's.
 */
int journal_stream_begin(struct session *session, struct agent *agent, json_t *arguments,
			 struct error *err);

/* The client has taken everything. */
void journal_stream_go_on(struct journal_stream *stream);

/* Ends it; NULL is fine. What skep-exec still does for it is the session's call. */
void journal_stream_free(struct journal_stream *stream);
