/*
 * Spawn, step by step: directories ── applied repository with deployed/0 ── proposed repository
 * ── system ── entry in agents.json ── container ── read back. Every step can be repeated, so a
 * spawn that a crash cut short is simply asked for again; one that fails takes its entry back
 * and keeps what was made for the next try.
 */
#include "control/lifecycle.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/json.h"
#include "control/candidate.h"
#include "control/container.h"
#include "control/event.h"
#include "control/inputs.h"
#include "control/joblog.h"
#include "control/meta.h"
#include "control/outcome.h"
#include "control/plan.h"
#include "control/port.h"
#include "control/request.h"
#include "control/systems.h"
#include "control/template.h"
#include "git/commit.h"
#include "git/refs.h"
#include "git/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void on_adopted(struct op *op);
static void prepare(struct op *op);
static void on_prepared(struct op *op);
static void on_seeded(struct op *op);
static bool is_fork(const struct op *op);
static void on_system(struct op *op);
static int write_first_tag(struct op *op);
static void on_started(struct op *op);
static void on_read_back(struct op *op);

/* ---- the end of a spawn that failed ---- */

static void on_undone(struct op *op)
{
	struct hive *hive = op->hive;
	struct agent *agent = op->agent;
	struct error ignored = {}, why = op->why;
	bool was_told = !agent->unborn;
	_cleanup_free_ char *name = str_dup(agent->settings.name), *message = NULL;

	if (op->r < 0)
		error_set_code(&why, why.err, why.code,
			       "%s; and what was started is still there: %s",
			       error_text(&op->why), error_text(&op->err));
	hive_keep(hive, agent->settings.name, agent->settings.port, agent->settings.uid_base);
	agent->unborn = true;
	message = str_format("unspawn %s: it failed", agent->settings.name);
	(void)meta_commit(hive, message, &ignored);
	op->err = why;
	error_hint(&op->err, "mend the cause and spawn it again; what was made is kept");
	if (hive->keep_socket)
		hive->keep_socket(hive, name, -1);
	op->removes = true;
	if (was_told)
		event_removed(hive, name);
	outcome_fail(op);
}

/* code: what kind of failure it is, unless it passes by itself; NULL: the error says it. */
static void undo(struct op *op, const char *code)
{
	op->why = op->err;
	if (code && !error_passes(&op->why))
		op->why.code = code;
	error_prefix(&op->why, "cannot spawn '%s'", op->agent->settings.name);
	joblog_line(op->log, "%s", error_text(&op->why));
	op->r = 0;
	if (op->adopts)
		op_call(op, "adopt",
			container_arguments(op->agent, json_pack("{s:b}", "release", 1)), NULL,
			0, on_undone);
	else
		op_call(op, "destroy", container_arguments(op->agent, NULL), NULL, 0,
			on_undone);
}

/* ---- the steps ---- */

static void on_read_back(struct op *op)
{
	const json_t *entry =
		op->r == 0 ? container_entry(op->answer, op->agent->settings.name) : NULL;

	if (entry)
		container_seen(op->hive, op->agent, entry);
	if (op->r == 0 && (!entry || strcmp(op->agent->state, "running") != 0))
		op->r = error_set(&op->err, EIO, "the container is %s",
				  entry ? op->agent->state : "gone");
	if (op->r == 0 && strcmp(op->agent->system, op->system) != 0)
		op->r = error_set(&op->err, EIO,
				  "the container runs another system than was built");
	if (op->r < 0)
		undo(op, "deploy_failed");
	else
		outcome_done(op);
}

static void on_started(struct op *op)
{
	op_give_slot(op);
	if (op->r < 0) {
		undo(op, "deploy_failed");
		return;
	}
	op_call(op, "inspect", container_arguments(op->agent, NULL), NULL, 0, on_read_back);
}

static void start(struct op *op)
{
	json_t *spec = NULL;

	op->r = container_spec(op->hive, op->agent, op->commit, op->system, &spec, &op->err);
	if (op->r < 0)
		undo(op, "deploy_failed");
	else
		op_call(op, "start", spec, NULL, 0, on_started);
}

/* Of the commit of meta. */
static char *entry_message(const struct op *op)
{
	const struct settings *s = &op->agent->settings;

	return str_format("%s %s deployed/%" PRId64 " %.*s",
			  is_fork(op)   ? "fork"
			  : op->revived ? "revive"
					: "spawn",
			  s->name, s->deployed, OID_SHORT, s->revision);
}

