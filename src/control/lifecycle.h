/* The life of an agent: spawn, start, stop, restart, destroy, settings. */
#pragma once

#include "control/op.h"

struct spawn_request {
	const char *name;
	const json_t *labels; /* object of strings; NULL */
	struct limits limits; /* LIMIT_UNSET where not said */
	int private_network;  /* −1: the hive's default */
	enum driver_kind driver;
	enum builder_kind builder;
	bool adopts; /* its container is there already, made by hand */
};

/*
 * Checks everything and puts the operation in line: repositories from the templates (or those
 * that were kept), deployed/0, the system, the entry in agents.json, the container. A spawn
 * that fails leaves no entry.
 */
int lifecycle_spawn(struct hive *hive, const struct spawn_request *request,
		    const struct actor *actor, struct op **ret, struct error *err);

/* The same for settings that were planned and checked before (taken over), to carry out a
 * proposal, whose outcome is recorded at the end. */
struct op *lifecycle_spawn_planned(struct hive *hive, struct settings *settings,
				   struct proposal *proposal, const struct actor *actor);

/* And for an agent that has its entry already, because a crash came between the two. */
struct op *lifecycle_spawn_again(struct agent *agent, struct proposal *proposal,
				 const struct actor *actor);

/* -EBUSY for an agent that is being destroyed or renamed, or is part of a generation that does
 * not hold yet. */
int lifecycle_refuse_dying(const struct agent *agent, struct error *err);

/* Whether one more operation may be asked for: the agent is not being destroyed and its line is
 * not too long. */
int lifecycle_check_line(const struct agent *agent, struct error *err);

/* Writes the wanted power state to meta, then puts the container's part in line. stop_s is what
 * it has to halt in (0: as configured). */
int lifecycle_start(struct hive *hive, struct agent *agent, const struct actor *actor,
		    struct op **ret, struct error *err);
int lifecycle_stop(struct hive *hive, struct agent *agent, const struct actor *actor,
		   int64_t stop_s, struct op **ret, struct error *err);
int lifecycle_restart(struct hive *hive, struct agent *agent, const struct actor *actor,
		      int64_t stop_s, struct op **ret, struct error *err);

/* Removes container and entry; with purge repositories and state as well, after their record
 * was copied to meta. */
int lifecycle_destroy(struct hive *hive, struct agent *agent, bool purge,
		      const struct actor *actor, struct op **ret, struct error *err);

/*
 * Makes wanted (taken over) the agent's settings and commits; on failure everything is as it
 * was.
 */
int lifecycle_commit(struct hive *hive, struct agent *agent, struct settings *wanted,
		     const char *message, struct error *err);

/* What was asked for is recorded; err says what the running container did not take of it. */
typedef void (*lifecycle_fn)(struct hive *hive, const char *agent, const struct error *err,
			     void *data);

/*
 * Changes settings (an object of strings) in one commit, and the running container where that
 * is possible; then fn is called, perhaps at once. Not when the change is refused.
 */
int lifecycle_set(struct hive *hive, struct agent *agent, const json_t *settings,
		  const struct actor *actor, lifecycle_fn fn, void *data, struct error *err);

/* Tells a running container its limits; fn is called later. */
void lifecycle_tell_limits(struct hive *hive, struct agent *agent, const struct limits *limits,
			   lifecycle_fn fn, void *data);

/* Has the files put back that a container of nixos-container is started by. */
void lifecycle_tell_files(struct hive *hive, struct agent *agent, lifecycle_fn fn, void *data);

/* -ENOENT, -EINVAL: a parent that is no agent, or a ring of them. */
int lifecycle_check_parent(const struct hive *hive, const struct settings *wanted,
			   struct error *err);

/* Sets the pause flag and the marker in /run/hive, in the same way. */
int lifecycle_pause(struct hive *hive, struct agent *agent, bool paused,
		    const struct actor *actor, lifecycle_fn fn, void *data, struct error *err);

/* Makes the marker what the record says; fn may be NULL. */
void lifecycle_mark_pause(struct hive *hive, struct agent *agent, lifecycle_fn fn, void *data);

/* Asks for the agent's own socket and begins to serve it; its pause marker becomes true again.
 */
void lifecycle_open_socket(struct hive *hive, struct agent *agent);

/* The last steps of an operation: stops the container, reads back, ends. */
void lifecycle_stop_now(struct op *op);

/* The last step of one that left the container running: it is stopped again where it is wanted
 * stopped. */
void lifecycle_settle(struct op *op);
