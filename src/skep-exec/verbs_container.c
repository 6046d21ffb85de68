/* start, stop, switch, inspect, limits, settle: containers. What is answered was read back,
 * never assumed. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "host/boot_state.h"
#include "host/cgroup.h"
#include "host/differ.h"
#include "host/driver.h"
#include "host/freeze.h"
#include "host/lock.h"
#include "host/nixos.h"
#include "host/nixos_owner.h"
#include "host/outside.h"
#include "host/standalone.h"
#include "host/verbs_inside.h"
#include "skep-exec/agent.h"
#include "skep-exec/table.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define READY_MS 90000
#define STOP_S 30
#define LOOKS_MAX 3
#define SECOND 1000
#define EXIT_REBOOT "exited with status 133" /* man systemd-nspawn: a reboot inside */

static const char *state_name(enum container_run_state state)
{
	switch (state) {
	case CONTAINER_STOPPED:
		return "stopped";
	case CONTAINER_STARTING:
		return "starting";
	case CONTAINER_RUNNING:
		return "running";
	case CONTAINER_FAILED:
		return "failed";
	}
	return "failed";
}

static bool is_up(const struct container_state *state)
{
	return state->state == CONTAINER_RUNNING || state->state == CONTAINER_STARTING;
}

/* What a start answers, about the container as it runs now. */
static void describe(const struct container_state *state, int64_t boot_ms, json_t *answer)
{
	json_object_set_new(answer, "leader", json_integer(state->leader));
	if (boot_ms >= 0)
		json_object_set_new(answer, "boot_ms", json_integer(boot_ms));
}

/* Starts what is prepared and reads back that it is what was asked for. */
static int bring_up(struct verb_request *request, const struct container_spec *spec,
		    json_t *answer, struct error *err)
{
	const struct driver *driver = driver_get(spec->driver);
	struct container_state state = {};
	struct container_view view;
	struct error ignored;
	int64_t begin;
	int r = agent_write_spec(request->place, spec, err);

	if (r < 0)
		return r;
	begin = clock_boot_ms();
	r = driver->start(request, spec, READY_MS, &state, err);
	if (r < 0)
		return r;
	begin = clock_boot_ms() - begin;
	r = driver->inspect(request, spec->agent, &view, err);
	if (r == 0 && strcmp(view.system, spec->system) != 0)
		r = error_set(err, ESTALE, "the container of '%s' runs %s instead of %s",
			      spec->agent, view.system[0] ? view.system : "another root",
			      spec->system);
	if (r < 0)
		(void)driver->stop(request, spec->agent, STOP_S * SECOND, &ignored);
	else
		describe(&view.state, begin, answer);
	return r;
}

static int bring_down(struct verb_request *request, const char *agent, int64_t timeout_ms,
		      struct error *err);

/* 1: it runs already, exactly so. */
static int runs_already(struct verb_request *request, const struct container_spec *spec,
			json_t *answer, struct error *err)
{
	char hash[SPEC_HASH_SIZE], running[SPEC_HASH_SIZE];
	struct container_spec old = {};
	struct container_state state;
	int r = request->supervisor->inspect(request->place, spec->agent, &state, err);

	if (r < 0 || !is_up(&state))
		return r;
	r = agent_read_spec(request->place, spec->agent, &old, err);
	/* It was just adopted, and runs as somebody else wanted it. */
	if (r == -ENOENT && spec->driver == DRIVER_NIXOS_CONTAINER)
		return bring_down(request, spec->agent, STOP_S * SECOND, err);
	if (r < 0)
		return r;
	spec_hash(hash, spec);
	spec_hash(running, &old);
	spec_release(&old);
	if (strcmp(hash, running) != 0)
		return error_set_code(err, EEXIST, "wrong_state",
				      "the container of '%s' runs with another specification",
				      spec->agent);
	r = freeze_thaw(request, spec->agent, err);
	if (r < 0)
		return r;
	describe(&state, -1, answer);
	return 1;
}

static int make_ready(struct verb_request *request, const struct container_spec *spec,
		      struct error *err)
{
	const struct place *place = request->place;
	int r = place_make(place, err);

	if (r == 0)
		r = agent_check_range(place, spec, err);
	if (r == 0)
		r = agent_make(place, spec->agent, spec->uid_base, err);
	return r < 0 ? r : driver_get(spec->driver)->create(request, spec, err);
}

