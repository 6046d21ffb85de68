/*
 * Containers as instances of the template unit skep-agent@.service. What a container may use is
 * a drop-in beside it, written before every start, so that the unit that runs is the one
 * described.
 */
#include "host/supervisor.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "host/accounting.h"
#include "host/dropins.h"
#include "host/leader.h"
#include "host/nixos_owner.h"
#include "host/systemd.h"
#include "host/units.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define KILL_WAIT_MS 10000
#define CONTROL_ROOT "/run/systemd/system.control" /* drop-ins of live changes */

char *systemd_unit_name(char out[SYSTEMD_UNIT_NAME_SIZE], const struct place *place,
			const char *agent)
{
	char container[CONTAINER_NAME_SIZE];
	bool nixos = nixos_owned(place, agent);

	snprintf(out, SYSTEMD_UNIT_NAME_SIZE, "%s%s.service",
		 nixos ? SYSTEMD_NIXOS_PREFIX : SYSTEMD_UNIT_PREFIX,
		 nixos ? name_container(container, agent) : agent);
	return out;
}

enum container_run_state systemd_run_state(const char *active)
{
	if (!strcmp(active, "active") || !strcmp(active, "reloading") ||
	    !strcmp(active, "deactivating"))
		return CONTAINER_RUNNING;
	if (!strcmp(active, "activating"))
		return CONTAINER_STARTING;
	if (!strcmp(active, "failed"))
		return CONTAINER_FAILED;
	return CONTAINER_STOPPED;
}

char *systemd_exit_text(char out[64], const struct unit_state *unit)
{
	struct child_exit end = {.signaled = unit->exit_code != CLD_EXITED,
				 .status = unit->exit_status};
	char how[64] = "";

	if (unit->exit_code != 0)
		child_exit_text(how, &end);
	if (!strcmp(unit->result, "success") || !strcmp(unit->result, "exit-code") ||
	    !strcmp(unit->result, "signal"))
		snprintf(out, 64, "%s", how);
	else
		snprintf(out, 64, "%.20s%s%.40s", unit->result, how[0] ? "; " : "", how);
	return out;
}

static int64_t since_boot(uint64_t monotonic_us)
{
	struct timespec now;

	if (monotonic_us == 0)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return clock_boot_ms() - (now.tv_sec * 1000LL + now.tv_nsec / 1000000) +
	       (int64_t)(monotonic_us / 1000);
}

static int describe(const struct unit_state *unit, struct container_state *ret,
		    struct error *err)
{
	struct container_state s = {.state = systemd_run_state(unit->active),
				    .ending = strcmp(unit->active, "deactivating") == 0,
				    .nspawn_pid = unit->main_pid,
				    .since_boot_ms = since_boot(unit->active_enter_us),
				    .restarts = unit->restarts};
	int r = s.nspawn_pid ? leader_find(s.nspawn_pid, &s.leader, err) : 0;

	if (r < 0)
		return r;
	if (unit_is_down(unit))
		systemd_exit_text(s.exit, unit);
	*ret = s;
	return 0;
}

static int read_state(sd_bus *bus, const char *unit, struct unit_state *ret, struct error *err)
{
	int r = unit_read(bus, unit, ret, err);

	if (r < 0)
		return r;
	if (!strcmp(ret->load, "not-found"))
		return error_set(err, ENOENT, "there is no unit '%s': is it installed?", unit);
	if (strcmp(ret->load, "loaded") != 0)
		return error_set(err, EINVAL, "systemd cannot use unit '%s' (%s)", unit,
				 ret->load);
	return 0;
}

static int failed_start(const char *agent, const char *unit, const char *result,
			const struct unit_state *state, struct error *err)
{
	char how[64];
	int r = error_set(err, !strcmp(result, "timeout") ? ETIMEDOUT : EIO,
			  "container of '%s' did not start (%s): %s", agent, result,
			  systemd_exit_text(how, state));

	error_hint(err, "see: journalctl -u %s", unit);
	return r;
}

/* What was reported as not started must not come up later by a restart of systemd's. */
static void give_up(sd_bus *bus, const char *unit)
{
	char result[24];

	(void)unit_kill(bus, unit, SIGKILL, NULL);
	(void)unit_job(bus, "StopUnit", unit, clock_boot_ms() + KILL_WAIT_MS, result, NULL);
}

static bool is_limit(uint64_t have, int64_t want, uint64_t scale)
{
	return want == LIMIT_UNSET || have == (uint64_t)want * scale;
}

/* A unit that was not in use is read from its files when it is asked for, with what has just
 * been written; one that failed or is about to start again is not. */
static bool has_limits(const struct unit_state *unit, const struct limits *limits)
{
	return is_limit(unit->memory_max_bytes, limits->memory_max_bytes, 1) &&
	       is_limit(unit->cpu_us, limits->cpu_quota_percent, 10000) &&
	       is_limit(unit->tasks_max, limits->tasks_max, 1);
}

