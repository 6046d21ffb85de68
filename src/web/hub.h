/*
 * What happens in the hive, from one subscription at skepd to every open page. The newest
 * events and one snapshot are kept and shared, so a page that comes back gets what it missed,
 * one that is new gets the snapshot and what came after it, and one that was too slow gets an
 * explicit resync.
 */
#pragma once

#include "web/stream.h"

#include <stdint.h>

struct hub;

struct hub *hub_new(struct web *web);
void hub_free(struct hub *hub);

/* Begins to tell a stream: from the event after since, or (−1, or too long ago) with a
 * snapshot. */
void hub_join(struct hub *hub, struct stream *stream, int64_t since);

/* A session is no good any more, so it is not used for the subscription either. */
void hub_session_over(struct hub *hub, const char *session);
