/* What every service of a container finds in its environment. */
#pragma once

#include "host/spec.h"

/*
 * A drop-in for system.conf with a DefaultEnvironment= line per variable: a PATH that reaches
 * the client, the agent's own, and HIVE_* last, which nobody overrides (man
 * systemd-system.conf, systemd.syntax for the quoting). The caller frees it.
 */
char *environment_render(const struct container_spec *spec);
