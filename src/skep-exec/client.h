/*
 * The connection to skepd: one at a time. Standalone it is handed over at the start; under
 * systemd skepd connects to a socket, and a new connection takes the place of one that is dead.
 */
#pragma once

#include "base/error.h"
#include "base/loop.h"

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

struct client;

struct client_ops {
	/* A request, borrowed; so are its descriptors, those set to -1 excepted. */
	void (*on_request)(json_t *request, const int *fds, size_t n_fds, void *data);
	/* It is gone. Another may come when there is a listening socket. */
	void (*on_gone)(void *data);
};

/*
 * Takes over a connected descriptor (connected_fd) or a listening one (listen_fd); the other is
 * -1. Who connects must have this uid.
 */
struct client *client_new(struct loop *loop, int connected_fd, int listen_fd, uid_t uid,
			  const struct client_ops *ops, void *data);
void client_free(struct client *client);

/* Queues a message (stolen); with nobody connected it is dropped. */
void client_send(struct client *client, json_t *message, const int *fds, size_t n_fds);