static int start(struct verb_request *request, const struct container_spec *spec,
		 json_t *answer, struct error *err)
{
	_cleanup_close_ int lock = lock_agent(request->place, spec->agent, err);
	int r = lock < 0 ? lock : runs_already(request, spec, answer, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = make_ready(request, spec, err);
	return r < 0 ? r : bring_up(request, spec, answer, err);
}

/* Ends it and looks whether it has. */
static int bring_down(struct verb_request *request, const char *agent, int64_t timeout_ms,
		      struct error *err)
{
	struct container_state state;
	struct error ignored = {};
	int r;

	/* what is held still cannot halt; if it stays so, the deadline ends it */
	(void)freeze_thaw(request, agent, &ignored);
	r = driver_of(request->place, agent)->stop(request, agent, timeout_ms, err);
	if (r == 0)
		r = request->supervisor->inspect(request->place, agent, &state, err);
	if (r == 0 && is_up(&state))
		r = error_set(err, EBUSY, "the container of '%s' is still running", agent);
	return r;
}

/* It went on running. */
static int switched(struct verb_request *request, const struct container_spec *spec,
		    const struct container_state *state, json_t *answer, struct error *err)
{
	int r = agent_write_spec(request->place, spec, err);

	if (r < 0)
		return r;
	describe(state, -1, answer);
	json_object_set_new(answer, "downtime_ms", json_integer(0));
	return 0;
}

static int switch_over(struct verb_request *request, const struct container_spec *spec,
		       json_t *answer, struct error *err)
{
	const struct driver *driver = driver_get(spec->driver);
	_cleanup_close_ int lock = lock_agent(request->place, spec->agent, err);
	struct container_spec stopped = *spec;
	struct container_view view;
	int64_t begin;
	int r;

	if (lock < 0)
		return lock;
	r = freeze_thaw(request, spec->agent, err);
	if (r == 0)
		r = driver->inspect(request, spec->agent, &view, err);
	if (r == 0 && view.state.state == CONTAINER_RUNNING)
		r = driver->switch_over(request, spec, &view.state, err);
	if (r != 0)
		return r < 0 ? r : switched(request, spec, &view.state, answer, err);
	/* What is new is made while the old one runs, unless they are the same directory. */
	if (strcmp(view.system, spec->system) != 0) {
		r = make_ready(request, spec, err);
		if (r < 0)
			return r;
		stopped.fresh = false;
	}
	begin = clock_boot_ms();
	r = bring_down(request, spec->agent, STOP_S * SECOND, err);
	if (r == 0)
		r = make_ready(request, &stopped, err);
	if (r == 0)
		r = bring_up(request, spec, answer, err);
	if (r == 0)
		json_object_set_new(answer, "downtime_ms",
				    json_integer(is_up(&view.state) ? clock_boot_ms() - begin
								    : 0));
	return r;
}

static int with_spec(struct verb_request *request, json_t *answer,
		     int (*fn)(struct verb_request *, const struct container_spec *, json_t *,
			       struct error *),
		     struct error *err)
{
	struct container_spec spec = {};
	int r = spec_parse(request->arguments, &spec, err);

	if (r < 0)
		return r;
	r = fn(request, &spec, answer, err);
	spec_release(&spec);
	return r;
}

static int start_here(struct verb_request *request, json_t *answer, struct error *err)
{
	return with_spec(request, answer, start, err);
}

static int switch_here(struct verb_request *request, json_t *answer, struct error *err)
{
	return with_spec(request, answer, switch_over, err);
}

/* Conf files, profiles and other people's programs are outside of this process's sandbox. */
static bool is_outside(const struct verb_request *request)
{
	const char *driver = json_string_value(json_object_get(request->arguments, "driver"));

	return driver && strcmp(driver, driver_kind_name(DRIVER_NIXOS_CONTAINER)) == 0;
}

int verb_start(struct verb_request *request, json_t *answer, struct error *err)
{
	return is_outside(request) ? outside_run(request, "start", start_here, answer, err)
				   : start_here(request, answer, err);
}

int verb_switch(struct verb_request *request, json_t *answer, struct error *err)
{
	return is_outside(request) ? outside_run(request, "switch", switch_here, answer, err)
				   : switch_here(request, answer, err);
}

static int adopt_here(struct verb_request *request, json_t *answer, struct error *err)
{
	_cleanup_close_ int lock = lock_agent(request->place, agent_of(request), err);

	(void)answer;
	if (lock < 0)
		return lock;
	return json_is_true(json_object_get(request->arguments, "release"))
		       ? nixos_owner_remove(request->place, agent_of(request), err)
		       : nixos_adopt(request->place, agent_of(request), err);
}

int verb_adopt(struct verb_request *request, json_t *answer, struct error *err)
{
	return outside_run(request, "adopt", adopt_here, answer, err);
}

/* By what it was started from: whatever else is wanted by now is not this verb's affair. */
static int restore_here(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request);
	_cleanup_close_ int lock = lock_agent(request->place, agent, err);
	struct container_spec spec = {};
	int r = lock < 0 ? lock : agent_read_spec(request->place, agent, &spec, err);

	(void)answer;
	if (r < 0)
		return r;
	r = spec.driver == DRIVER_NIXOS_CONTAINER
		    ? driver_get(spec.driver)->create(request, &spec, err)
		    : error_set(err, EOPNOTSUPP,
				"'%s' has no files of its driver outside of its root", agent);
	spec_release(&spec);
	return r;
}

