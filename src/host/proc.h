/* Processes by pid and start time, so that a pid which was given away again is never taken for
 * the old one. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_id {
	pid_t pid;      /* 0: none */
	uint64_t start; /* clock ticks after boot, field 22 of /proc/PID/stat (man proc) */
};

/* Looks a live process up. -ESRCH: there is none with that pid, or only its zombie. */
int proc_identify(pid_t pid, struct proc_id *ret, struct error *err);

/*
 * A pidfd of exactly that process, owned by the caller. -ESRCH: it has ended (a zombie has,
 * too), or the pid belongs to another one by now.
 */
int proc_open(const struct proc_id *id, struct error *err);

/* Whether it still runs. */
bool proc_is_alive(const struct proc_id *id);

/* Sends a signal to exactly that process; one that has ended is success. */
int proc_signal(const struct proc_id *id, int signum, struct error *err);

/* Waits until all of them have ended. -ETIMEDOUT after timeout_ms. Blocks. */
int proc_wait(const struct proc_id *ids, size_t n, int64_t timeout_ms, struct error *err);

/* The machine's boot id (36 characters), which makes pid and start time unique. */
#define BOOT_ID_SIZE 37
int proc_boot_id(char ret[BOOT_ID_SIZE], struct error *err);
