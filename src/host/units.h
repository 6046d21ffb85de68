/* Units of this machine's systemd: their state, and jobs that change it, waited for by their
 * signals. */
#pragma once

#include "host/bus.h"

#include <stdbool.h>
#include <stdint.h>

struct unit_state {
	char load[16], active[24], sub[24], result[32];
	pid_t main_pid;
	int exit_code, exit_status; /* as in waitid(2): CLD_EXITED and a status, or a signal */
	uint64_t active_enter_us;   /* CLOCK_MONOTONIC; 0: never */
	unsigned restarts;          /* by systemd itself, since it was started */
	int needs_reload;           /* its files are others than systemd has read */
	uint64_t memory_max_bytes, cpu_us,
		tasks_max; /* what it may use; UINT64_MAX: anything */
};

/* Loads the unit if need be and reads what is true of it at one moment. */
int unit_read(sd_bus *bus, const char *unit, struct unit_state *ret, struct error *err);

/* Has systemd read all unit files again. */
int unit_reload(sd_bus *bus, struct error *err);

/* Forgets earlier failures and their start limit; a unit that is not loaded has none. */
void unit_reset_failed(sd_bus *bus, const char *unit);

/*
 * Calls StartUnit or StopUnit and waits until the job is done; result is what systemd says of
 * it
 * ("done", "failed", "timeout", ...). -ETIMEDOUT: not done by end_boot_ms (err is filled).
 */
int unit_job(sd_bus *bus, const char *method, const char *unit, int64_t end_boot_ms,
	     char ret_result[24], struct error *err);

/* Sends a signal to every process of the unit. */
int unit_kill(sd_bus *bus, const char *unit, int signum, struct error *err);

/* Stopped, in either of systemd's two words for it. */
static inline bool unit_is_down(const struct unit_state *state)
{
	return state->active[0] == 'i' || state->active[0] == 'f'; /* inactive, failed */
}
