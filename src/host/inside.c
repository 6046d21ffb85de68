#include "host/inside.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "host/readback.h"
#include "host/transient.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define BOOT_WAIT_MS 30000
#define FAILED_UNITS_MAX 50
/* How far systemd's own limit lies behind ours: for when we are killed. */
#define RUNTIME_SLACK_MS 5000
/* In the PATH of everything inside, but not where systemd itself looks for programs. */
#define CLIENT "/run/hive/bin/skep"
#define EXIT_EXEC 203 /* man systemd.exec, "Process exit codes": the program cannot be run */
#define EXIT_CHDIR 200
#define EXIT_USER 217

/* The systemd of NixOS looks for programs among its own alone. */
static const char *const nixos_search[] = {"/run/wrappers/bin",
					   "/run/current-system/sw/bin",
					   "/usr/local/sbin",
					   "/usr/local/bin",
					   "/usr/sbin",
					   "/usr/bin",
					   "/sbin",
					   "/bin",
					   "/run/hive/bin",
					   NULL};

/* Says what is missing when systemd could not run the command; 0 when the status is the
 * command's own. */
static int check_started(const struct inside_command *command, const struct transient_end *end,
			 struct error *err)
{
	if (end->started || end->signaled)
		return 0;
	switch (end->status) {
	case EXIT_EXEC:
		return error_set(err, ENOENT, "the container has no program '%s' to run",
				 command->argv[0]);
	case EXIT_CHDIR:
		return error_set(err, ENOENT, "the container has no directory '%s'",
				 command->cwd ? command->cwd : "/");
	case EXIT_USER:
		return error_set(err, ENOENT, "the container has no user '%s'",
				 command->user ? command->user : "root");
	}
	return 0;
}

static int run(pid_t leader, const struct inside_command *command, const int *stdio,
	       const char *tty, int stop_fd, struct inside_exit *ret, struct error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	struct transient_end end;
	char unit[64], system[SYSTEM_SIZE];
	struct transient t = {
		.unit = transient_name(unit, "skep-exec"),
		.description = command->argv[0],
		.path = strcmp(command->argv[0], "skep") == 0 ? CLIENT : NULL,
		.argv = command->argv,
		.search = readback_claimed(leader, system, NULL) == 0 ? nixos_search : NULL,
		.env = command->env,
		.user = command->user ? command->user : "root", /* named, so that HOME is set */
		.cwd = command->cwd,
		.stdio = stdio,
		.tty_path = tty,
		.runtime_max_ms =
			command->timeout_ms > 0 ? command->timeout_ms + RUNTIME_SLACK_MS : 0,
	};
	int r = bus_open_container(leader, &bus, err);

	if (r >= 0)
		r = transient_run(bus, &t, stop_fd, command->timeout_ms, &end, err);
	if (r < 0)
		return r;
	if (end.timed_out)
		return error_set(err, ETIMEDOUT, "'%s' ran longer than %.1f s",
				 command->argv[0], (double)command->timeout_ms / 1000);
	r = check_started(command, &end, err);
	if (r < 0)
		return r;
	*ret = (struct inside_exit){
		.exit_status = end.signaled ? -1 : end.status,
		.signum = end.signaled ? end.status : 0,
	};
	return 0;
}

int inside_run(pid_t leader, const struct inside_command *command, const int stdio[3],
	       int stop_fd, struct inside_exit *ret, struct error *err)
{
	return run(leader, command, stdio, NULL, stop_fd, ret, err);
}

int inside_run_on_pty(pid_t leader, const struct inside_command *command, const char *pty_name,
		      int stop_fd, struct inside_exit *ret, struct error *err)
{
	return run(leader, command, NULL, pty_name, stop_fd, ret, err);
}

static int on_finished(sd_bus_message *m, void *data, sd_bus_error *e)
{
	(void)m;
	(void)e;
	*(bool *)data = true;
	return 0;
}

static bool is_booting(const char *state)
{
	return !strcmp(state, "initializing") || !strcmp(state, "starting");
}

static int wait_booted(sd_bus *bus, char ret_state[24], struct error *err)
{
	_cleanup_bus_slot_ sd_bus_slot *slot = NULL;
	int64_t end = clock_boot_ms() + BOOT_WAIT_MS;
	bool finished = false, woken;
	int r = sd_bus_match_signal(bus, &slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				    "StartupFinished", on_finished, &finished);

	if (r < 0)
		return error_set_errno(err, r, "cannot watch the container start");
	r = bus_subscribe(bus, err);
	if (r >= 0)
		r = bus_get_string(bus, SYSTEMD_PATH, SYSTEMD_MANAGER, "SystemState", ret_state,
				   24, err);
	while (r >= 0 && is_booting(ret_state) && !finished) {
		r = bus_turn(bus, -1, end, &woken, err);
		if (r == -ETIMEDOUT)
			return 0;
	}
	if (r >= 0 && finished)
		r = bus_get_string(bus, SYSTEMD_PATH, SYSTEMD_MANAGER, "SystemState", ret_state,
				   24, err);
	return r;
}

static int list_failed(sd_bus *bus, json_t *names, struct error *err)
{
	_cleanup_bus_message_ sd_bus_message *m = NULL, *reply = NULL;
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	const char *unit;
	int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, SYSTEMD_PATH,
					       SYSTEMD_MANAGER, "ListUnitsFiltered");

	if (r >= 0)
		r = sd_bus_message_append(m, "as", 1, "failed");
	if (r >= 0)
		r = sd_bus_call(bus, m, 0, &e, &reply);
	if (r >= 0)
		r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
	while (r >= 0 && json_array_size(names) < FAILED_UNITS_MAX) {
		r = sd_bus_message_read(reply, "(ssssssouso)", &unit, NULL, NULL, NULL, NULL,
					NULL, NULL, NULL, NULL, NULL);
		if (r == 0)
			return 0;
		if (r > 0) {
			_cleanup_free_ char *clean = text_clean_dup(unit, 256, false);

			json_array_append_new(names, json_string(clean));
		}
	}
	return r < 0 ? bus_error(err, r, &e, "cannot list the container's failed units") : 0;
}

int inside_boot_state(pid_t leader, char ret_state[24], json_t **ret_failed_units,
		      struct error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	json_t *names;
	char raw[24];
	_cleanup_free_ char *clean = NULL;
	int r = bus_open_container(leader, &bus, err);

	if (r >= 0)
		r = wait_booted(bus, raw, err);
	if (r < 0)
		return r;
	names = json_array();
	r = list_failed(bus, names, err);
	if (r < 0) {
		json_decref(names);
		return r;
	}
	clean = text_clean_dup(raw, 23, false);
	snprintf(ret_state, 24, "%s", clean);
	*ret_failed_units = names;
	return 0;
}
