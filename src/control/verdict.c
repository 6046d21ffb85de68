#include "control/verdict.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/json.h"
#include "control/deploy.h"
#include "control/request.h"
#include "control/submit.h"
#include "git/commit.h"
#include "git/refs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int check_moved(const char *what, const char *seen, const char *is, int64_t id,
		       struct error *err)
{
	int r;

	if (!seen || strcmp(seen, is) == 0)
		return 0;
	r = error_set_code(err, ESTALE, "stale",
			   "proposal %" PRId64
			   ": its %s is %.*s, not the %.*s that was looked at",
			   id, what, OID_SHORT, is[0] ? is : "nothing", OID_SHORT, seen);
	error_hint(err, "look again: skep diff %" PRId64, id);
	return r;
}

static int check_binding(const struct proposal *p, const struct binding *b, struct error *err)
{
	int r;

	if ((r = check_moved("commit", b->commit, p->commit, p->id, err)) < 0 ||
	    (r = check_moved("tree", b->tree, p->tree, p->id, err)) < 0)
		return r;
	return check_moved("base", b->base, p->base, p->id, err);
}

static int check_flags(const struct proposal *p, const struct binding *b, struct error *err)
{
	_cleanup_buf_ struct buf missing = {};

	for (size_t i = 0; i < p->flags.count; i++) {
		const struct flag *f = &p->flags.items[i];

		if (flag_strength(f->kind) == FLAG_BLOCK) {
			int r = error_set_code(err, EPERM, "blocked",
					       "proposal %" PRId64
					       " cannot be approved: %s (%s%s%s)",
					       p->id, flag_sentence(f->kind),
					       flag_name(f->kind), f->place[0] ? ": " : "",
					       f->place);

			error_hint(err, "skep deny %" PRId64 " -m REASON", p->id);
			return r;
		}
		if (json_holds(b->flags_ack, flag_name(f->kind)) ||
		    strstr(buf_str(&missing), flag_name(f->kind)))
			continue;
		buf_addf(&missing, "%s--ack %s", missing.size ? " " : "", flag_name(f->kind));
	}
	if (missing.size) {
		int r = error_set_code(err, EPERM, "needs_ack",
				       "proposal %" PRId64
				       " has flags that an approval must name: %s",
				       p->id, missing.data);

		error_hint(err, "skep proposals; skep diff %" PRId64, p->id);
		return r;
	}
	return 0;
}

/* What it says it saw is what the proposal is. */
static bool is_bound_to(const struct binding *b, const struct proposal *p)
{
	return (!b->commit || strcmp(b->commit, p->commit) == 0) &&
	       (!b->tree || strcmp(b->tree, p->tree) == 0) &&
	       (!b->base || strcmp(b->base, p->base) == 0);
}

/*
 * 1: this very verdict was given already, and whatever became of it, its answer is the same; 0:
 * go on; negative: the key was used for something else.
 */
static int check_idem(const struct hive *hive, const struct proposal *p, bool approve,
		      const struct binding *b, struct error *err)
{
	if (!b->idem_key)
		return 0;
	for (size_t i = 0; i < hive->n_proposals; i++) {
		const struct proposal *other = hive->proposals[i];

		if (!other->idem_key || strcmp(other->idem_key, b->idem_key) != 0)
			continue;
		if (other == p && approve == (p->state != PROPOSAL_DENIED) && is_bound_to(b, p))
			return 1;
		return error_set_code(
			err, EEXIST, "idem_mismatch",
			"this idem_key was used for another verdict, on proposal %" PRId64,
			other->id);
	}
	return 0;
}

static int refuse_state(const struct proposal *p, struct error *err)
{
	const char *code = p->state == PROPOSAL_STALE        ? "stale"
			   : p->state == PROPOSAL_SUPERSEDED ? "superseded"
			   : submit_is_expired(p)            ? "expired"
							     : "wrong_state";

	return error_set_code(err, ESTALE, code, "proposal %" PRId64 " is %s%s%s", p->id,
			      proposal_state_name(p), p->note ? ": " : "",
			      p->note ? p->note : "");
}

static bool was_approved(const struct proposal *p)
{
	return p->state == PROPOSAL_APPROVED || p->state == PROPOSAL_BUILDING ||
	       p->state == PROPOSAL_DEPLOYED || p->state == PROPOSAL_FAILED;
}

static int check_request(struct hive *hive, struct proposal *p, struct error *err)
{
	submit_expire(hive);
	request_mark_stale(hive);
	return proposal_is_pending(p) ? request_check(hive, p, err) : refuse_state(p, err);
}

static int check_now(struct hive *hive, struct proposal *p, struct error *err)
{
	struct agent *agent;
	int r;

	if (proposal_is_of_hive(p))
		return check_request(hive, p, err);
	r = hive_get(hive, p->agent, &agent, err);

	if (r < 0)
		return r;
	r = lifecycle_refuse_dying(agent, err);
	if (r < 0)
		return r;
	submit_expire(hive);
	if (strcmp(agent->settings.revision, p->base) != 0)
		ledger_mark_stale(hive, agent);
	else if (proposal_is_pending(p))
		return 0;
	if (proposal_is_pending(p))
		return error_set(err, EIO, "cannot record that proposal %" PRId64 " is stale",
				 p->id);
	return refuse_state(p, err);
}

