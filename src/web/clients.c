#include "web/clients.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define REQUEST_MS 15000 /* from the first byte of a request to its last */
#define ANSWER_MS 60000  /* for taking an answer */
#define WRITE_BYTES ((size_t)1 << 20)
#define READ_BYTES (32 << 10) /* more than a head may have; more waits in the kernel */

struct client {
	struct clients *clients;
	TAILQ_ENTRY(client) next;
	struct bufferevent *bev; /* compared only: it may be gone */
	int fd;
	uint64_t cookie;
	struct timer *timer;
	bool fresh; /* just accepted: its socket was not asked for yet */
	bool trusted, busy, leaving;
};

struct clients {
	struct loop *loop;
	struct event *sweep;
	TAILQ_HEAD(clients_head, client) list; /* oldest first */
	size_t n, max;
};

/* The kernel's name for a socket, never used twice (SO_COOKIE, socket(7)); 0: no socket. */
static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

static bool is_there(const struct client *client)
{
	return client->fresh || (client->cookie && cookie_of(client->fd) == client->cookie);
}

static void forget(struct client *client)
{
	struct clients *clients = client->clients;

	timer_cancel(client->timer);
	TAILQ_REMOVE(&clients->list, client, next);
	clients->n--;
	free(client);
}

/* evhttp reads the end and closes its side. */
static void hang_up(struct client *client)
{
	client->leaving = true;
	if (!client->fresh && is_there(client))
		(void)shutdown(client->fd, SHUT_RDWR);
}

static void on_late(void *data)
{
	struct client *client = data;

	client->timer = NULL;
	hang_up(client);
}

static void give(struct client *client, int64_t ms)
{
	timer_cancel(client->timer);
	client->timer = ms > 0 ? loop_timer(client->clients->loop, ms, on_late, client) : NULL;
}

static void forget_gone(struct clients *clients)
{
	struct client *client = TAILQ_FIRST(&clients->list);

	while (client) {
		struct client *next = TAILQ_NEXT(client, next);

		if (!is_there(client))
			forget(client);
		client = next;
	}
}

/* Who never showed a session goes first; among those who did, the newest. */
static struct client *choose(const struct clients *clients)
{
	struct client *client, *last = NULL;

	TAILQ_FOREACH(client, &clients->list, next)
	{
		if (client->leaving)
			continue;
		if (!client->trusted)
			return client;
		last = client;
	}
	return last;
}

static void make_room(struct clients *clients)
{
	struct client *client;
	size_t n = 0;

	forget_gone(clients);
	TAILQ_FOREACH(client, &clients->list, next)
	n += !client->leaving;
	while (n-- > clients->max && (client = choose(clients)))
		hang_up(client);
}

/* Runs right after the accepting callback, before anything can have happened to what it
 * accepted. */
static void on_sweep(evutil_socket_t fd, short what, void *data)
{
	struct clients *clients = data;
	struct client *client;

	(void)fd;
	(void)what;
	TAILQ_FOREACH_REVERSE(client, &clients->list, clients_head, next)
	{
		if (!client->fresh)
			break;
		client->fresh = false;
		client->fd = bufferevent_getfd(client->bev);
		client->cookie = cookie_of(client->fd);
		give(client, REQUEST_MS);
	}
	if (clients->n > clients->max)
		make_room(clients);
}

/* The first bytes of a request start its clock. */
static void on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *data)
{
	struct client *client = data;

	(void)buffer;
	if (info->n_added > 0 && !client->busy && !client->timer)
		give(client, REQUEST_MS);
}

struct bufferevent *clients_on_accept(struct event_base *base, void *data)
{
	struct clients *clients = data;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct client *client, *old;

	if (!bev)
		return NULL;
	old = clients_find(clients, bev);
	if (old)
		forget(old); /* its memory was given back, so it is gone */
	client = mem_new(1, sizeof(*client));
	client->clients = clients;
	client->bev = bev;
	client->fd = -1;
	client->fresh = true;
	TAILQ_INSERT_TAIL(&clients->list, client, next);
	clients->n++;
	(void)bufferevent_set_max_single_write(bev, WRITE_BYTES);
	bufferevent_setwatermark(bev, EV_READ, 0, READ_BYTES);
	evbuffer_add_cb(bufferevent_get_input(bev), on_input, client);
	event_active(clients->sweep, EV_TIMEOUT, 0);
	return bev;
}

struct client *clients_find(struct clients *clients, const struct bufferevent *bev)
{
	struct client *client;

	TAILQ_FOREACH_REVERSE(client, &clients->list, clients_head, next)
	if (client->bev == bev)
		return client;
	return NULL;
}

void client_arrived(struct client *client)
{
	client->busy = true;
	give(client, 0);
}

void client_answering(struct client *client)
{
	give(client, ANSWER_MS);
}

void client_streaming(struct client *client)
{
	give(client, 0);
}

void client_done(struct client *client)
{
	client->busy = false;
	/* a next request may have come along with this one */
	give(client,
	     evbuffer_get_length(bufferevent_get_input(client->bev)) > 0 ? REQUEST_MS : 0);
}

void client_trust(struct client *client)
{
	client->trusted = true;
}

size_t clients_count(struct clients *clients)
{
	forget_gone(clients);
	return clients->n;
}

struct clients *clients_new(struct loop *loop, size_t max)
{
	struct clients *clients = mem_new(1, sizeof(*clients));

	clients->loop = loop;
	clients->max = max;
	clients->sweep = event_new(loop_base(loop), -1, 0, on_sweep, clients);
	TAILQ_INIT(&clients->list);
	return clients;
}

void clients_free(struct clients *clients)
{
	struct client *client;

	if (!clients)
		return;
	while ((client = TAILQ_FIRST(&clients->list)))
		forget(client);
	event_free(clients->sweep);
	free(clients);
}
