/*
 * The steps of a deploy, in the order they run:
 *
 *   begin ── build ── built ── look ── switch ── switched ── read back ── probe ── record
 *                       │                             │           │          │
 *                       └── fail              roll back ◄─────────┴──────────┘
 *                                                     └── rolled back ── fail
 *
 * The old system runs until `switch`. `deployed/N` is written after the container was re-read,
 * never before; main, meta and everything in memory follow from it. A crash anywhere leaves
 * `approved/N` without an outcome, and the next start runs the same steps again.
 */
#include "control/deploy.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/log.h"
#include "control/cancel.h"
#include "control/candidate.h"
#include "control/container.h"
#include "control/derived.h"
#include "control/event.h"
#include "control/inputs.h"
#include "control/joblog.h"
#include "control/lifecycle.h"
#include "control/outcome.h"
#include "control/port.h"
#include "control/postmortem.h"
#include "control/probe.h"
#include "control/rename.h"
#include "control/room.h"
#include "control/systems.h"
#include "control/update.h"
#include "git/refs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void on_port(struct op *op);
static void on_read_back(struct op *op);
static void read_back(struct op *op);
static void roll_back(struct op *op);
static void on_rolled_back(struct op *op);
static void on_rollback_read(struct op *op);

/* ---- ends ---- */

bool deploy_runs_unrecorded(const struct op *op)
{
	const struct agent *agent = op->agent;

	return op->again && !op->touched && op->old_system[0] && agent->system[0] &&
	       strcmp(agent->state, "running") == 0 &&
	       strcmp(agent->system, op->old_system) != 0;
}

/* Records the failure of a proposal (or only reports it, when there is none) and ends the
 * operation. */
static void fail(struct op *op, const char *code)
{
	if (cancel_ended(op))
		return;
	op->err.err = op->r < 0 ? op->r : -EIO;
	op->r = 0;
	if (op->update) {
		op->err.code = code;
		update_failed(op);
		return;
	}
	if (outcome_put_off(op))
		return;
	if (deploy_runs_unrecorded(op)) {
		op->touched = true;
		op->why = op->err;
		roll_back(op);
		return;
	}
	op->err.code = code;
	joblog_line(op->log, "failed: %s", error_text(&op->err));
	outcome_fail(op);
}

/* The tag is on disk: everything that follows from it, when there is room for it. What else
 * keeps it from being written is left to healing and to the next start, which do it again. */
static void roll_forward(struct op *op)
{
	struct error err = {};

	if (derived_move(op, &err) < 0) {
		if (room_is_why(op->hive, &err)) {
			outcome_later(op, &err, roll_forward);
			return;
		}
		log_event(LOG_ERR, error_text(&err), "SKEP_AGENT", op->agent->settings.name,
			  NULL);
	}
	joblog_line(op->log, "deployed: %s runs %.*s as deployed/%" PRId64,
		    op->agent->settings.name, OID_SHORT, op->commit, op->proposal->id);
	ledger_mark_stale(op->hive, op->agent);
	systems_release(op->hive, op->agent);
	lifecycle_settle(op);
}

static void record(struct op *op)
{
	struct settings *s = &op->agent->settings;
	struct proposal *p = op->proposal;
	struct verdict verdict = {
		.system = op->system,
		.build_ms = op->build_ms,
		.downtime_ms = op->agent->downtime_ms,
	};
	int64_t old_deployed = s->deployed;
	char old_system[SYSTEM_SIZE];
	_cleanup_free_ char *message = NULL;
	int r;

	if (op->update) {
		update_switched(op);
		return;
	}
	if (!p) {
		lifecycle_settle(op);
		return;
	}
	message = derived_message(op);
	s->deployed = p->id;
	memcpy(s->revision, op->commit, sizeof(s->revision));
	memcpy(old_system, s->system, sizeof(old_system));
	s->system[0] = '\0';
	verdict.meta_commit = op->meta_commit;
	crash_point("probed");
	memcpy(op->meta_parent, op->hive->meta_head, sizeof(op->meta_parent));
	r = candidate_commit(op, message, op->meta_commit, &op->err);
	if (r == 0)
		r = ledger_decide(op->hive, p, PROPOSAL_DEPLOYED, &verdict, &op->err);
	if (r < 0) {
		s->deployed = old_deployed;
		memcpy(s->revision, op->old_commit, sizeof(s->revision));
		memcpy(s->system, old_system, sizeof(s->system));
		outcome_later(op, &op->err, read_back);
		return;
	}
	memcpy(op->agent->made, op->system, sizeof(op->agent->made));
	/* how often the system before it went down says nothing of this one */
	op->agent->attempts = 0;
	crash_point("deployed");
	roll_forward(op);
}

