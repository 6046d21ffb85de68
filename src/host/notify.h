/* The receiving end of sd_notify(): what an nspawn process of ours says while it starts (man
 * sd_notify). */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Binds a datagram socket at path, replacing what is there. The descriptor is the caller's. */
int notify_listen(const char *path, struct error *err);

/* Finds the two messages that matter in one datagram; what it does not hold stays untouched.
 * Pure. */
void notify_parse(const char *text, bool *ready, pid_t *leader);

/*
 * Waits for READY=1. -ETIMEDOUT; -ECHILD without an error text when pidfd, the process that
 * should say it, ended first. *ret_leader is 0 when its number was not told.
 */
int notify_wait(int fd, int pidfd, int64_t timeout_ms, pid_t *ret_leader, struct error *err);
