/*
 * What skep-exec writes while it does something, as lines of an answer: the journal of a
 * container for a client that cannot take descriptors, or what Nix says while it locks. A pipe,
 * read only as fast as the client takes what comes out.
 */
#pragma once

#include "control/session.h"

/*
 * Makes the last line of the answer of a verb that went well (answer: skep-exec's; data: as
 * given): the caller's, or NULL with err.
 */
typedef json_t *(*journal_stream_end)(struct session *session, const json_t *answer,
				      const json_t *data, struct error *err);

/*
 * Begins: {"log":text}* and then what end() makes (NULL: {"end":true}), or a failure. arguments
 * are skep-exec's for the verb and are stolen, as is data. The stream is the session's.
 */
int journal_stream_begin(struct session *session, const char *verb, json_t *arguments,
			 journal_stream_end end, json_t *data, struct error *err);

/* The client has taken everything. */
void journal_stream_go_on(struct journal_stream *stream);

/* Ends it; NULL is fine. What skep-exec still does for it is the session's call. */
void journal_stream_free(struct journal_stream *stream);
