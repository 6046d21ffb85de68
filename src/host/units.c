#include "host/units.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define RELOAD_MS 90000

/* A property of a unit's, and where it goes: text of that size, or a number of that D-Bus type.
 */
struct field {
	const char *property;
	char type;
	size_t offset, size;
};

#define TEXT(property, member)                                      \
	{                                                           \
		property, 's', offsetof(struct unit_state, member), \
			sizeof(((struct unit_state *)NULL)->member) \
	}
#define NUMBER(property, type, member)                                 \
	{                                                              \
		property, type, offsetof(struct unit_state, member), 0 \
	}

static const struct field fields[] = {
	TEXT("LoadState", load),
	TEXT("ActiveState", active),
	TEXT("SubState", sub),
	TEXT("Result", result),
	NUMBER("NeedDaemonReload", 'b', needs_reload),
	NUMBER("MainPID", 'u', main_pid),
	NUMBER("ExecMainCode", 'i', exit_code),
	NUMBER("ExecMainStatus", 'i', exit_status),
	NUMBER("NRestarts", 'u', restarts),
	NUMBER("ActiveEnterTimestampMonotonic", 't', active_enter_us),
	NUMBER("MemoryMax", 't', memory_max_bytes),
	NUMBER("CPUQuotaPerSecUSec", 't', cpu_us),
	NUMBER("TasksMax", 't', tasks_max),
};

static const struct field *find(const char *property)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (strcmp(fields[i].property, property) == 0)
			return &fields[i];
	return NULL;
}

/* The value of one property, taken or passed over. */
static int take(sd_bus_message *m, const struct field *f, struct unit_state *ret)
{
	const char type[] = {f ? f->type : 'v', '\0'};
	char *to = f ? (char *)ret + f->offset : NULL;
	const char *text = "";
	int r;

	if (!f)
		return sd_bus_message_skip(m, "v");
	r = sd_bus_message_enter_container(m, 'v', type);
	if (r >= 0)
		r = sd_bus_message_read_basic(m, f->type, f->size ? (void *)&text : to);
	if (r < 0)
		return r;
	if (f->size)
		snprintf(to, f->size, "%s", text);
	return sd_bus_message_exit_container(m);
}

static int take_all(sd_bus_message *m, struct unit_state *ret)
{
	int r = sd_bus_message_enter_container(m, 'a', "{sv}");

	while (r >= 0) {
		const char *property;

		r = sd_bus_message_enter_container(m, 'e', "sv");
		if (r <= 0)
			return r;
		r = sd_bus_message_read(m, "s", &property);
		if (r >= 0)
			r = take(m, find(property), ret);
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r;
}

/* In one question: what is answered is of one moment, and a unit that is not in use is read
 * from its files for each. */
int unit_read(sd_bus *bus, const char *unit, struct unit_state *ret, struct error *err)
{
	_cleanup_bus_message_ sd_bus_message *reply = NULL;
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	_cleanup_free_ char *path = NULL;
	struct unit_state s = {};
	int r = bus_unit_path(unit, &path, err);

	if (r < 0)
		return r;
	r = sd_bus_call_method(bus, SYSTEMD_NAME, path, "org.freedesktop.DBus.Properties",
			       "GetAll", &e, &reply, "s", "");
	if (r >= 0)
		r = take_all(reply, &s);
	if (r < 0)
		return bus_error(err, r, &e, "cannot look at unit '%s'", unit);
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