/* ---- back to the old system ---- */

/* There is an earlier system, and it is wanted running. */
static bool goes_back(const struct op *op)
{
	return op->old_system[0] && op->agent->settings.running;
}

static void no_way_back(struct op *op)
{
	struct error why = op->err;

	error_set(&op->err, EIO, "%s; and the way back failed too: %s", error_text(&op->why),
		  error_text(&why));
	op->r = -EIO;
	fail(op, "deploy_failed");
}

/* What it goes back to, for people. */
static char *show_old(const struct op *op)
{
	return op->update ? str_dup("its old system")
			  : str_format("%.*s", OID_SHORT, op->old_commit);
}

/* op->why says what for. */
static void roll_back(struct op *op)
{
	_cleanup_free_ char *old = show_old(op);
	json_t *spec = NULL;

	op->why.code = "deploy_failed";
	joblog_line(op->log, "%s", error_text(&op->why));
	crash_point("rolling-back");
	if (!op->proposal && !op->update) {
		op->err = op->why;
		op_finish(op, op->err.err < 0 ? op->err.err : -EIO);
		return;
	}
	if (!goes_back(op)) {
		joblog_line(op->log, "stopping the container: %s",
			    op->old_system[0] ? "it is wanted stopped"
					      : "there is no earlier system to go back to");
		op_call(op, "stop", container_stop_arguments(op->agent, 0), NULL, 0,
			on_rolled_back);
		return;
	}
	if (container_spec(op->hive, op->agent, op->old_commit, op->old_system, &spec,
			   &op->err) < 0) {
		no_way_back(op);
		return;
	}
	joblog_line(op->log, "rolling back to %s", old);
	op_call(op, "switch", spec, NULL, 0, on_rolled_back);
}

static void roll_back_for(struct op *op, const struct error *err, const char *what)
{
	op->why = *err;
	error_prefix(&op->why, "%s", what);
	roll_back(op);
}

static void on_rolled_back(struct op *op)
{
	if (op->r < 0) {
		no_way_back(op);
		return;
	}
	op_call(op, "inspect", container_arguments(op->agent, NULL), NULL, 0, on_rollback_read);
}

static void on_rollback_read(struct op *op)
{
	const json_t *entry =
		op->r == 0 ? container_entry(op->answer, op->agent->settings.name) : NULL;
	_cleanup_free_ char *old = show_old(op);
	bool back;

	if (entry)
		container_seen(op->hive, op->agent, entry);
	back = entry && strcmp(op->agent->state, "running") == 0 &&
	       strcmp(op->agent->system, op->old_system) == 0;
	if (!goes_back(op))
		error_set(&op->err, EIO, "%s; the container is %s", error_text(&op->why),
			  op->agent->state);
	else if (back)
		error_set(&op->err, EIO, "%s; rolled back: %s runs again", error_text(&op->why),
			  old);
	else
		error_set(&op->err, EIO, "%s; rolled back, but the container is %s",
			  error_text(&op->why), op->agent->state);
	op->r = -EIO;
	fail(op, "deploy_failed");
}

/* ---- forward ---- */

static void on_probed(int r, const struct error *err, void *data)
{
	struct op *op = data;

	op->probe = NULL;
	if (r == -EPIPE) {
		op->err = *err;
		op_finish(op, r);
		return;
	}
	if (r == 0) {
		record(op);
		return;
	}
	op->why = *err;
	error_prefix(&op->why, "the probe failed");
	postmortem(op, roll_back);
}

static void on_read_back(struct op *op)
{
	const json_t *entry =
		op->r == 0 ? container_entry(op->answer, op->agent->settings.name) : NULL;
	char shown[SYSTEM_SIZE], other[SYSTEM_SIZE];
	struct manifest manifest;

	if (op->r < 0) {
		roll_back_for(op, &op->err, "the container could not be read back");
		return;
	}
	if (entry)
		container_seen(op->hive, op->agent, entry);
	if (!entry || strcmp(op->agent->state, "running") != 0) {
		error_set(&op->why, EIO, "the container is %s after the switch",
			  entry ? op->agent->state : "gone");
		roll_back(op);
		return;
	}
	if (strcmp(op->agent->system, op->system) != 0) {
		error_set(&op->why, EIO, "the container runs system %s, not %s",
			  system_show(other, op->agent->system),
			  system_show(shown, op->system));
		roll_back(op);
		return;
	}
	joblog_line(op->log, "read back: the container runs system %s",
		    system_show(shown, op->system));
	if (op->skip_probe) {
		record(op);
		return;
	}
	if (container_manifest(op->hive, op->agent, op->commit, &manifest, &op->err) < 0) {
		op->why = op->err;
		roll_back(op);
		return;
	}
	/* the operator's word counts more than the agent's; it was checked when it was said */
	if (op->agent->settings.probe)
		(void)probe_lay_over(&manifest.probe, op->agent->settings.probe, NULL);
	op->probe = probe_start(op->hive, op->agent, &manifest.probe, op->baseline, op->log,
				on_probed, op);
	manifest_release(&manifest);
}