static int enter(struct op *op)
{
	_cleanup_free_ char *message = entry_message(op);
	char commit[OID_HEX_SIZE];
	int r;

	op->agent->unborn = false;
	hive_unkeep(op->hive, op->agent->settings.name);
	r = candidate_commit(op, message, commit, &op->err);
	return r < 0 ? r : meta_publish(op->hive, commit, &op->err);
}

static void on_system(struct op *op)
{
	char shown[SYSTEM_SIZE];

	op->build = 0;
	op_give_slot(op);
	op->r = candidate_built(op, &op->err);
	if (op->r < 0) {
		undo(op, "build_failed");
		return;
	}
	if (op->tags_late)
		op->r = write_first_tag(op);
	else if (op->agent->settings.builder == BUILDER_NIX)
		op->r = systems_take(op->hive, op->agent, op->system, &op->err);
	if (op->r == 0 && !op->held)
		op->r = enter(op);
	if (op->r < 0) {
		undo(op, NULL);
		return;
	}
	crash_point("entered");
	request_mark_stale(op->hive);
	joblog_line(op->log, "built: system %s", system_show(shown, op->system));
	lifecycle_open_socket(op->hive, op->agent);
	op_take_slot(op, &op->hive->starts, start);
}

static void build(struct op *op)
{
	_cleanup_free_ char *message = entry_message(op);
	_cleanup_close_ int log_fd = -1;
	json_t *arguments = NULL;

	if (op->r < 0) {
		undo(op, "build_failed");
		return;
	}
	if (op->log)
		op->r = joblog_pipe(op->log, &log_fd, &op->err);
	else
		log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (op->r == 0)
		op->r = candidate_make(op, op->agent->settings.deployed, message, &arguments,
				       &op->err);
	if (op->r < 0) {
		undo(op, NULL);
		return;
	}
	op->build = op_call(op, "build", arguments, &log_fd, 1, on_system);
}

/* A hive's first system by Nix: where its inputs come from is settled before. */
static void begin_build(struct op *op)
{
	op->r = 0;
	if (op->agent->settings.builder == BUILDER_NIX)
		inputs_ensure(op, build);
	else
		build(op);
}

/* ---- the first commit: of the template, or of another agent ---- */

static bool is_fork(const struct op *op)
{
	return op->proposal && op->proposal->kind == PROPOSAL_FORK;
}

static const char *payload_text(const struct op *op, const char *key)
{
	const char *text = json_string_value(json_object_get(op->proposal->payload, key));

	return text ? text : "";
}

/* The source's commit itself, with its history. */
static int take_commit(struct op *op, struct repo *repo)
{
	_cleanup_free_ char *from = hive_applied_dir(op->hive, payload_text(op, "from"));
	_cleanup_free_ char *to = hive_applied_dir(op->hive, op->agent->settings.name);
	int r = repo_link_objects(from, to, &op->err);

	if (r < 0)
		return r;
	snprintf(op->commit, sizeof(op->commit), "%s", payload_text(op, "commit"));
	return repo_commit_tree(repo, op->commit, op->tree, &op->err);
}

/* The first state, made from the templates in applied. The same bytes and time make the same
 * commit in proposed. */
static int make_first_commit(struct op *op, struct repo *repo)
{
	_cleanup_free_ struct commit_file *files = NULL;
	json_t *list = op->files, *file;
	size_t i;
	int r;

	files = mem_new(json_array_size(list), sizeof(*files));
	json_array_foreach (list, i, file)
		files[i] = (struct commit_file){
			.path = json_string_value(json_object_get(file, "path")),
			.data = json_string_value(json_object_get(file, "data")),
			.size = json_string_length(json_object_get(file, "data")),
			.executable = json_is_true(json_object_get(file, "executable")),
			.symlink = json_is_true(json_object_get(file, "symlink")),
		};
	r = commit_root(repo, files, json_array_size(list), SEED_MESSAGE, op->hive->wall_s(),
			op->commit, &op->err);
	return r < 0 ? r : repo_commit_tree(repo, op->commit, op->tree, &op->err);
}

