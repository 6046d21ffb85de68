/* The view model: the one place where agents and proposals become the objects that all
 * interfaces carry. */
#pragma once

#include "model/proposal.h"
#include "model/settings.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What is known of a running or stopped agent beside its settings. */
struct agent_facts {
	bool running, failed, frozen;
	const char *state; /* "running", "starting", "stopped", "failed" */
	bool needs_update;
	const char *status_text; /* cleaned; NULL: unset */
	int64_t status_set_at;
	int64_t open_proposal; /* its undecided proposal; 0: none */
	const char *url;       /* NULL: none */
	int64_t downtime_ms;   /* of the last switch; −1: unknown */
	int64_t up_since;      /* wall seconds; 0: not running, or not known */
	const json_t *drift;   /* rows of what differs; NULL: nothing */
};

/* One agent row (`agent_status`), keys in the protocol's order. The caller owns it. */
json_t *view_agent(const struct settings *settings, const struct agent_facts *facts);

/* One approval row (`pending`). */
json_t *view_proposal(const struct proposal *proposal, int64_t expires_at);

/* [{"name","strength","sentence","place"}] */
json_t *view_flags(const struct flags *flags);
