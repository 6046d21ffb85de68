/* Where things of one agent are, and the steps several verbs share. */
#pragma once

#include "base/error.h"
#include "host/place.h"
#include "host/spec.h"
#include "host/verb.h"

/* The agent's name of a request whose schema demands one. */
const char *agent_of(const struct verb_request *request);

/* Makes agents/<a>/{state,claude}, the runtime directory and the mount point of the client. */
int agent_make(const struct place *place, const char *agent, uid_t uid_base, struct error *err);

/* Reads the specification its container was last started with. -ENOENT: never since this
 * machine came up. */
int agent_read_spec(const struct place *place, const char *agent, struct container_spec *ret,
		    struct error *err);
int agent_write_spec(const struct place *place, const struct container_spec *spec,
		     struct error *err);

/* Calls fn for every agent that has a specification; it stops at the first that fails. */
int agent_each(const struct place *place,
	       int (*fn)(const char *agent, void *data, struct error *err), void *data,
	       struct error *err);

/* -EEXIST when the id range of a specification is another agent's: the two could reach each
 * other's files. */
int agent_check_range(const struct place *place, const struct container_spec *spec,
		      struct error *err);
