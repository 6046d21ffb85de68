/*
 * Which containers of nixos-container are skep's: a file per container in
 * <state>/nixos-containers, named for it, that holds the agent's name. Only those are changed;
 * the name alone proves nothing.
 */
#pragma once

#include "base/error.h"
#include "host/place.h"
#include "model/names.h"

#include <stdbool.h>

#define NIXOS_CONF_DIR "/etc/nixos-containers"
#define NIXOS_ROOTS "/var/lib/nixos-containers"
#define NIXOS_PROFILES "/nix/var/nix/profiles/per-container"
#define NIXOS_GCROOTS "/nix/var/nix/gcroots/per-container"

/* Whether the agent's container is one of nixos-container that skep made or adopted. */
bool nixos_owned(const struct place *place, const char *agent);

/* The agent of a container, from <state>; false: it is none of ours. */
bool nixos_owner(const char *state, const char *container, char ret_agent[AGENT_NAME_MAX + 1]);

int nixos_owner_write(const struct place *place, const char *agent, struct error *err);
int nixos_owner_remove(const struct place *place, const char *agent, struct error *err);
