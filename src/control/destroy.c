/*
 * Destroy: the container goes, then the entry; state and repositories stay for a later spawn of
 * the same name. Purge first copies the record's tags to meta, so that the chain stays whole
 * and no number comes back, and then removes the rest.
 */
#include "control/lifecycle.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "control/container.h"
#include "control/event.h"
#include "control/meta.h"
#include "control/owed.h"
#include "control/request.h"
#include "control/server.h"
#include "control/submit.h"
#include "git/repo.h"
#include "git/tagfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct verdict plain = {.build_ms = -1, .downtime_ms = -1};

/* Whatever was undecided or owed dies with the agent, in the record. */
static int cancel_proposals(struct op *op)
{
	for (size_t i = 0; i < op->hive->n_proposals; i++) {
		struct proposal *p = op->hive->proposals[i];
		struct verdict verdict = plain;
		int r;

		if (proposal_is_final(p) || proposal_is_of_hive(p) ||
		    strcmp(p->agent, op->agent->settings.name) != 0)
			continue;
		verdict.actor = &op->actor;
		verdict.note = "the agent was destroyed";
		r = ledger_decide(op->hive, p, PROPOSAL_CANCELLED, &verdict, &op->err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int keep_record(struct op *op)
{
	_cleanup_free_ char *applied = hive_applied_dir(op->hive, op->agent->settings.name);
	_cleanup_free_ char *meta = hive_meta_dir(op->hive);
	_cleanup_free_ char *ref = str_format("refs/skep/purged/%s", op->agent->settings.name);
	_cleanup_(repo_freep) struct repo *to = NULL;
	int r;

	/* a purge that was cut short had kept it, or it would be there still */
	if (access(applied, F_OK) < 0 && errno == ENOENT)
		return 0;
	r = repo_open(meta, &to, &op->err);
	return r < 0 ? r : tagfile_keep(applied, to, ref, op->hive->wall_s(), &op->err);
}

static int remove_applied(struct op *op)
{
	_cleanup_free_ char *parent = str_format("%s/applied", op->hive->config->state_dir);

	return repo_remove(parent, op->agent->settings.name, &op->err);
}

static void end(struct op *op)
{
	_cleanup_free_ char *name = str_dup(op->agent->settings.name);
	struct hive *hive = op->hive;

	if (hive->keep_socket)
		hive->keep_socket(hive, name, -1);
	op->removes = true;
	op_finish(op, op->r);
	event_removed(hive, name);
	request_mark_stale(hive); /* what was to be made from it */
}

static void on_purged(struct op *op)
{
	_cleanup_free_ char *message = str_format("purge %s", op->agent->settings.name);

	if (op->r == 0)
		op->r = remove_applied(op);
	if (op->r < 0) {
		op->removes = true; /* what is left on disk is still reserved, and can be purged
				       again */
		op_finish(op, op->r);
		return;
	}
	hive_unkeep(op->hive, op->agent->settings.name);
	hive_drop_proposals(op->hive, op->agent->settings.name);
	op->r = meta_commit(op->hive, message, &op->err);
	end(op);
}

/*
 * It could not be destroyed: the agent is as alive as it is wanted, but its container and its
 * socket may be gone.
 */
static void stay(struct op *op)
{
	op->agent->dying = false;
	server_forget_agent(op->agent);
	if (!op->removes)
		lifecycle_open_socket(op->hive, op->agent);
	op_finish(op, op->r);
}

/* The entry goes first; port and ids stay reserved until nothing of the agent is left. */
static void on_destroyed(struct op *op)
{
	struct settings *s = &op->agent->settings;
	_cleanup_free_ char *message = str_format("destroy %s", s->name);

	crash_point("container-gone");
	if (op->r == 0)
		op->r = cancel_proposals(op);
	if (op->r == 0 && op->purge)
		op->r = keep_record(op);
	if (op->r < 0) {
		stay(op);
		return;
	}
	crash_point("record-kept");
	op->agent->unborn = true; /* no entry any more */
	hive_keep(op->hive, s->name, s->port, s->uid_base);
	op->r = meta_commit(op->hive, message, &op->err);
	if (op->r < 0) {
		hive_unkeep(op->hive, s->name);
		op->agent->unborn = false;
		stay(op);
		return;
	}
	crash_point("entry-gone");
	if (op->purge)
		op_call(op, "purge", container_arguments(op->agent, NULL), NULL, 0, on_purged);
	else
		end(op);
}

static void begin(struct op *op)
{
	op_call(op, "destroy", container_arguments(op->agent, NULL), NULL, 0, on_destroyed);
}

int lifecycle_destroy(struct hive *hive, struct agent *agent, bool purge,
		      const struct actor *actor, struct op **ret, struct error *err)
{
	(void)hive;
	if (agent->dying)
		return error_set_code(err, EBUSY, "wrong_state",
				      "'%s' is being destroyed already", agent->settings.name);
	if (agent->moving || agent->changing)
		return lifecycle_refuse_dying(agent, err);
	agent->dying = true;
	submit_abandon(agent);
	owed_cancel(agent);
	*ret = op_add(agent, "destroy", actor, begin);
	(*ret)->purge = purge;
	(*ret)->removes =
		agent->unborn; /* one that was destroyed before is only here to be purged */
	return 0;
}