static void on_switched(struct op *op)
{
	int64_t ms = -1;

	op_give_slot(op);
	crash_point("switched");
	if (op->r < 0) {
		roll_back_for(op, &op->err, "the switch failed");
		return;
	}
	if (json_get_int(op->answer, "downtime_ms", false, 0, INT32_MAX, &ms, NULL) == 0 &&
	    ms >= 0) {
		op->agent->downtime_ms = ms;
		joblog_line(op->log, "switched: %lld ms without a container", (long long)ms);
	}
	read_back(op);
}

static void read_back(struct op *op)
{
	op_call(op, "inspect", container_arguments(op->agent, NULL), NULL, 0, on_read_back);
}

static void switch_now(struct op *op)
{
	json_t *spec = NULL;

	/* a root of its own takes room: better none of it than half of it */
	if ((op->proposal && room_check(op->hive, &op->err) < 0) ||
	    container_spec(op->hive, op->agent, op->commit, op->system, &spec, &op->err) < 0) {
		op->r = op->err.err;
		fail(op, "deploy_failed");
		return;
	}
	/* a deploy is what was approved and nothing else; a mere start keeps what the agent
	 * made of it */
	json_object_set_new(spec, "fresh", json_boolean(!op->skip_probe));
	op->touched = true;
	op_call(op, op->was_running ? "switch" : "start", spec, NULL, 0, on_switched);
}

/* What runs before the switch: units that are failed already, and whether there is anything to
 * go back to. */
static void on_looked(struct op *op)
{
	const json_t *entry =
		op->r == 0 ? container_entry(op->answer, op->agent->settings.name) : NULL;

	if (op->r < 0) {
		fail(op, "deploy_failed"); /* a listing that failed is no empty world: nothing
					      is touched */
		return;
	}
	if (entry)
		container_seen(op->hive, op->agent, entry);
	op->was_running = entry && strcmp(op->agent->state, "running") == 0;
	/* a deploy that was cut short had switched: these are its own */
	if (op->was_running && op->agent->failed_units && !deploy_runs_unrecorded(op))
		op->baseline = json_incref(op->agent->failed_units);
	/* it runs this very system: no restart */
	if (op->was_running && !op->proposal && strcmp(op->agent->system, op->system) == 0) {
		if (op->update)
			update_switched(op);
		else
			op_finish(op, 0);
		return;
	}
	if (op->was_running)
		op_take_slot(op, &op->hive->starts, switch_now);
	else
		port_ask(op, on_port);
}

static void on_port(struct op *op)
{
	if (port_judge(op) < 0)
		fail(op, "deploy_failed");
	else
		op_take_slot(op, &op->hive->starts, switch_now);
}

static void on_built(struct op *op)
{
	char shown[SYSTEM_SIZE];

	op->build = 0;
	op->build_ms = clock_boot_ms() - op->began_ms;
	op_give_slot(op);
	op->r = candidate_built(op, &op->err);
	if (op->r < 0) {
		fail(op, "build_failed");
		return;
	}
	if (cancel_ended(op))
		return;
	if (!op->proposal && !op->update) {
		memcpy(op->old_system, op->system, sizeof(op->old_system));
		memcpy(op->agent->made, op->system, sizeof(op->agent->made));
	}
	joblog_line(op->log, "built: system %s%s", system_show(shown, op->system),
		    json_is_true(json_object_get(op->answer, "reused")) ? " was there already"
									: "");
	crash_point("built");
	if (op->update) {
		update_built(op);
		return;
	}
	if (op->proposal) {
		op->proposal->deploying = true;
		event_proposal(op->hive, op->proposal);
	}
	deploy_switch(op);
}

void deploy_switch(struct op *op)
{
	op_call(op, "inspect", container_arguments(op->agent, NULL), NULL, 0, on_looked);
}

