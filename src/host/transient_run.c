/*
 * The end of a service is told by signals, so the matches are in place before the start is
 * asked for, and the unit is kept loaded until its exit status has been read: with
 * CollectMode=inactive-or-failed it would be gone by then.
 */
#include "host/transient.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How long systemd may take to report an end it was told to bring about. */
#define LAST_WAIT_MS 10000

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
			end = clock_boot_ms() + TRANSIENT_STOP_MS + LAST_WAIT_MS;
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
		r = transient_start(bus, t, true, err);
	if (r >= 0)
		r = wait_end(&run, stop_fd, timeout_ms, &ended, err);
	if (r < 0)
		return r;
	*ret = ended;
	return 0;
}
