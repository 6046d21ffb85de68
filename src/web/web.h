/* The dashboard's server: evhttp on sockets that were handed over, and skepd's socket behind
 * it. */
#pragma once

#include "base/error.h"
#include "base/loop.h"
#include "web/assets.h"
#include "web/site.h"

#define WEB_LISTENERS_MAX 8

struct web;

struct web_config {
	const char *socket;      /* skepd's */
	const struct site *site; /* outlives the server; empty ports of listeners are added by
				    the caller */
	const struct assets *assets; /* outlives the server; NULL: there are none */
	const char *metrics_token;   /* who shows it may read /metrics without a login; NULL:
					nobody */
	int listeners[WEB_LISTENERS_MAX]; /* listening sockets, the server's from now on */
	size_t n_listeners;
};

int web_new(struct loop *loop, const struct web_config *config, struct web **ret,
	    struct error *err);
void web_free(struct web *web);