static int write_first_tag(struct op *op)
{
	_cleanup_(entry_release) struct entry entry = {};
	struct settings *s = &op->agent->settings;
	_cleanup_free_ char *subject =
		str_format("deployed 0: %s %.*s", s->name, OID_SHORT, op->commit);
	int r;

	entry_begin(&entry, subject, NULL);
	entry_put(&entry, "Skep-Commit", op->commit);
	entry_put(&entry, "Skep-Tree", op->tree);
	entry_put(&entry, "Skep-System", op->system);
	entry_put(&entry, "Skep-Actor", op->has_actor ? op->actor.name : "skepd");
	entry_put(&entry, "Skep-Channel", op->has_actor ? op->actor.channel : "controller");
	r = ledger_write(op->hive, s->name, false, PROPOSAL_DEPLOYED, 0, op->commit, &entry,
			 &op->err);
	if (r < 0)
		return r;
	s->deployed = 0;
	crash_point("first-tag");
	return 0;
}

/* What Nix makes of a commit is known only once it is built, and so is what the tag says. Until
 * then main holds the first commit, and a spawn that is asked for again goes on with it. */
static int make_first(struct op *op, struct repo *repo)
{
	char main[OID_HEX_SIZE] = "";
	int r = refs_read(repo, "refs/heads/main", main, &op->err);

	if (r < 0 && r != -ENOENT)
		return r;
	op->tags_late = op->agent->settings.builder == BUILDER_NIX;
	op->agent->settings.deployed = 0;
	if (op->tags_late && main[0]) {
		memcpy(op->commit, main, sizeof(op->commit));
		return repo_commit_tree(repo, op->commit, op->tree, &op->err);
	}
	r = is_fork(op) ? take_commit(op, repo) : make_first_commit(op, repo);
	if (r == 0 && !op->tags_late) {
		memcpy(op->system, op->tree, sizeof(op->tree));
		r = write_first_tag(op);
	}
	return r < 0 ? r
		     : refs_move(repo, "refs/heads/main", op->commit, main[0] ? main : NULL,
				 &op->err);
}

/* Kept repositories: what was deployed last runs again. 1: found it; 0: there is nothing yet.
 */
