/*
 * The dashboard's files: read once from the manifest its build wrote, kept in memory, served by
 * exact name. No path of a request ever reaches the file system.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct assets;

/* One way a file is stored. */
struct asset_body {
	const char *encoding; /* NULL: as it is; "br", "gzip" */
	char *data;
	size_t size;
	char etag[48]; /* with its quotes */
};

#define ASSET_BODIES 3

struct asset {
	char *path, *type;
	bool immutable; /* its name changes with its content */
	struct asset_body bodies[ASSET_BODIES];
	size_t n_bodies;
};

/*
 * Reads dir/manifest.json:
 * [{"path":"/static/app.1a2b.js","file":"app.1a2b.js","type":"text/javascript","encodings":["br"]}],
 * where "app.1a2b.js.br" then lies beside the file. The path "/" is the page itself. At most
 * 256 files, 16 MiB in all.
 */
int assets_load(const char *dir, struct assets **ret, struct error *err);
void assets_free(struct assets *assets);

/* By the exact path of the manifest; NULL: none (assets may be NULL). Borrowed. */
const struct asset *assets_find(const struct assets *assets, const char *path);

/* The smallest body that Accept-Encoding (may be NULL; RFC 9110, 12.5.3) takes. */
const struct asset_body *asset_choose(const struct asset *asset, const char *accept);

/* Whether If-None-Match (may be NULL) names this body. */
bool asset_is_known(const struct asset_body *body, const char *if_none_match);