int verb_restore(struct verb_request *request, json_t *answer, struct error *err)
{
	return outside_run(request, "restore", restore_here, answer, err);
}

int verb_stop(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request);
	_cleanup_close_ int lock = lock_agent(request->place, agent, err);
	int64_t timeout_s = STOP_S;
	int r = lock < 0 ? lock
			 : json_get_int(request->arguments, "timeout_s", false, 0, 600,
					&timeout_s, err);

	(void)answer;
	return r < 0 ? r : bring_down(request, agent, timeout_s * SECOND, err);
}

static int changed_limits(struct verb_request *request, const struct limits *limits,
			  unsigned *ret_mask, struct error *err)
{
	const char *agent = agent_of(request);
	struct container_spec spec = {};
	struct container_state state;
	char reason[160];
	int r = request->supervisor->inspect(request->place, agent, &state, err);

	if (r == 0 && is_up(&state))
		r = request->supervisor->set_limits(request->place, agent, limits, ret_mask,
						    err);
	else if (r == 0)
		r = request->supervisor->enforced(request->place, ret_mask, reason, err);
	if (r < 0)
		return r;
	/* What runs and what is written stay the same. */
	r = agent_read_spec(request->place, agent, &spec, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	spec.limits = *limits;
	r = agent_write_spec(request->place, &spec, err);
	spec_release(&spec);
	return r;
}

int verb_limits(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request);
	_cleanup_close_ int lock = lock_agent(request->place, agent, err);
	struct limits limits;
	unsigned mask = 0;
	int r = lock < 0 ? lock
			 : spec_limits_parse(json_object_get(request->arguments, "limits"),
					     &limits, err);

	if (r == 0)
		r = changed_limits(request, &limits, &mask, err);
	if (r < 0)
		return r;
	json_object_set_new(answer, "limits",
			    json_pack("{s:b, s:b, s:b}", "memory", (mask & CGROUP_MEMORY) != 0,
				      "cpu", (mask & CGROUP_CPU) != 0, "tasks",
				      (mask & CGROUP_TASKS) != 0));
	return 0;
}

/* How containers are looked at. */
struct look {
	struct verb_request *request;
	bool whole;                /* with the specification itself */
	bool compare;              /* with what was asked for */
	struct port_lines machine; /* see differ.h */
	json_t *rows;              /* of a look at all */
};

static void look_begin(struct look *look, struct verb_request *request)
{
	*look = (struct look){
		.request = request,
		.compare = json_is_true(json_object_get(request->arguments, "compare")),
	};
}

/* Whether it is as its specification says: "differs" when it is not, "unread" with the reason
 * when that cannot be known. */
static void compare(struct look *look, const struct container_spec *spec,
		    const struct container_state *state, json_t *row)
{
	struct verb_request *request = look->request;
	json_t *list = json_array();
	struct error err = {};
	int r = differ_container(request->place, spec, state,
				 request->supervisor == &supervisor_systemd, &look->machine,
				 list, &err);

	if (r < 0)
		json_put_str(row, "unread", error_text(&err));
	else if (json_array_size(list) > 0)
		json_object_set(row, "differs", list);
	json_decref(list);
}

static void put_spec(struct look *look, const struct container_spec *spec,
		     const struct container_state *state, json_t *row)
{
	char hash[SPEC_HASH_SIZE];

	json_put_str(row, "spec_hash", spec_hash(hash, spec));
	if (look->whole)
		json_object_set_new(row, "spec", spec_to_json(spec));
	if (look->compare)
		compare(look, spec, state, row);
}