void deploy_back(struct op *op, const struct error *why)
{
	op->why = *why;
	roll_back(op);
}

static void build(struct op *op)
{
	const struct settings *s = &op->agent->settings;
	_cleanup_free_ char *message = derived_message(op);
	_cleanup_close_ int log_fd = -1;
	json_t *arguments = NULL;

	if (op->r < 0) {
		fail(op, "build_failed");
		return;
	}
	if (cancel_ended(op))
		return;
	op->began_ms = clock_boot_ms();
	if (op->log)
		op->r = joblog_pipe(op->log, &log_fd, &op->err);
	else
		log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (op->r == 0)
		op->r = update_goes_on(op, &op->err);
	if (op->r < 0 && !op->update) {
		op_finish(op, op->r);
		return;
	}
	if (op->r == 0)
		op->r = candidate_make(op, op->proposal ? op->proposal->id : s->deployed,
				       message, &arguments, &op->err);
	if (op->r < 0) {
		fail(op, "build_failed");
		return;
	}
	op->build = op_call(op, "build", arguments, &log_fd, 1, on_built);
}

/* An agent that came from another host may be the first that Nix builds. */
static void begin_build(struct op *op)
{
	op->r = 0;
	if (op->agent->settings.builder == BUILDER_NIX)
		inputs_ensure(op, build);
	else
		build(op);
}

void deploy_build(struct op *op)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	const struct settings *s = &op->agent->settings;
	int r = hive_open_applied(op->hive, s->name, &repo, &op->err);

	if (r == 0)
		r = repo_commit_tree(repo, s->revision, op->tree, &op->err);
	op->r = r;
	if (r < 0 && op->update)
		fail(op, "build_failed");
	else if (r < 0)
		op_finish(op, r);
	if (r < 0)
		return;
	memcpy(op->commit, s->revision, sizeof(op->commit));
	memcpy(op->old_commit, op->commit, sizeof(op->commit));
	op_take_slot(op, &op->hive->builds, begin_build);
}

static void begin(struct op *op)
{
	struct proposal *p = op->proposal;
	int r;

	if (strcmp(p->base, op->agent->settings.revision) != 0)
		ledger_mark_stale(op->hive, op->agent);
	if (proposal_is_final(p)) {
		error_set_code(&op->err, ESTALE, "stale", "proposal %" PRId64 " is %s", p->id,
			       proposal_state_name(p));
		op_finish(op, -ESTALE);
		return;
	}
	op->again = p->state == PROPOSAL_BUILDING;
	if ((r = systems_find_old(op)) < 0 ||
	    (r = joblog_open(op->hive, p->id, &op->log, &op->err)) < 0 ||
	    (r = ledger_mark_building(op->hive, p, &op->err)) < 0) {
		op_finish(op, r);
		return;
	}
	crash_point("building");
	memcpy(op->commit, p->commit, sizeof(op->commit));
	memcpy(op->tree, p->tree, sizeof(op->tree));
	joblog_line(op->log, "building %s %.*s for proposal %" PRId64, p->agent, OID_SHORT,
		    p->commit, p->id);
	op_take_slot(op, &op->hive->builds, begin_build);
}

struct op *deploy_add(struct hive *hive, struct proposal *proposal, const struct actor *actor)
{
	struct agent *agent = hive_find(hive, proposal->agent);
	struct op *op = op_add(agent, "deploy", actor, begin);

	op->proposal = proposal;
	return op;
}

struct op *deploy_of(struct hive *hive, const struct proposal *proposal)
{
	const struct agent *agent = hive_find(hive, proposal->agent);
	struct op *op;

	if (!agent && proposal->kind == PROPOSAL_RENAME)
		agent = hive_find(hive, rename_from(proposal));
	op = agent ? agent->ops : update_of(hive, proposal);

	while (op && op->proposal != proposal)
		op = op->next;
	return op;
}

struct op *deploy_again(struct agent *agent, const char *verb, const struct actor *actor,
			bool probe)
{
	struct op *op = op_add(agent, verb, actor, deploy_build);

	op->skip_probe = !probe;
	return op;
}

static void begin_check(struct op *op)
{
	const struct settings *s = &op->agent->settings;
	int r = systems_of(op->hive, op->agent, s->deployed, op->system, &op->err);

	if (r < 0) {
		op_finish(op, r);
		return;
	}
	memcpy(op->commit, s->revision, sizeof(op->commit));
	read_back(op);
}

struct op *deploy_check(struct agent *agent, const struct actor *actor)
{
	return op_add(agent, "check", actor, begin_check);
}
