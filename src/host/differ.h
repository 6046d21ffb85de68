/*
 * What a running container is, against the specification it was started from. Each difference
 * found is added to a list as {"field","want","have"}, texts all three; what cannot be looked
 * at is an error, never a difference.
 */
#pragma once

#include "base/error.h"
#include "host/place.h"
#include "host/ports.h"
#include "host/spec.h"
#include "host/supervisor.h"

#include <jansson.h>
#include <stdbool.h>

/* One entry; want and have are cleaned and cut. */
void differ_add(json_t *list, const char *field, const char *want, const char *have);

/*
 * Its ids, its network, what its driver made (host/driver.h), the limits of its control group
 * and their drop-in, who else listens on its port, and its socket. Of a container that does not
 * run, or is about to stop, only the last. systemd: its unit is the host's, with a drop-in.
 * machine: who listens on the machine's own network, read by the first container that shares it
 * and kept for the others; the caller releases it.
 */
int differ_container(const struct place *place, const struct container_spec *spec,
		     const struct container_state *state, bool systemd,
		     struct port_lines *machine, json_t *list, struct error *err);

/* The place with its directories as the kernel names them. The caller frees both. */
int differ_real_place(const struct place *place, struct place *ret, char **ret_state,
		      char **ret_runtime, struct error *err);

/* What is mounted in the container of a leader, against nspawn's arguments. */
int differ_mounts(pid_t leader, char *const *argv, json_t *list, struct error *err);

/*
 * What nspawn was told to bind (its arguments), against where that really is in the container:
 * from our own mountinfo and the leader's. Fields are "bind PATH". Pure.
 */
void differ_binds(const char *own, const char *leaders, char *const *argv, json_t *list);