static bool is_paused(const struct place *place, const char *agent)
{
	_cleanup_free_ char *path = str_format("%s/agents/%s/paused", place->runtime, agent);

	return access(path, F_OK) == 0;
}

static int put_once(struct look *look, const char *agent, json_t *row, struct error *err)
{
	struct verb_request *request = look->request;
	struct container_spec spec = {};
	struct container_view view;
	int r = driver_of(request->place, agent)->inspect(request, agent, &view, err);

	if (r < 0)
		return r;
	json_put_str(row, "agent", agent);
	json_put_str(row, "state", state_name(view.state.state));
	if (view.state.ending)
		json_object_set_new(row, "ending", json_true());
	if (view.state.exit[0])
		json_put_str(row, "exit", view.state.exit);
	if (agent_read_spec(request->place, agent, &spec, NULL) == 0) {
		put_spec(look, &spec, &view.state, row);
		spec_release(&spec);
	}
	if (is_paused(request->place, agent))
		json_object_set_new(row, "paused", json_true());
	if (view.state.restarts > 0)
		json_object_set_new(row, "restarts", json_integer(view.state.restarts));
	if (view.state.leader == 0)
		return 0;
	json_object_set_new(row, "leader", json_integer(view.state.leader));
	if (freeze_is(view.state.leader))
		json_object_set_new(row, "frozen", json_true());
	if (view.state.since_boot_ms > 0)
		json_object_set_new(row, "since_ms",
				    json_integer(clock_boot_ms() - view.state.since_boot_ms));
	if (view.system[0])
		json_put_str(row, "system", view.system);
	if (view.claimed)
		json_object_set_new(row, "claimed", json_true());
	return 0;
}

static bool is_gone(json_int_t pid)
{
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/*
 * One row of inspect, and the body of an event. One that ended meanwhile was looked at partly
 * before and partly after: that is true of no moment, and it is looked at again.
 */
static int put_state(struct look *look, const char *agent, json_t *row, struct error *err)
{
	json_int_t leader;
	int r, looks = 0;

	do {
		json_object_clear(row);
		r = put_once(look, agent, row, err);
		leader = json_integer_value(json_object_get(row, "leader"));
	} while (r == 0 && leader > 0 && is_gone(leader) && ++looks < LOOKS_MAX);
	return r;
}

static int add_row(const char *agent, void *data, struct error *err)
{
	struct look *look = data;
	json_t *row = json_object();

	json_array_append_new(look->rows, row);
	return put_state(look, agent, row, err);
}

static int look_at(struct look *look, const char *agent, struct error *err)
{
	json_t *row = json_object();
	int r;

	json_array_append_new(look->rows, row);
	look->whole = true;
	r = put_state(look, agent, row, err);
	if (r < 0 || !json_object_get(row, "leader") || json_object_get(row, "frozen"))
		return r;
	/* Only asked of one: it takes a conversation with the system inside, which may be
	 * stuck. */
	(void)verb_boot_state(look->request, row, NULL);
	return 0;
}

int verb_inspect(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request);
	struct look look;
	int r;

	look_begin(&look, request);
	look.rows = json_array();
	json_object_set_new(answer, "agents", look.rows);
	r = agent ? look_at(&look, agent, err)
		  : agent_each(request->place, add_row, &look, err);
	port_lines_release(&look.machine);
	return r;
}

/* A container has ended without being asked to: what is left of it goes, and what is true is
 * told. */
int verb_settle(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request);
	const char *exit = json_string_value(json_object_get(request->arguments, "exit"));
	bool clean = json_is_true(json_object_get(request->arguments, "clean"));
	_cleanup_close_ int lock = lock_agent(request->place, agent, err);
	struct container_spec spec = {};
	struct error failure = {};
	struct look look;
	int r = lock < 0 ? lock : 0;

	if (r == 0 && request->supervisor == &supervisor_standalone) {
		if (!*exit)
			exit = "ended for an unknown reason";
		r = standalone_ended(request->place, agent, exit, clean, err);
		/* It was stopped after all: no news. */
		if (r == 0)
			return 0;
		if (r > 0 && strcmp(exit, EXIT_REBOOT) == 0 &&
		    agent_read_spec(request->place, agent, &spec, err) == 0) {
			json_t *ignored = json_object();

			(void)bring_up(request, &spec, ignored, &failure);
			json_decref(ignored);
			spec_release(&spec);
		}
	}
	look_begin(&look, request);
	return r < 0 ? r : put_state(&look, agent, answer, err);
}
