/* The health check of a deploy: time to come good, then time to stay good. */
#pragma once

#include "control/hive.h"
#include "model/manifest.h"

struct probe_run;
struct joblog;

/* Called once: r is 0, or −errno with err saying what did not hold. */
typedef void (*probe_fn)(int r, const struct error *err, void *data);

/*
 * Begins to probe a running container. baseline (borrowed during the call) names units that
 * were failed before. The manifest's probe is copied.
 */
struct probe_run *probe_start(struct hive *hive, struct agent *agent, const struct probe *probe,
			      const json_t *baseline, struct joblog *log, probe_fn fn,
			      void *data);

/* Ends it without a call; NULL is fine. A probe that has called fn must not be passed. */
void probe_free(struct probe_run *run);
