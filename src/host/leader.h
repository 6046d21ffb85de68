/* The leader of a container: its PID 1, as this machine sees it. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * The child of an nspawn process that is PID 1 of a namespace of its own. *ret is 0 while there
 * is none.
 */
int leader_find(pid_t nspawn_pid, pid_t *ret, struct error *err);

/* Whether the text of /proc/PID/status is that of a child of parent with PID 1 in its
 * namespace. */
bool leader_parse_status(const char *text, pid_t parent);
