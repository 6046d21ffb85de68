/* What every service of a container finds in its environment. */
#pragma once

#include "host/spec.h"

/*
 * A drop-in for system.conf with a DefaultEnvironment= line per variable, ours last (man
 * systemd-system.conf, systemd.syntax for the quoting). The caller frees it.
 */
char *environment_render(const struct container_spec *spec);
