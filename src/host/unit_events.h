/* Changes of the containers' units as they happen, for the daemon's loop. */
#pragma once

#include "base/loop.h"
#include "host/supervisor.h"

struct unit_events;

/*
 * A unit changed. agent NULL: the connection to systemd was lost and is back, so any of them
 * may have changed meanwhile.
 */
typedef void (*unit_event_fn)(const char *agent, enum container_run_state state, void *data);

/*
 * Starts watching (blocks for the few milliseconds that connecting takes). state (borrowed) is
 * the hive's directory, which tells whose the containers of nixos-container are. A lost
 * connection is made again by itself.
 */
int unit_events_new(struct loop *loop, const char *state, unit_event_fn fn, void *data,
		    struct unit_events **ret, struct error *err);
void unit_events_free(struct unit_events *events);

/* The agent of a unit's object path ("/org/freedesktop/systemd1/unit/..."), false for any other
 * unit. */
bool unit_events_agent(const char *state, const char *path, char ret_agent[AGENT_NAME_MAX + 1]);
