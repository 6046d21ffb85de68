#include "host/units.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RELOAD_MS 90000

static int load(sd_bus *bus, const char *unit, char **ret_path, struct error *err)
{
	_cleanup_bus_message_ sd_bus_message *reply = NULL;
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	const char *path;
	int r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "LoadUnit",
				   &e, &reply, "s", unit);

	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r < 0)
		return bus_error(err, r, &e, "cannot look at unit '%s'", unit);
	*ret_path = strdup(path);
	return *ret_path ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int read_numbers(sd_bus *bus, const char *path, struct unit_state *s, struct error *err)
{
	uint64_t pid = 0, code = 0, status = 0, restarts = 0;
	int r = bus_get_number(bus, path, SYSTEMD_SERVICE, "MainPID", 'u', &pid, err);

	if (r >= 0)
		r = bus_get_number(bus, path, SYSTEMD_SERVICE, "ExecMainCode", 'i', &code, err);
	if (r >= 0)
		r = bus_get_number(bus, path, SYSTEMD_SERVICE, "ExecMainStatus", 'i', &status,
				   err);
	if (r >= 0)
		r = bus_get_number(bus, path, SYSTEMD_SERVICE, "NRestarts", 'u', &restarts,
				   err);
	if (r >= 0)
		r = bus_get_number(bus, path, SYSTEMD_UNIT, "ActiveEnterTimestampMonotonic",
				   't', &s->active_enter_us, err);
	s->main_pid = (pid_t)pid;
	s->exit_code = (int)code;
	s->exit_status = (int)status;
	s->restarts = (unsigned)restarts;
	return r;
}

int unit_read(sd_bus *bus, const char *unit, struct unit_state *ret, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct unit_state s = {};
	uint64_t reload = 0;
	int r = load(bus, unit, &path, err);

	if (r < 0)
		return r;
	r = bus_get_string(bus, path, SYSTEMD_UNIT, "LoadState", s.load, sizeof(s.load), err);
	if (r >= 0)
		r = bus_get_string(bus, path, SYSTEMD_UNIT, "ActiveState", s.active,
				   sizeof(s.active), err);
	if (r >= 0)
		r = bus_get_string(bus, path, SYSTEMD_UNIT, "SubState", s.sub, sizeof(s.sub),
				   err);
	if (r >= 0)
		r = bus_get_string(bus, path, SYSTEMD_SERVICE, "Result", s.result,
				   sizeof(s.result), err);
	if (r >= 0)
		r = bus_get_number(bus, path, SYSTEMD_UNIT, "NeedDaemonReload", 'b', &reload,
				   err);
	if (r >= 0)
		r = read_numbers(bus, path, &s, err);
	if (r < 0)
		return r;
	s.needs_reload = reload != 0;
	*ret = s;
	return 0;
}

int unit_reload(sd_bus *bus, struct error *err)
{
	_cleanup_bus_message_ sd_bus_message *m = NULL;
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, SYSTEMD_PATH,
					       SYSTEMD_MANAGER, "Reload");

	if (r >= 0)
		r = sd_bus_call(bus, m, (uint64_t)RELOAD_MS * 1000, &e, NULL);
	return r < 0 ? bus_error(err, r, &e, "systemd cannot reload its units") : 0;
}

void unit_reset_failed(sd_bus *bus, const char *unit)
{
	(void)sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				 "ResetFailedUnit", NULL, NULL, "s", unit);
}

struct job {
	const char *path; /* NULL until the call is answered */
	char result[24];
};

static int on_removed(sd_bus_message *m, void *data, sd_bus_error *e)
{
	struct job *job = data;
	const char *path, *result;

	(void)e;
	if (sd_bus_message_read(m, "uoss", NULL, &path, NULL, &result) < 0)
		return 0;
	if (job->path && !strcmp(path, job->path))
		snprintf(job->result, sizeof(job->result), "%s", result);
	return 0;
}

int unit_job(sd_bus *bus, const char *method, const char *unit, int64_t end_boot_ms,
	     char ret_result[24], struct error *err)
{
	_cleanup_bus_message_ sd_bus_message *reply = NULL;
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	_cleanup_bus_slot_ sd_bus_slot *slot = NULL;
	struct job job = {};
	bool woken;
	int r = sd_bus_match_signal(bus, &slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				    "JobRemoved", on_removed, &job);

	if (r < 0)
		return error_set_errno(err, r, "cannot watch systemd's jobs");
	r = bus_subscribe(bus, err);
	if (r < 0)
		return r;
	r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, method, &e,
			       &reply, "ss", unit, "replace");
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &job.path);
	if (r < 0)
		return bus_error(err, r, &e, "%s of '%s' is refused", method, unit);
	/* Signals that came during the call wait in the connection's queue: none is missed. */
	while (job.result[0] == '\0') {
		r = bus_turn(bus, -1, end_boot_ms, &woken, err);
		if (r == -ETIMEDOUT)
			return error_set(err, ETIMEDOUT, "unit '%s' takes too long", unit);
		if (r < 0)
			return r;
	}
	snprintf(ret_result, 24, "%s", job.result);
	return 0;
}

int unit_kill(sd_bus *bus, const char *unit, int signum, struct error *err)
{
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "KillUnit",
				   &e, NULL, "ssi", unit, "all", (int32_t)signum);

	return r < 0 ? bus_error(err, r, &e, "cannot kill unit '%s'", unit) : 0;
}
