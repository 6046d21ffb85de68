/* A connection to skepd or to an agent's socket: one JSON object per line each way, descriptors
 * beside them. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/sock.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct client {
	int fd;
	struct buf in;
	size_t scanned; /* bytes of in known to hold no newline */
	int fds[SOCK_MAX_FDS];
	size_t n_fds;
};

#define CLIENT_NONE ((struct client){.fd = -1})

/* The socket to use: given, else SKEP_SOCKET, else the operator's if it exists, else the
 * agent's. Borrowed. */
const char *client_socket(const char *given);

/* Whether that path is an agent's own socket, where some verbs have other names. */
bool client_is_agent_socket(const char *path);

/* Whether systemd runs this machine. */
bool client_has_systemd(void);

/* Connects. The error says what to do about it; code "unavailable" or "forbidden". */
int client_open(const char *path, struct client *ret, struct error *err);
void client_close(struct client *client);

/* Sends one request with up to SOCK_MAX_FDS descriptors, which stay the caller's. Blocks until
 * it is taken. */
int client_send(struct client *client, const json_t *request, const int *fds, size_t n_fds,
		struct error *err);

/*
 * Takes what the socket has, without looking at it. 0 at the peer's end, 1 otherwise, -errno.
 * Blocks only when poll() would not have said readable.
 */
int client_fill(struct client *client, struct error *err);

/* The next whole line as JSON in *ret (the caller owns it): 1; 0 when none is complete; -errno
 * when it is no JSON. */
int client_next(struct client *client, json_t **ret, struct error *err);

/* Waits for the next line. timeout_ms -1: for ever. -ECONNRESET: the peer left; -ETIMEDOUT.
 * Both "unavailable". */
int client_receive(struct client *client, int64_t timeout_ms, json_t **ret, struct error *err);

/* The oldest descriptor received, which the caller then owns; -1 when there is none. */
int client_take_fd(struct client *client);

#define _cleanup_client_ __attribute__((cleanup(client_close)))
