/* One request and its answer, and what all of them share. */
#pragma once

#include "base/loop.h"
#include "web/clients.h"
#include "web/guard.h"
#include "web/known.h"
#include "web/link.h"
#include "web/stats.h"
#include "web/web.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct evhttp;
struct evhttp_request;
struct hub;
struct stream;

TAILQ_HEAD(stream_list, stream);

/* Sessions with open streams, asked about one after the other. */
#define RECHECK_MAX 256
struct recheck {
	struct link *link;
	char sessions[RECHECK_MAX][TOKEN_SIZE];
	size_t n;
};

struct web {
	struct loop *loop;
	struct web_config config;
	struct evhttp *http;
	struct clients *clients;
	struct stats *stats;
	struct known known;
	struct hub *hub;
	struct stream_list streams;
	struct recheck recheck;
	struct timer *beat;
	size_t n_calls, n_strangers, n_streams;
};

struct exchange;

typedef void (*exchange_fn)(struct exchange *x);
typedef void (*exchange_line_fn)(struct exchange *x, const char *line, size_t size);

struct exchange {
	struct web *web;
	struct evhttp_request *req;
	struct guarded guarded;
	int64_t started_us;
	struct link *link;
	bool stranger; /* counted among those whose session is not known to be good */
	exchange_line_fn on_line;
	exchange_fn next;
};

struct exchange *exchange_new(struct web *web, struct evhttp_request *req);

/* After its answer was begun. */
void exchange_free(struct exchange *x);

/* The entry of its connection; NULL when that is gone. */
struct client *exchange_client(const struct exchange *x);

/*
 * Asks skepd (request is stolen) and gives the one line of its answer to fn, which answers.
 * What keeps it from being asked or answered is answered here.
 */
void exchange_ask(struct exchange *x, json_t *request, exchange_line_fn fn);

/* Asks whether the session holds; calls fn when it does, answers otherwise. */
void exchange_admit(struct exchange *x, exchange_fn fn);