static int start(const struct place *place, const char *agent, const struct limits *limits,
		 int64_t timeout_ms, struct container_state *ret, struct error *err)
{
	sd_bus *bus = NULL;
	char unit[SYSTEMD_UNIT_NAME_SIZE], result[24];
	struct unit_state state;
	int r = dropin_write(DROPIN_ROOT, systemd_unit_name(unit, place, agent), limits, err);

	if (r >= 0)
		r = bus_host(&bus, err);
	if (r >= 0)
		r = read_state(bus, unit, &state, err);
	if (r >= 0 && (state.needs_reload || !has_limits(&state, limits)))
		r = unit_reload(bus, err);
	if (r < 0)
		return r;
	unit_reset_failed(bus, unit);
	r = unit_job(bus, "StartUnit", unit, clock_boot_ms() + timeout_ms, result, err);
	if (r < 0) {
		give_up(bus, unit);
		return r;
	}
	r = read_state(bus, unit, &state, err);
	if (r < 0)
		return r;
	if (strcmp(result, "done") != 0) {
		give_up(bus, unit);
		return failed_start(agent, unit, result, &state, err);
	}
	return describe(&state, ret, err);
}

static int stop(const struct place *place, const char *agent, int64_t timeout_ms,
		struct error *err)
{
	sd_bus *bus = NULL;
	char unit[SYSTEMD_UNIT_NAME_SIZE], result[24];
	struct unit_state state;
	int r = bus_host(&bus, err);

	if (r >= 0)
		r = unit_read(bus, systemd_unit_name(unit, place, agent), &state, err);
	if (r < 0)
		return r;
	if (unit_is_down(&state))
		return 0;
	r = unit_job(bus, "StopUnit", unit, clock_boot_ms() + timeout_ms, result, err);
	if (r == -ETIMEDOUT) {
		r = unit_kill(bus, unit, SIGKILL, err);
		if (r >= 0)
			r = unit_job(bus, "StopUnit", unit, clock_boot_ms() + KILL_WAIT_MS,
				     result, err);
	}
	if (r >= 0)
		r = unit_read(bus, unit, &state, err);
	if (r < 0)
		return r;
	if (!unit_is_down(&state))
		return error_set(err, EBUSY, "container of '%s' does not stop: it is %s (%s)",
				 agent, state.active, state.sub);
	return 0;
}

static int inspect(const struct place *place, const char *agent, struct container_state *ret,
		   struct error *err)
{
	sd_bus *bus = NULL;
	char unit[SYSTEMD_UNIT_NAME_SIZE];
	struct unit_state state;
	int r = bus_host(&bus, err);

	if (r >= 0)
		r = read_state(bus, systemd_unit_name(unit, place, agent), &state, err);
	return r < 0 ? r : describe(&state, ret, err);
}

static int set_properties(sd_bus *bus, const char *unit, const struct limits *limits,
			  struct error *err)
{
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				   "SetUnitProperties", &e, NULL, "sba(sv)", unit, 1, 3,
				   "MemoryMax", "t", (uint64_t)limits->memory_max_bytes,
				   "CPUQuotaPerSecUSec", "t",
				   (uint64_t)limits->cpu_quota_percent * 10000, "TasksMax", "t",
				   (uint64_t)limits->tasks_max);

	return r < 0 ? bus_error(err, r, &e, "cannot change the limits of '%s'", unit) : 0;
}

static int set_limits(const struct place *place, const char *agent, const struct limits *limits,
		      unsigned *ret_enforced, struct error *err)
{
	sd_bus *bus = NULL;
	char unit[SYSTEMD_UNIT_NAME_SIZE], reason[160];
	struct container_state now;
	struct unit_state state;
	int r = dropin_write(DROPIN_ROOT, systemd_unit_name(unit, place, agent), limits, err);

	if (r >= 0)
		r = bus_host(&bus, err);
	if (r >= 0)
		r = read_state(bus, unit, &state, err);
	if (r >= 0)
		r = describe(&state, &now, err);
	if (r < 0)
		return r;
	if (now.leader == 0) /* the drop-in holds from the next start on */
		return accounting_controllers(ret_enforced, reason, err);
	r = set_properties(bus, unit, limits, err);
	return r < 0 ? r : accounting_enforced(now.leader, limits, ret_enforced, err);
}

static int forget(const struct place *place, const char *agent, struct error *err)
{
	sd_bus *bus = NULL;
	char unit[SYSTEMD_UNIT_NAME_SIZE];
	struct unit_state state;
	int r = dropin_remove(DROPIN_ROOT, systemd_unit_name(unit, place, agent), err);

	if (r >= 0)
		r = dropin_remove(CONTROL_ROOT, unit, err);
	if (r >= 0)
		r = bus_host(&bus, err);
	if (r < 0)
		return r;
	unit_reset_failed(bus, unit);
	r = unit_read(bus, unit, &state, err);
	return r < 0 || !state.needs_reload ? r : unit_reload(bus, err);
}

static int enforced(const struct place *place, unsigned *ret_mask, char reason[160],
		    struct error *err)
{
	(void)place;
	return accounting_controllers(ret_mask, reason, err);
}

const struct supervisor supervisor_systemd = {
	.name = "systemd",
	.start = start,
	.stop = stop,
	.inspect = inspect,
	.set_limits = set_limits,
	.forget = forget,
	.enforced = enforced,
};
