/*
 * The end of a service is told by signals, so the matches are in place before the start is
 * asked for, and the unit is kept loaded (AddRef) until its exit status has been read: with
 * CollectMode=inactive-or-failed it would be gone by then.
 */
#include "host/transient.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define STOP_MS 5000 /* from SIGTERM to SIGKILL */
#define LAST_WAIT_MS \
	10000 /* how long systemd may take to report an end it was told to bring about */
#define DESCRIPTION_MAX 120

char *transient_name(char out[64], const char *prefix)
{
	unsigned char bytes[8];
	char hex[2 * sizeof(bytes) + 1];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort();
	text_hex(hex, bytes, sizeof(bytes));
	snprintf(out, 64, "%s-%s.service", prefix, hex);
	return out;
}

static int add_string(sd_bus_message *m, const char *property, const char *value)
{
	return sd_bus_message_append(m, "(sv)", property, "s", value);
}

static int add_bool(sd_bus_message *m, const char *property, int value)
{
	return sd_bus_message_append(m, "(sv)", property, "b", value);
}

static int add_strings(sd_bus_message *m, const char *property, const char *const *values)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", property);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sd_bus_message_append_strv(m, (char **)values);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* ExecStartEx is an array of (path, argv, flags); without the flag "$" in an argument would be
 * expanded. */
static int add_command(sd_bus_message *m, const char *const *argv)
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "ExecStartEx");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a(sasas)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sasas)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'r', "sasas");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", argv[0]);
	if (r >= 0)
		r = sd_bus_message_append_strv(m, (char **)argv);
	if (r >= 0)
		r = sd_bus_message_append(m, "as", 1, "no-env-expand");
	for (int i = 0; i < 4 && r >= 0; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int add_stdio(sd_bus_message *m, const struct transient *t)
{
	static const char *const by_fd[] = {"StandardInputFileDescriptor",
					    "StandardOutputFileDescriptor",
					    "StandardErrorFileDescriptor"};
	static const char *const by_tty[] = {"StandardInput", "StandardOutput",
					     "StandardError"};
	int r = 0;

	for (int i = 0; i < 3 && r >= 0; i++)
		if (t->tty_path)
			r = add_string(m, by_tty[i], "tty");
		else if (t->stdio && t->stdio[i] >= 0)
			r = sd_bus_message_append(m, "(sv)", by_fd[i], "h", t->stdio[i]);
	if (t->tty_path && r >= 0)
		r = add_string(m, "TTYPath", t->tty_path);
	if (t->tty_path && r >= 0)
		r = add_bool(m, "SendSIGHUP", 1);
	return r;
}

static int add_properties(sd_bus_message *m, const struct transient *t, bool keep)
{
	_cleanup_free_ char *description =
		text_clean_dup(t->description, DESCRIPTION_MAX, false);
	int r = add_string(m, "Description", description);

	if (r >= 0)
		r = add_string(m, "Type", "exec");
	if (r >= 0)
		r = add_string(m, "CollectMode", "inactive-or-failed");
	if (r >= 0)
		r = add_bool(m, "IgnoreSIGPIPE", 0);
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)", "TimeoutStopUSec", "t",
					  (uint64_t)STOP_MS * 1000);
	if (r >= 0 && keep)
		r = add_bool(m, "AddRef", 1);
	if (r >= 0 && t->runtime_max_ms > 0)
		r = sd_bus_message_append(m, "(sv)", "RuntimeMaxUSec", "t",
					  (uint64_t)t->runtime_max_ms * 1000);
	if (r >= 0 && t->user)
		r = add_string(m, "User", t->user);
	if (r >= 0 && t->cwd)
		r = add_string(m, "WorkingDirectory", t->cwd);
	if (r >= 0 && t->env)
		r = add_strings(m, "Environment", t->env);
	if (r >= 0)
		r = add_stdio(m, t);
	return r < 0 ? r : add_command(m, t->argv);
}

static int start(sd_bus *bus, const struct transient *t, bool keep, struct error *err)
{
	_cleanup_bus_message_ sd_bus_message *m = NULL;
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, SYSTEMD_PATH,
					       SYSTEMD_MANAGER, "StartTransientUnit");

	if (r >= 0)
		r = sd_bus_message_append(m, "ss", t->unit, "fail");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = add_properties(m, t, keep);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	if (r < 0)
		return error_set_errno(err, r, "cannot describe the command '%s'", t->argv[0]);
	r = sd_bus_call(bus, m, 0, &e, NULL);
	if (r < 0)
		return bus_error(err, r, &e, "cannot start '%s'", t->argv[0]);
	return 0;
}

int transient_start(sd_bus *bus, const struct transient *t, struct error *err)
{
	return start(bus, t, false, err);
}

struct run {
	sd_bus *bus;
	const struct transient *transient;
	char *path;
	char job_result[24]; /* "" until the start job is done */
	bool changed;        /* something was signalled since the state was last read */
};

