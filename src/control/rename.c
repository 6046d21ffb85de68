/*
 *   begin ── build ── directories ── applied ── entry in agents.json ── start ── read back ──
 * record │           │            │               │                 │          │ fail
 * └────────────┴───────────────┴─ the same back ◄┴──────────┘ └── start ── read back ── fail
 *
 * Only what Nix makes is built: of a tree that is laid over a base the system is the same under
 * any name. Until `directories` nothing is touched. Each step is one that can be repeated, in
 * both directions. The entry in agents.json decides what the agent is called: a start after a
 * crash puts its repository where that says and goes on from there.
 */
#include "control/rename.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "control/cancel.h"
#include "control/candidate.h"
#include "control/container.h"
#include "control/event.h"
#include "control/inputs.h"
#include "control/joblog.h"
#include "control/lifecycle.h"
#include "control/meta.h"
#include "control/outcome.h"
#include "control/owed.h"
#include "control/plan.h"
#include "control/preview.h"
#include "control/rename_nix.h"
#include "control/request.h"
#include "control/server.h"
#include "control/systems.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void move(struct op *op);
static void on_started(struct op *op);
static void on_read_back(struct op *op);

const char *rename_from(const struct proposal *p)
{
	const char *from = json_string_value(json_object_get(p->payload, "from"));

	return from ? from : "";
}

static const char *old_name(const struct op *op)
{
	return op->back ? op->proposal->agent : rename_from(op->proposal);
}

static const char *new_name(const struct op *op)
{
	return op->back ? rename_from(op->proposal) : op->proposal->agent;
}

char *rename_message(const char *from, const char *to)
{
	return str_format("rename %s was %s", to, from);
}

static bool is_of_nix(const struct op *op)
{
	return op->agent->settings.builder == BUILDER_NIX;
}

/* What runs under the name it is to have. */
static const char *wanted_system(const struct op *op)
{
	return op->back ? op->old_system : op->system;
}

int rename_check(const struct hive *hive, const char *from, const char *to, struct error *err)
{
	struct agent *agent;
	int r = hive_get(hive, from, &agent, err);

	if (r < 0 || (r = lifecycle_refuse_dying(agent, err)) < 0 ||
	    (r = plan_check_name(hive, to, err)) < 0 ||
	    (r = plan_check_approved(hive, to, err)) < 0)
		return r;
	if (name_is_manager(from) || name_is_manager(to))
		return error_set(err, EINVAL, "the manager is called '%s'", MANAGER_NAME);
	if (hive_find_kept(hive, to)) {
		error_set(err, EEXIST, "an agent '%s' was destroyed, and its state was kept",
			  to);
		error_hint(err, "skep destroy %s --purge, or another name", to);
		return -EEXIST;
	}
	if (hive->generation)
		return error_set_code(err, EBUSY, "wrong_state",
				      "a generation is being applied");
	if (agent->submissions)
		return error_set(err, EBUSY, "a submission of '%s' is being imported", from);
	return 0;
}

/* ---- ends ---- */

static void end(struct op *op)
{
	op_give_slot(op);
	op->agent->moving = false;
	memcpy(op->agent->made, wanted_system(op), sizeof(op->agent->made));
	if (is_of_nix(op)) {
		/* those that were built have the other name in them */
		previews_forget(op->hive);
		systems_release(op->hive, op->agent);
	}
	if (!op->back) {
		outcome_done(op);
		return;
	}
	op->err = op->why;
	outcome_fail(op);
}

/* Adds to what is told at the end. */
static void tell_more(struct op *op, const char *what, const char *more)
{
	struct error why = op->why;

	error_set_code(&op->why, why.err, why.code, "%s; %s%s", error_text(&why), what, more);
}

/* What went wrong first, while things are put back. */
static void turn_back(struct op *op, const char *what)
{
	op->why = op->err;
	error_prefix(&op->why, "%s", what);
	if (!error_passes(&op->why))
		op->why.code = "deploy_failed";
	op->back = true;
	crash_point("moving-back");
}

