/* Under which names the dashboard may be asked for: the one list that Host and Origin are held
 * to. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SITE_MAX 32
#define SITE_ORIGIN_SIZE 280

/* One allowed origin ("http://127.0.0.1:7700"); what follows the scheme is what Host must say.
 */
struct site_name {
	char origin[SITE_ORIGIN_SIZE];
	const char *host; /* in origin */
	bool tls;
};

struct site {
	struct site_name names[SITE_MAX];
	size_t n;
};

/* Adds http://127.0.0.1:PORT, http://[::1]:PORT and http://localhost:PORT (without the port,
 * too, when it is 80). */
int site_add_port(struct site *site, uint16_t port, struct error *err);

/*
 * Adds an origin as a browser writes it (RFC 6454): scheme http or https, a name in lower case
 * or an address, a port unless it is the scheme's own, and nothing after it. -EINVAL otherwise,
 * -E2BIG when there are SITE_MAX.
 */
int site_add_origin(struct site *site, const char *origin, struct error *err);

/* The first entry whose Host this is, compared without regard to case; NULL: not ours. */
const struct site_name *site_find_host(const struct site *site, const char *host);

/* Whether a page of this origin, exactly so written, may act on what was asked for under that
 * Host. */
bool site_is_own(const struct site *site, const char *origin, const char *host);