int verdict_approve(struct hive *hive, struct proposal *p, const struct binding *b,
		    const struct actor *actor, bool *ret_already, struct op **ret_op,
		    struct error *err)
{
	struct verdict verdict = {
		.actor = actor,
		.note = b->note,
		.idem_key = b->idem_key,
		.acks = b->flags_ack,
		.build_ms = -1,
		.downtime_ms = -1,
	};
	int r = check_idem(hive, p, true, b, err);

	*ret_already = r > 0;
	if (r != 0)
		return r < 0 ? r : 0;
	if ((r = check_binding(p, b, err)) < 0)
		return r;
	if (was_approved(p)) {
		*ret_already = true;
		return 0;
	}
	if (!proposal_is_pending(p))
		return refuse_state(p, err);
	if (!b->commit && !hive->config->unbound_verdicts)
		return error_set(err, EINVAL,
				 "'commit' is missing: this hive takes no unbound verdict");
	if ((r = check_now(hive, p, err)) < 0 || (r = check_flags(p, b, err)) < 0 ||
	    (r = ledger_decide(hive, p, PROPOSAL_APPROVED, &verdict, err)) < 0)
		return r;
	crash_point("approved");
	*ret_op = proposal_is_of_hive(p) ? request_carry_out(hive, p, actor)
					 : deploy_add(hive, p, actor);
	return 0;
}

int verdict_deny(struct hive *hive, struct proposal *p, const struct binding *b,
		 const struct actor *actor, bool *ret_already, struct error *err)
{
	struct verdict verdict = {
		.actor = actor,
		.note = b->note,
		.idem_key = b->idem_key,
		.build_ms = -1,
		.downtime_ms = -1,
	};
	int r = check_idem(hive, p, false, b, err);

	*ret_already = r > 0;
	if (r != 0)
		return r < 0 ? r : 0;
	if ((r = check_binding(p, b, err)) < 0)
		return r;
	if (p->state == PROPOSAL_DENIED) {
		*ret_already = true;
		return 0;
	}
	if (!proposal_is_pending(p))
		return refuse_state(p, err);
	r = ledger_decide(hive, p, PROPOSAL_DENIED, &verdict, err);
	if (r == 0)
		crash_point("denied");
	return r;
}

/* The commit of deployed/K, or of the deploy before the present one when to is negative. */
static int find_target(struct hive *hive, struct agent *agent, struct repo *repo, int64_t *to,
		       char ret[OID_HEX_SIZE], struct error *err)
{
	const struct settings *s = &agent->settings;
	char ref[64], oid[OID_HEX_SIZE];
	int r;

	if (*to < 0) {
		*to = s->deployed > 0 ? 0 : -1;
		for (size_t i = 0; i < hive->n_proposals; i++) {
			const struct proposal *p = hive->proposals[i];

			if (p->state == PROPOSAL_DEPLOYED && !proposal_is_of_hive(p) &&
			    p->id < s->deployed && strcmp(p->agent, s->name) == 0)
				*to = p->id;
		}
	}
	if (*to < 0)
		return error_set_code(err, ESTALE, "wrong_state",
				      "'%s' has only ever run deployed/%" PRId64, s->name,
				      s->deployed);
	if (*to == s->deployed)
		return error_set_code(err, ESTALE, "wrong_state",
				      "'%s' runs deployed/%" PRId64 " already", s->name, *to);
	snprintf(ref, sizeof(ref), "refs/tags/deployed/%" PRId64, *to);
	r = refs_read(repo, ref, oid, err);
	if (r == -ENOENT) {
		error_set(err, ENOENT, "'%s' has no deployed/%" PRId64, s->name, *to);
		error_hint(err, "skep history %s", s->name);
	}
	return r < 0 ? r : repo_peel_commit(repo, oid, ret, err);
}

static int make_rollback(struct hive *hive, struct agent *agent, int64_t to,
			 struct proposal **ret, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_free_ char *message = NULL;
	const struct settings *s = &agent->settings;
	char target[OID_HEX_SIZE];
	struct proposal *p;
	int r = hive_open_applied(hive, s->name, &repo, err);

	if (r < 0)
		return r;
	r = find_target(hive, agent, repo, &to, target, err);
	if (r < 0)
		return r;
	p = proposal_new(0, s->name);
	memcpy(p->base, s->revision, sizeof(p->base));
	p->rollback_of = to;
	message = str_format("roll back %s to deployed/%" PRId64 "\n\nThe tree of %s again.\n",
			     s->name, to, target);
	p->title = str_format("roll back %s to deployed/%" PRId64, s->name, to);
	r = repo_commit_tree(repo, target, p->tree, err);
	if (r == 0)
		r = commit_tree(repo, p->tree, s->revision, message, hive->wall_s(), p->commit,
				err);
	if (r < 0) {
		proposal_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

int verdict_rollback(struct hive *hive, struct agent *agent, int64_t to, const char *note,
		     const struct actor *actor, struct proposal **ret, struct op **ret_op,
		     struct error *err)
{
	struct binding binding = {.note = note};
	struct proposal *p = NULL;
	bool already;
	int r;

	r = lifecycle_refuse_dying(agent, err);
	if (r < 0)
		return r;
	r = make_rollback(hive, agent, to, &p, err);
	if (r < 0)
		return r;
	p->submitter = str_dup(actor->name);
	r = submit_record(hive, p, actor, err);
	if (r < 0) {
		proposal_free(p);
		return r;
	}
	*ret = p;
	binding.commit = p->commit;
	return verdict_approve(hive, p, &binding, actor, &already, ret_op, err);
}