/* Forwards: takes it back. Backwards: there is nothing more to try. */
static void undo(struct op *op, const char *what)
{

	op_give_slot(op);
	op->r = 0;
	joblog_line(op->log, "%s: %s", what, error_text(&op->err));
	if (op->back) {
		tell_more(op, "and the way back failed: ", error_text(&op->err));
		end(op);
		return;
	}
	turn_back(op, what);
	move(op);
}

/* ---- the container under its name ---- */

static void on_read_back(struct op *op)
{
	const char *name = op->agent->settings.name;
	const json_t *entry = op->r == 0 ? container_entry(op->answer, name) : NULL;

	if (entry)
		container_seen(op->hive, op->agent, entry);
	if (op->r == 0 && (!entry || strcmp(op->agent->state, "running") != 0))
		op->r = error_set(&op->err, EIO, "the container is %s",
				  entry ? op->agent->state : "gone");
	if (op->r == 0 && strcmp(op->agent->system, wanted_system(op)) != 0)
		op->r = error_set(&op->err, EIO,
				  "the container runs another system than it should");
	if (op->r < 0) {
		undo(op, "the container could not be started under its new name");
		return;
	}
	joblog_line(op->log, "read back: the container of '%s' runs", name);
	if (op->back)
		tell_more(op, name, " runs as before");
	end(op);
}

static void on_started(struct op *op)
{
	op_give_slot(op);
	if (op->r < 0)
		undo(op, "the container could not be started under its new name");
	else
		op_call(op, "inspect", container_arguments(op->agent, NULL), NULL, 0,
			on_read_back);
}

static void start(struct op *op)
{
	json_t *spec = NULL;

	op->r = container_spec(op->hive, op->agent, op->commit, wanted_system(op), &spec,
			       &op->err);
	if (op->r < 0)
		undo(op, "the container could not be started under its new name");
	else
		op_call(op, "start", spec, NULL, 0, on_started);
}

static void on_remote(struct op *op)
{
	/* the manager's own repository: what it made of its configuration is its affair */
	if (op->r < 0)
		joblog_line(op->log, "the remote 'applied' was not put right: %s",
			    error_text(&op->err));
	op->r = 0;
	lifecycle_open_socket(op->hive, op->agent);
	event_removed(op->hive, old_name(op));
	event_agent(op->hive, op->agent);
	if (op->agent->settings.running)
		op_take_slot(op, &op->hive->starts, start);
	else
		end(op);
}

static void repair_remote(struct op *op)
{
	_cleanup_free_ char *url = str_format("/applied/%s/.git", op->agent->settings.name);

	op_call(op, "remote",
		container_arguments(op->agent,
				    json_pack("{s:I,s:s}", "owner",
					      (json_int_t)hive_manager_uid(), "url", url)),
		NULL, 0, on_remote);
}

/* ---- what is called by its name ---- */

static int move_applied(const struct hive *hive, const char *from, const char *to,
			struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/applied", hive->config->state_dir);
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return error_set_errno(err, errno, "cannot open '%s'", path);
	if (renameat2(dir, from, dir, to, RENAME_NOREPLACE) < 0 &&
	    (errno != ENOENT || faccessat(dir, to, F_OK, AT_SYMLINK_NOFOLLOW) < 0))
		return error_set_errno(err, errno, "cannot call '%s/%s' '%s'", path, from, to);
	return fsync(dir) < 0 ? error_set_errno(err, errno, "cannot sync '%s'", path) : 0;
}

