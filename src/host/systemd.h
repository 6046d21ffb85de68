/* What others need to know of containers that are units: names and states. */
#pragma once

#include "host/supervisor.h"
#include "host/units.h"

#define SYSTEMD_UNIT_PREFIX "skep-agent@"
#define SYSTEMD_NIXOS_PREFIX "container@" /* of those that nixos-container made */
#define SYSTEMD_UNIT_NAME_SIZE (sizeof(SYSTEMD_UNIT_PREFIX ".service") + AGENT_NAME_MAX)

/* "skep-agent@alice.service", or "container@h-alice.service" where that is what the agent has.
 * out is returned. */
char *systemd_unit_name(char out[SYSTEMD_UNIT_NAME_SIZE], const struct place *place,
			const char *agent);

/* A unit's ActiveState as the state of a container. One that is being stopped still runs. */
enum container_run_state systemd_run_state(const char *active);

/* How a unit that is down ended: "exited with status 1", "oom-kill; was killed by signal 9
 * ...". */
char *systemd_exit_text(char out[64], const struct unit_state *unit);
