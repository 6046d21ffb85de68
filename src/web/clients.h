/*
 * Who is connected. evhttp neither counts connections nor ends one that sends a byte now and
 * then, so each has an entry here with a time by which its request must be there and its answer
 * taken. Sockets are known by the kernel's cookie: evhttp does not tell when it closes one, and
 * numbers of descriptors come back.
 */
#pragma once

#include "base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bufferevent;
struct clients;
struct client;

/* At most max connections at once. When another one comes, the oldest that never showed a
 * session goes. */
struct clients *clients_new(struct loop *loop, size_t max);
void clients_free(struct clients *clients);

/* evhttp's bevcb: makes the connection's buffers. data is the clients. */
struct bufferevent *clients_on_accept(struct event_base *base, void *data);

/* The entry of a connection, which lives at least as long as the connection's current request.
 */
struct client *clients_find(struct clients *clients, const struct bufferevent *bev);

/* Its request is all there: from now on it is ours to be quick. */
void client_arrived(struct client *client);

/* An answer was begun: it must be taken within the time. */
void client_answering(struct client *client);

/* The answer has no end; the entry's time is over and who holds the stream looks after it. */
void client_streaming(struct client *client);

/* The answer is out: the next request, or silence. */
void client_done(struct client *client);

/* It showed a session that holds. */
void client_trust(struct client *client);

/* How many are connected now. */
size_t clients_count(struct clients *clients);