/* Calls it so in memory, and enters that. */
static int enter(struct op *op, const char *to)
{
	struct settings *s = &op->agent->settings;
	_cleanup_free_ char *message = rename_message(old_name(op), new_name(op));
	char from[AGENT_NAME_MAX + 1], system[SYSTEM_SIZE];
	int r = 0;

	memcpy(from, s->name, sizeof(from));
	memcpy(system, s->system, sizeof(system));
	if (strcmp(from, to) != 0)
		hive_rename(op->hive, op->agent, to);
	if (is_of_nix(op))
		r = systems_take(op->hive, op->agent, wanted_system(op), &op->err);
	if (r == 0)
		r = meta_commit(op->hive, message, &op->err);
	if (r == 0)
		return 0;
	memcpy(s->system, system, sizeof(system));
	if (strcmp(from, to) != 0)
		hive_rename(op->hive, op->agent, from);
	return r;
}

/* The repository, then everything in memory and the entry that decides. */
static int take_name(struct op *op)
{
	const char *from = old_name(op), *to = new_name(op);
	bool has_it = strcmp(op->agent->settings.name, to) == 0;
	int r = has_it ? 0 : move_applied(op->hive, from, to, &op->err);

	if (r < 0)
		return r;
	if (!has_it)
		crash_point("applied-moved");
	r = enter(op, to);
	if (r < 0) {
		if (!has_it)
			(void)move_applied(op->hive, to, from, NULL);
		return r;
	}
	if (has_it)
		return 0;
	crash_point("renamed");
	joblog_line(op->log, "'%s' is called '%s'", from, to);
	return 0;
}

static void on_moved(struct op *op)
{
	if (op->r == -EEXIST && !op->back) { /* the place is taken: nothing was moved */
		joblog_line(op->log, "%s", error_text(&op->err));
		turn_back(op, "its directories could not be moved");
		repair_remote(op);
		return;
	}
	if (op->r < 0) {
		undo(op, "its directories could not be moved");
		return;
	}
	crash_point("moved");
	container_seen_stopped(op->hive, op->agent);
	op->r = take_name(op);
	if (op->r < 0) {
		undo(op, "the name could not be recorded");
		return;
	}
	request_mark_stale(op->hive);
	repair_remote(op);
}

static void move(struct op *op)
{
	op->touched = true;
	/* its socket is where its name says */
	server_forget_agent(op->agent);
	if (op->hive->keep_socket)
		op->hive->keep_socket(op->hive, op->agent->settings.name, -1);
	op_call(op, "rename", json_pack("{s:s,s:s}", "agent", old_name(op), "to", new_name(op)),
		NULL, 0, on_moved);
}

/* ---- its system, before anything is touched ---- */

/* Nothing was: it is called as before, and runs. */
static void give_up(struct op *op, const char *what)
{
	op->agent->moving = false;
	op->r = 0;
	if (what) {
		error_prefix(&op->err, "%s", what);
		if (!error_passes(&op->err))
			op->err.code = "build_failed";
		joblog_line(op->log, "%s", error_text(&op->err));
	}
	outcome_fail(op);
}

static void not_built(struct op *op)
{
	static const char what[] = "its system could not be built under its new name";

	/* an attempt that was cut short may have moved something */
	if (op->again)
		undo(op, what);
	else
		give_up(op, what);
}

static bool was_cancelled(struct op *op)
{
	if (op->proposal->state != PROPOSAL_CANCELLED)
		return false;
	op->agent->moving = false;
	if (is_of_nix(op))
		systems_release(op->hive, op->agent);
	return cancel_ended(op);
}

static void on_built(struct op *op)
{
	char shown[SYSTEM_SIZE];
	struct error err = {};

	op->build = 0;
	op->build_ms = clock_boot_ms() - op->began_ms;
	op_give_slot(op);
	if (rename_end_loan(op->hive, new_name(op), &err) < 0)
		log_event(LOG_WARNING, error_text(&err), "SKEP_AGENT", op->agent->settings.name,
			  NULL);
	op->r = candidate_built(op, &op->err);
	if (was_cancelled(op))
		return;
	if (op->r < 0) {
		not_built(op);
		return;
	}
	joblog_line(op->log, "built: system %s%s", system_show(shown, op->system),
		    json_is_true(json_object_get(op->answer, "reused")) ? " was there already"
									: "");
	crash_point("built");
	move(op);
}

