/* Listening sockets and the sessions on them. */
#pragma once

#include "control/hive.h"
#include "wire/verb.h"

struct server;

struct server *server_new(struct hive *hive);
void server_free(struct server *server);

/*
 * Serves a listening socket; the descriptor is taken over. Peers are refused unless their uid
 * is 0 or they are in gid (−1: nobody else).
 */
void server_listen(struct server *server, int fd, enum principal who, int64_t gid);

/* Serves the socket of skep-web, the only peer there may be. The descriptor is taken over. */
void server_listen_web(struct server *server, int fd, uid_t uid);

/* Serves an agent's own socket; only peers whose uid is the agent's range's first are taken. */
void server_serve_agent(struct hive *hive, struct agent *agent, int fd);

/* Its socket is gone from where its agent finds it. */
void server_forget_agent(struct agent *agent);

/* No new connections, and no agent's socket any more. */
void server_stop(struct server *server);
