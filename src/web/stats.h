/* What this server counts of itself, and everything that is counted as Prometheus reads it. */
#pragma once

#include "base/buf.h"
#include "web/route.h"

#include <jansson.h>
#include <stdint.h>

struct stats;

struct stats *stats_new(void);
void stats_free(struct stats *stats);

/* A point in time, in microseconds. */
int64_t stats_now_us(void);

/* One request, begun at that time, is answered. route NULL: it went nowhere. */
void stats_answered(struct stats *stats, const struct route *route, int status,
		    int64_t begun_us);

/* One was refused, and why in one word (a literal). */
void stats_refused(struct stats *stats, const char *reason);

/* Our own numbers as skepd tells its own: [{name, help, type, samples:[{labels, value}]}]. The
 * caller owns it. */
json_t *stats_list(const struct stats *stats, size_t streams, size_t clients);

/*
 * Writes lists of that shape in the text format of Prometheus (version 0.0.4). A metric that is
 * in both becomes one, with the samples of both; what is not well formed is left out. theirs
 * may be NULL.
 */
void stats_render(struct buf *out, const json_t *ours, const json_t *theirs);