/* What is asked of Nix: with the name that it has, if that is the new one already. */
static int make_candidate(struct op *op, json_t **ret)
{
	const struct settings *s = &op->agent->settings;
	const char *from = old_name(op), *to = new_name(op);
	_cleanup_free_ char *message = rename_message(from, to);
	int r;

	if (strcmp(s->name, to) == 0)
		return candidate_make(op, s->deployed, message, ret, &op->err);
	r = rename_lend_name(op->hive, from, to, &op->err);
	if (r == 0)
		crash_point("name-lent");
	return r < 0 ? r : candidate_rename(op, to, message, ret, &op->err);
}

static void build(struct op *op)
{
	_cleanup_close_ int log_fd = -1;
	json_t *arguments = NULL;

	if (was_cancelled(op))
		return;
	if (op->r == 0)
		op->r = joblog_pipe(op->log, &log_fd, &op->err);
	if (op->r == 0)
		op->r = make_candidate(op, &arguments);
	if (op->r < 0) {
		op_give_slot(op);
		not_built(op);
		return;
	}
	op->began_ms = clock_boot_ms();
	op->build = op_call(op, "build", arguments, &log_fd, 1, on_built);
}

static void begin_build(struct op *op)
{
	inputs_ensure(op, build);
}

static int find_commit(struct op *op)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	const struct settings *s = &op->agent->settings;
	int r = hive_open_applied(op->hive, s->name, &repo, &op->err);

	memcpy(op->commit, s->revision, sizeof(op->commit));
	if (r == 0)
		r = repo_commit_tree(repo, s->revision, op->tree, &op->err);
	if (r == 0 && is_of_nix(op))
		return rename_find_old(op, old_name(op), new_name(op));
	snprintf(op->system, sizeof(op->system), "%s", op->tree);
	snprintf(op->old_system, sizeof(op->old_system), "%s", op->tree);
	return r;
}

static void begin(struct op *op)
{
	struct proposal *p = op->proposal;
	struct error err = {};

	if (was_cancelled(op))
		return;
	if ((!op->log && joblog_open(op->hive, p->id, &op->log, &err) < 0) ||
	    ledger_mark_building(op->hive, p, &err) < 0) {
		outcome_later(op, &err, begin);
		return;
	}
	crash_point("building");
	joblog_line(op->log, "%s", p->title ? p->title : "rename");
	if (find_commit(op) < 0)
		give_up(op, NULL);
	else if (is_of_nix(op))
		op_take_slot(op, &op->hive->builds, begin_build);
	else
		move(op);
}

struct op *rename_add(struct agent *agent, struct proposal *proposal, const struct actor *actor)
{
	struct op *op = op_add(agent, "rename", actor, begin);

	agent->moving = true;
	owed_cancel(agent);
	op->proposal = proposal;
	op->again = op->touched = proposal->state == PROPOSAL_BUILDING;
	return op;
}

static bool has_repository(const struct hive *hive, const char *name)
{
	_cleanup_free_ char *dir = hive_applied_dir(hive, name);

	return access(dir, F_OK) == 0;
}

int rename_repair(struct hive *hive, struct error *err)
{
	int r = rename_end_loans(hive, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < hive->n_proposals; i++) {
		const struct proposal *p = hive->proposals[i];
		const char *is, *other;

		if (p->kind != PROPOSAL_RENAME || proposal_is_final(p))
			continue;
		is = hive_find(hive, p->agent) ? p->agent : rename_from(p);
		other = is == p->agent ? rename_from(p) : p->agent;
		if (!hive_find(hive, is) || has_repository(hive, is) ||
		    !has_repository(hive, other))
			continue;
		r = move_applied(hive, other, is, err);
		if (r < 0)
			return r;
	}
	return 0;
}