static int find_deployed(struct op *op, struct repo *repo)
{
	struct settings *s = &op->agent->settings;
	int r;

	for (size_t i = op->hive->n_proposals; i > 0; i--) {
		const struct proposal *p = op->hive->proposals[i - 1];

		if (p->state != PROPOSAL_DEPLOYED || proposal_is_of_hive(p) ||
		    strcmp(p->agent, s->name) != 0)
			continue;
		s->deployed = p->id;
		memcpy(op->commit, p->commit, sizeof(op->commit));
		r = repo_commit_tree(repo, op->commit, op->tree, &op->err);
		return r < 0 ? r : 1;
	}
	r = refs_read(repo, "refs/tags/deployed/0", op->commit, &op->err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = repo_peel_commit(repo, op->commit, op->commit, &op->err);
	if (r == 0)
		r = repo_commit_tree(repo, op->commit, op->tree, &op->err);
	s->deployed = 0;
	return r < 0 ? r : 1;
}

static int take_time(const char *oid, int64_t wall_s, const char *message, void *data)
{
	(void)oid;
	(void)message;
	*(int64_t *)data = wall_s;
	return 1;
}

/* applied/<agent> with something deployed, and when that was committed. */
static int make_applied(struct op *op, int64_t *ret_time)
{
	_cleanup_free_ char *dir = hive_applied_dir(op->hive, op->agent->settings.name);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int r;

	if ((r = repo_create(dir, &op->err)) < 0 || (r = repo_open(dir, &repo, &op->err)) < 0 ||
	    (r = template_read(op->hive, &op->agent->settings, op->image, &op->files,
			       &op->err)) < 0)
		return r;
	r = find_deployed(op, repo);
	if (r > 0)
		op->revived = true;
	else if (r < 0 || (r = make_first(op, repo)) < 0)
		return r;
	r = commit_log(repo, op->commit, 1, take_time, ret_time, &op->err);
	return r < 0 ? r : 0;
}

static void on_seeded(struct op *op)
{
	struct settings *s = &op->agent->settings;

	if (op->r < 0) {
		undo(op, NULL);
		return;
	}
	crash_point("seeded");
	memcpy(s->revision, op->commit, sizeof(s->revision));
	op_take_slot(op, &op->hive->builds, begin_build);
}

static void seed(struct op *op)
{
	_cleanup_free_ char *url = str_format("/applied/%s/.git", op->agent->settings.name);
	json_t *what =
		json_pack("{s:I,s:s}", "owner", (json_int_t)hive_manager_uid(), "url", url);

	if (is_fork(op)) {
		json_object_set_new(what, "commit", json_string(op->commit));
	} else {
		json_object_set_new(what, "time", json_integer(op->first_s));
		json_object_set(what, "files", op->files);
	}
	op_call(op, "seed", container_arguments(op->agent, what), NULL, 0, on_seeded);
}

static void on_state_copied(struct op *op)
{
	if (op->r < 0) {
		undo(op, NULL);
		return;
	}
	joblog_line(op->log, "copied what '%s' keeps: %lld files, %lld of %lld bytes shared",
		    payload_text(op, "from"),
		    (long long)json_integer_value(json_object_get(op->answer, "files")),
		    (long long)json_integer_value(json_object_get(op->answer, "shared_bytes")),
		    (long long)json_integer_value(json_object_get(op->answer, "bytes")));
	crash_point("state-copied");
	seed(op);
}

/* Before its first start, and never after: then what it keeps is its own. */
static void copy_state(struct op *op)
{
	const struct agent *from = hive_find(op->hive, payload_text(op, "from"));

	if (!from) {
		op->r = error_set(&op->err, ENOENT, "no agent '%s'", payload_text(op, "from"));
		undo(op, NULL);
		return;
	}
	op_call(op, "copy-state",
		container_arguments(op->agent,
				    json_pack("{s:I,s:s,s:I}", "uid_base",
					      (json_int_t)op->agent->settings.uid_base, "from",
					      from->settings.name, "from_base",
					      (json_int_t)from->settings.uid_base)),
		NULL, 0, on_state_copied);
}

static void on_prepared(struct op *op)
{

	if (op->r == 0)
		op->r = make_applied(op, &op->first_s);
	if (op->r < 0) {
		undo(op, NULL);
		return;
	}
	if (is_fork(op) && op->agent->unborn &&
	    json_is_true(json_object_get(op->proposal->payload, "state")))
		copy_state(op);
	else
		seed(op);
}

/* Nothing was made yet: a spawn that is refused for its port leaves no trace. */
static void on_port(struct op *op)
{
	if (port_judge(op) < 0 && op->agent->unborn) {
		op->removes = true;
		outcome_fail(op);
		return;
	}
	if (op->r < 0)
		undo(op, NULL);
	else if (op->adopts)
		op_call(op, "adopt", container_arguments(op->agent, NULL), NULL, 0, on_adopted);
	else
		prepare(op);
}

/* Nothing was made yet, and nothing of that container was changed. */
static void on_adopted(struct op *op)
{
	if (op->r == 0) {
		prepare(op);
		return;
	}
	op->removes = true;
	op_finish(op, op->r);
}

static void prepare(struct op *op)
{
	const struct settings *s = &op->agent->settings;

	op_call(op, "prepare",
		container_arguments(op->agent,
				    json_pack("{s:s,s:I}", "role",
					      name_is_manager(s->name) ? "manager" : "agent",
					      "uid_base", (json_int_t)s->uid_base)),
		NULL, 0, on_prepared);
}

static void begin(struct op *op)
{
	struct proposal *p = op->proposal;
	struct error err = {};

	if (p && !op->log && joblog_open(op->hive, p->id, &op->log, &err) < 0) {
		outcome_later(op, &err, begin);
		return;
	}
	if (p && ledger_mark_building(op->hive, p, &err) < 0) {
		outcome_later(op, &err, begin);
		return;
	}
	if (p)
		crash_point("building");
	joblog_line(op->log, "%s", p && p->title ? p->title : "spawn");
	port_ask(op, on_port);
}

static struct op *add(struct agent *agent, struct proposal *proposal, const struct actor *actor)
{
	struct op *op = op_add(agent, "spawn", actor, begin);

	op->proposal = proposal;
	return op;
}

int lifecycle_spawn(struct hive *hive, const struct spawn_request *request,
		    const struct actor *actor, struct op **ret, struct error *err)
{
	struct settings settings;
	int r = plan_agent(hive, request, &settings, err);

	if (r < 0)
		return r;
	*ret = lifecycle_spawn_planned(hive, &settings, NULL, actor);
	(*ret)->adopts = request->adopts;
	return 0;
}

struct op *lifecycle_spawn_planned(struct hive *hive, struct settings *settings,
				   struct proposal *proposal, const struct actor *actor)
{
	struct agent *agent = hive_add(hive, settings);

	agent->unborn = true;
	return add(agent, proposal, actor);
}

struct op *lifecycle_spawn_again(struct agent *agent, struct proposal *proposal,
				 const struct actor *actor)
{
	return add(agent, proposal, actor);
}
