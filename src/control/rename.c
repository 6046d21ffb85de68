/*
 *   begin ── directories ── applied ── entry in agents.json ── remote ── start ── read back ──
 * record │            │              │                             │          │
 *                 └────────────┴──────────────┴─── the same back ◄──────────┴──────────┘
 *                                                        └── start ── read back ── fail
 *
 * Each step is one that can be repeated, in both directions. The entry in agents.json decides
 * what the agent is called: a start after a crash puts its repository where that says and goes
 * on from there.
 */
#include "control/rename.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "control/container.h"
#include "control/event.h"
#include "control/joblog.h"
#include "control/lifecycle.h"
#include "control/meta.h"
#include "control/outcome.h"
#include "control/owed.h"
#include "control/plan.h"
#include "control/request.h"
#include "control/server.h"

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

int rename_check(const struct hive *hive, const char *from, const char *to, struct error *err)
{
	struct agent *agent;
	int r = hive_get(hive, from, &agent, err);

	if (r < 0 || (r = lifecycle_refuse_dying(agent, err)) < 0 ||
	    (r = plan_check_name(hive, to, err)) < 0)
		return r;
	if (name_is_manager(from) || name_is_manager(to))
		return error_set(err, EINVAL, "the manager is called '%s'", MANAGER_NAME);
	/* its name is in the flake, the lock and the system itself */
	if (agent->settings.builder == BUILDER_NIX)
		return error_set(err, EOPNOTSUPP,
				 "'%s' is built by Nix, and such an agent cannot be renamed",
				 from);
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

	op->r = container_spec(op->hive, op->agent, op->commit, op->system, &spec, &op->err);
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

/* The repository, then everything in memory and the entry that decides. */
static int take_name(struct op *op)
{
	const char *from = old_name(op), *to = new_name(op);
	_cleanup_free_ char *message = str_format("rename %s was %s", to, from);
	int r;

	if (strcmp(op->agent->settings.name, to) == 0)
		return 0;
	r = move_applied(op->hive, from, to, &op->err);
	if (r < 0)
		return r;
	crash_point("applied-moved");
	hive_rename(op->hive, op->agent, to);
	r = meta_commit(op->hive, message, &op->err);
	if (r < 0) {
		hive_rename(op->hive, op->agent, from);
		(void)move_applied(op->hive, to, from, NULL);
		return r;
	}
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
	/* its socket is where its name says */
	server_forget_agent(op->agent);
	if (op->hive->keep_socket)
		op->hive->keep_socket(op->hive, op->agent->settings.name, -1);
	op_call(op, "rename", json_pack("{s:s,s:s}", "agent", old_name(op), "to", new_name(op)),
		NULL, 0, on_moved);
}

static int find_system(struct op *op)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	const struct settings *s = &op->agent->settings;
	int r = hive_open_applied(op->hive, s->name, &repo, &op->err);

	memcpy(op->commit, s->revision, sizeof(op->commit));
	if (r == 0)
		r = repo_commit_tree(repo, s->revision, op->tree, &op->err);
	snprintf(op->system, sizeof(op->system), "%s", op->tree);
	return r;
}

static void begin(struct op *op)
{
	struct proposal *p = op->proposal;
	struct error err = {};

	if ((!op->log && joblog_open(op->hive, p->id, &op->log, &err) < 0) ||
	    ledger_mark_building(op->hive, p, &err) < 0) {
		outcome_later(op, &err, begin);
		return;
	}
	crash_point("building");
	joblog_line(op->log, "%s", p->title ? p->title : "rename");
	if (find_system(op) < 0) {
		op->agent->moving = false;
		outcome_fail(op);
		return;
	}
	move(op);
}

struct op *rename_add(struct agent *agent, struct proposal *proposal, const struct actor *actor)
{
	struct op *op = op_add(agent, "rename", actor, begin);

	agent->moving = true;
	owed_cancel(agent);
	op->proposal = proposal;
	return op;
}

static bool has_repository(const struct hive *hive, const char *name)
{
	_cleanup_free_ char *dir = hive_applied_dir(hive, name);

	return access(dir, F_OK) == 0;
}

int rename_repair(struct hive *hive, struct error *err)
{
	for (size_t i = 0; i < hive->n_proposals; i++) {
		const struct proposal *p = hive->proposals[i];
		const char *is, *other;
		int r;

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
