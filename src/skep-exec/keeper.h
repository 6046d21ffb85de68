/* Notices when a container ends without being asked to. */
#pragma once

#include "base/error.h"
#include "base/loop.h"
#include "skep-exec/options.h"

#include <stdbool.h>
#include <sys/types.h>

struct keeper;

/*
 * A container ended, or under systemd came back. exit is "" and clean false when nobody can say
 * how it ended. agent NULL: some may have, unseen.
 */
typedef void (*keeper_fn)(const char *agent, const char *exit, bool clean, void *data);

/* Under systemd it hears of every unit by itself; standalone it watches what it is told to. */
int keeper_new(struct loop *loop, const struct options *options, keeper_fn fn, void *data,
	       struct keeper **ret, struct error *err);
void keeper_free(struct keeper *keeper);

/* Watches the container of an agent as it runs now, in place of what was watched before.
 * Standalone only. */
void keeper_look(struct keeper *keeper, const char *agent);

/* Whether a process is a watched container's nspawn. */
bool keeper_own(const struct keeper *keeper, pid_t pid);
