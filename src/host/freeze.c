#include "host/freeze.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "host/accounting.h"
#include "host/cgroup.h"
#include "host/outside.h"
#include "host/verbs_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#define WAIT_MS 5000
#define LOOK_MS 20 /* version 1 tells nobody when it is done */

/*
 * The group of what runs inside, without the nspawn process beside it, which has to hear when
 * it is told to stop. 2, 1, or 0 when there is none.
 */
static int find_group(pid_t leader, char **ret, struct error *err)
{
	char dir[ACCOUNTING_DIR];
	/* no controller has that name: what is left is version 2 */
	int version = accounting_group(leader, "freeze", dir, err);
	_cleanup_free_ char *inner = NULL;

	if (version == 0)
		version = accounting_group(leader, "freezer", dir, err);
	if (version <= 0)
		return version;
	inner = str_format("%s/payload", dir);
	*ret = access(inner, F_OK) == 0 ? TAKE_PTR(inner) : str_dup(dir);
	return version;
}

/* Whether a file of the group says this. */
static bool says(const char *dir, const char *file, const char *what)
{
	_cleanup_buf_ struct buf text = {};

	return cgroup_read(dir, file, &text) == 0 && strstr(buf_str(&text), what);
}

static bool is_done(const char *dir, int version, bool frozen)
{
	if (version == 2)
		return says(dir, "cgroup.events", frozen ? "frozen 1" : "frozen 0");
	return says(dir, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

static int write_state(const char *dir, int version, bool frozen)
{
	if (version == 2)
		return cgroup_write(dir, "cgroup.freeze", frozen ? "1" : "0");
	return cgroup_write(dir, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

/* Version 2 tells of a change in its file of events, to whoever has read it. */
static void wait_change(int events_fd, int64_t ms)
{
	struct pollfd p = {.fd = events_fd, .events = POLLPRI};

	if (events_fd < 0 && ms > LOOK_MS)
		ms = LOOK_MS;
	(void)poll(&p, events_fd >= 0, (int)ms);
}

int freeze_set(pid_t leader, bool frozen, struct error *err)
{
	_cleanup_free_ char *dir = NULL, *events = NULL;
	_cleanup_close_ int fd = -1;
	int64_t left, end = clock_boot_ms() + WAIT_MS;
	int r, version = find_group(leader, &dir, err);

	if (version < 0)
		return version;
	if (version == 0)
		return error_set_code(err, EOPNOTSUPP, "unsupported",
				      "this machine has no control group to freeze it by");
	events = str_format("%s/cgroup.events", dir);
	if (version == 2)
		fd = open(events, O_RDONLY | O_CLOEXEC);
	r = write_state(dir, version, frozen);
	if (r < 0)
		return error_set_errno(err, -r, "cannot write to '%s'", dir);
	while (!is_done(dir, version, frozen) && (left = end - clock_boot_ms()) > 0)
		wait_change(fd, left);
	if (is_done(dir, version, frozen))
		return 0;
	if (frozen)
		(void)write_state(dir, version, false);
	return error_set(err, ETIMEDOUT, "it was not %s within %d seconds",
			 frozen ? "frozen" : "thawed", WAIT_MS / 1000);
}

bool freeze_is(pid_t leader)
{
	_cleanup_free_ char *dir = NULL;
	int version = find_group(leader, &dir, NULL);

	return version > 0 && is_done(dir, version, true);
}

static int freeze_here(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent;
	bool frozen;
	pid_t leader;
	int r = json_get_str(request->arguments, "agent", true, &agent, err);

	if (r == 0)
		r = json_get_bool(request->arguments, "frozen", true, &frozen, err);
	if (r == 0)
		r = verb_find_leader(request, agent, &leader, err);
	if (r == 0)
		r = freeze_set(leader, frozen, err);
	if (r == 0)
		json_object_set_new(answer, "frozen", json_boolean(frozen));
	return r;
}

int verb_freeze(struct verb_request *request, json_t *answer, struct error *err)
{
	return outside_run(request, "freeze", freeze_here, answer, err);
}

int freeze_thaw(struct verb_request *request, const char *agent, struct error *err)
{
	struct verb_request thaw = *request;
	struct container_state state;
	json_auto_t *arguments = json_pack("{s:s,s:b}", "agent", agent, "frozen", 0);
	json_auto_t *answer = json_object();
	int r = request->supervisor->inspect(request->place, agent, &state, err);

	if (r < 0 || state.leader == 0 || !freeze_is(state.leader))
		return r;
	thaw.arguments = arguments;
	thaw.n_fds = 0;
	return verb_freeze(&thaw, answer, err);
}