static int on_job_removed(sd_bus_message *m, void *data, sd_bus_error *e)
{
	struct run *run = data;
	const char *unit, *result;

	(void)e;
	if (sd_bus_message_read(m, "uoss", NULL, NULL, &unit, &result) < 0)
		return 0;
	/* Its first job is the start: nobody else knows the unit. */
	if (!strcmp(unit, run->transient->unit) && run->job_result[0] == '\0') {
		snprintf(run->job_result, sizeof(run->job_result), "%s", result);
		run->changed = true;
	}
	return 0;
}

static int on_changed(sd_bus_message *m, void *data, sd_bus_error *e)
{
	struct run *run = data;

	(void)m;
	(void)e;
	run->changed = true;
	return 0;
}

static int watch(struct run *run, sd_bus_slot **ret_job, sd_bus_slot **ret_unit,
		 struct error *err)
{
	int r = sd_bus_match_signal(run->bus, ret_job, SYSTEMD_NAME, SYSTEMD_PATH,
				    SYSTEMD_MANAGER, "JobRemoved", on_job_removed, run);

	if (r >= 0)
		r = sd_bus_match_signal(run->bus, ret_unit, SYSTEMD_NAME, run->path,
					"org.freedesktop.DBus.Properties", "PropertiesChanged",
					on_changed, run);
	if (r < 0)
		return error_set_errno(err, r, "cannot watch unit '%s'", run->transient->unit);
	return bus_subscribe(run->bus, err);
}

/* Returns 1 and fills *ret when the unit has ended, 0 while it has not. */
static int read_end(struct run *run, struct transient_end *ret, struct error *err)
{
	uint64_t code = 0, status = 0;
	char state[24];
	int r;

	run->changed = false;
	r = bus_get_string(run->bus, run->path, SYSTEMD_UNIT, "ActiveState", state,
			   sizeof(state), err);
	if (r < 0)
		return r;
	if ((strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0) ||
	    run->job_result[0] == '\0')
		return 0;
	r = bus_get_number(run->bus, run->path, SYSTEMD_SERVICE, "ExecMainCode", 'i', &code,
			   err);
	if (r >= 0)
		r = bus_get_number(run->bus, run->path, SYSTEMD_SERVICE, "ExecMainStatus", 'i',
				   &status, err);
	if (r < 0)
		return r;
	ret->started = !strcmp(run->job_result, "done");
	ret->signaled = code == CLD_KILLED || code == CLD_DUMPED;
	ret->status = (int)status;
	return 1;
}

/* A terminal would send these to the whole foreground group; others are meant for the program
 * that was started. */
static const char *signal_scope(int signum)
{
	switch (signum) {
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGCONT:
	case SIGKILL:
		return "all";
	}
	return "main";
}

static void send_signal(struct run *run, int signum)
{
	/* Losing the race against the end of the service is no failure. */
	(void)sd_bus_call_method(run->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				 "KillUnit", NULL, NULL, "ssi", run->transient->unit,
				 signal_scope(signum), (int32_t)signum);
}

static void stop(struct run *run)
{
	(void)sd_bus_call_method(run->bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				 "StopUnit", NULL, NULL, "ss", run->transient->unit, "replace");
}

/* Returns false when nothing more will come from the descriptor. */
static bool obey(struct run *run, int stop_fd)
{
	unsigned char bytes[16];
	ssize_t n = read(stop_fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) {
		stop(run);
		return false;
	}
	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] > 0 && bytes[i] < NSIG)
			send_signal(run, bytes[i]);
	return true;
}

static int wait_end(struct run *run, int stop_fd, int64_t timeout_ms, struct transient_end *ret,
		    struct error *err)
{
	int64_t end = timeout_ms > 0 ? clock_boot_ms() + timeout_ms : -1;
	bool woken, stopping = false;
	int r;

	run->changed = true;
	for (;;) {
		if (run->changed) {
			r = read_end(run, ret, err);
			if (r != 0)
				return r < 0 ? r : 0;
		}
		r = bus_turn(run->bus, stop_fd, end, &woken, err);
		if (r == -ETIMEDOUT) {
			if (ret->timed_out || stopping)
				return error_set(err, ETIMEDOUT, "'%s' does not end",
						 run->transient->argv[0]);
			ret->timed_out = true;
			send_signal(run, SIGKILL);
			end = clock_boot_ms() + LAST_WAIT_MS;
		} else if (r < 0) {
			return r;
		}
		if (woken && !obey(run, stop_fd)) {
			stopping = true;
			stop_fd = -1;
			end = clock_boot_ms() + STOP_MS + LAST_WAIT_MS;
		}
	}
}

int transient_run(sd_bus *bus, const struct transient *t, int stop_fd, int64_t timeout_ms,
		  struct transient_end *ret, struct error *err)
{
	_cleanup_bus_slot_ sd_bus_slot *job_slot = NULL, *unit_slot = NULL;
	_cleanup_free_ char *path = NULL;
	struct run run = {.bus = bus, .transient = t};
	struct transient_end ended = {};
	int r = bus_unit_path(t->unit, &path, err);

	if (r < 0)
		return r;
	run.path = path;
	r = watch(&run, &job_slot, &unit_slot, err);
	if (r >= 0)
		r = start(bus, t, true, err);
	if (r >= 0)
		r = wait_end(&run, stop_fd, timeout_ms, &ended, err);
	if (r < 0)
		return r;
	*ret = ended;
	return 0;
}
