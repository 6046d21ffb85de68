/* One client connection: who it is, what it is in the middle of, and how it is answered. */
#pragma once

#include "base/conn.h"
#include "control/hive.h"
#include "control/ledger.h"
#include "wire/verb.h"

#include <jansson.h>

struct subscriber;
struct journal_stream;

enum session_mode {
	SESSION_REQUESTS,   /* one request after the other */
	SESSION_SUBSCRIBED, /* events until it closes */
	SESSION_LOG,        /* a build log */
	SESSION_COMMAND,    /* a command, a shell or a journal runs for it */
	SESSION_JOURNAL,    /* a journal comes to it as lines */
};

struct session {
	struct hive *hive;
	uint64_t id;
	struct session *next;
	struct conn *conn;
	enum principal who;
	char agent[AGENT_NAME_MAX + 1]; /* on an agent's own socket: whose; else "" */
	struct actor actor;
	uid_t uid;        /* the peer's */
	int64_t login_id; /* on web.sock: whose login the last request showed; 0: none */

	enum session_mode mode;
	struct subscriber *subscriber;
	int64_t log_id;
	int log_fd;
	bool log_follow;
	int64_t log_offset;
	uint64_t call; /* skep-exec's request of a command */
	struct journal_stream *journal;
};

/* Queues a line (stolen). */
void session_send(struct session *session, json_t *line);
void session_send_text(struct session *session, const char *line);
size_t session_queued(const struct session *session);

/* Answers the request in hand and takes the next one. The answer is stolen. */
void session_answer(struct session *session, json_t *answer);
void session_fail(struct session *session, const struct error *err);

/* By number; NULL when it has gone meanwhile. */
struct session *session_find(const struct hive *hive, uint64_t id);

/* Calls fn for every session. */
void session_each(struct hive *hive, void (*fn)(struct session *session, void *data),
		  void *data);

/* A callback's memory of who asked: data for asynchronous work, turned back with
 * session_found(), which frees it. */
void *session_ref(const struct session *session);
struct session *session_found(void *ref);

/* The same for a callback that will be called again: the reference stays. */
struct session *session_peek(const void *ref);
