/* Verbs on proposals: submit, withdraw, approve, deny, roll back. */
#include "control/waiting.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "control/cancel.h"
#include "control/deploy.h"
#include "control/rows.h"
#include "control/seen.h"
#include "control/submit.h"
#include "control/verdict.h"
#include "model/oid.h"
#include "wire/answer.h"
#include "wire/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_submitted(struct proposal *proposal, bool already, const struct error *err,
			 void *data)
{
	struct session *s = session_found(data);
	json_t *answer;

	if (!s)
		return;
	if (!proposal) {
		session_fail(s, err);
		return;
	}
	answer = answer_with("proposal", row_proposal(s->hive, proposal));
	if (already)
		json_object_set_new(answer, "already", json_true());
	session_answer(s, answer);
}

int handle_submit(struct session *s, const json_t *request, struct error *err)
{
	const char *commit = NULL, *description = NULL;
	struct agent *agent;
	void *ref;
	int r;

	if ((r = dispatch_agent(s, request, "agent", &agent, err)) < 0 ||
	    (r = json_get_str(request, "commit", true, &commit, err)) < 0 ||
	    (r = json_get_str(request, "description", false, &description, err)) < 0)
		return r;
	ref = session_ref(s);
	r = submit_commit(s->hive, agent, commit, description, &s->actor, on_submitted, ref,
			  err);
	if (r < 0) {
		free(ref);
		return r;
	}
	return HANDLED_LATER;
}

static int read_note(const json_t *request, const char **ret, struct error *err)
{
	int r = json_get_str(request, "note", false, ret, err);

	if (r == 0 && *ret && strlen(*ret) > NOTE_MAX_BYTES)
		return error_set(err, E2BIG, "'note' has %zu bytes, more than %d", strlen(*ret),
				 NOTE_MAX_BYTES);
	return r;
}

/* Approved, and built before anything else happens. */
static bool can_be_cancelled(const struct proposal *p)
{
	return (!proposal_is_of_hive(p) || p->kind == PROPOSAL_UPDATE_INPUTS ||
		p->kind == PROPOSAL_RENAME) &&
	       !proposal_is_pending(p) && !proposal_is_final(p);
}

int handle_withdraw(struct session *s, const json_t *request, struct error *err)
{
	const char *note = NULL;
	struct proposal *p;
	int r;

	if ((r = dispatch_proposal(s, request, &p, err)) < 0 ||
	    (r = read_note(request, &note, err)) < 0)
		return r;
	/* what an operator approved is for operators to take back */
	if (!s->agent[0] && can_be_cancelled(p))
		r = cancel_deploy(s->hive, p, note ? note : "cancelled", &s->actor, err);
	else
		r = submit_withdraw(s->hive, p, note ? note : "withdrawn", &s->actor, err);
	if (r < 0)
		return r;
	session_answer(s, answer_with("proposal", row_proposal(s->hive, p)));
	return 0;
}

static int read_oid(const json_t *request, const char *key, const char **ret, struct error *err)
{
	int r = json_get_str(request, key, false, ret, err);

	if (r == 0 && *ret && !oid_is_valid(*ret))
		return error_set(err, EINVAL, "'%s' must be 40 lower-case hexadecimal digits",
				 key);
	return r;
}

/* It comes back from the record unchanged. */
static bool is_plain_key(const char *key)
{
	size_t n = strlen(key);

	for (const char *c = key; *c; c++)
		if (*c <= ' ' || *c >= 127)
			return false;
	return n > 0 && n <= IDEM_KEY_MAX_BYTES;
}

static int read_binding(const json_t *request, struct binding *b, struct error *err)
{
	json_t *acks = NULL, *ack;
	enum flag_kind kind;
	size_t i;
	int r;

	*b = (struct binding){};
	if ((r = read_oid(request, "commit", &b->commit, err)) < 0 ||
	    (r = read_oid(request, "tree", &b->tree, err)) < 0 ||
	    (r = read_oid(request, "base", &b->base, err)) < 0 ||
	    (r = read_note(request, &b->note, err)) < 0 ||
	    (r = json_get_str(request, "idem_key", false, &b->idem_key, err)) < 0 ||
	    (r = json_get_array(request, "flags_ack", false, &acks, err)) < 0)
		return r;
	if (b->idem_key && !is_plain_key(b->idem_key))
		return error_set(err, EINVAL,
				 "'idem_key' must have 1 to %d letters, digits and signs",
				 IDEM_KEY_MAX_BYTES);
	json_array_foreach (acks, i, ack) {
		if (!json_is_string(ack))
			return error_set(err, EINVAL, "'flags_ack' must hold names of flags");
		r = flag_kind_parse(json_string_value(ack), &kind, err);
		if (r < 0)
			return r;
	}
	b->flags_ack = acks;
	return 0;
}

/* A verdict that was refused shows what is true now. */
static int refuse(struct session *s, const struct proposal *p, const struct error *err)
{
	json_t *answer = answer_error(err);

	json_object_set_new(answer, "now", row_proposal(s->hive, p));
	json_object_set_new(answer, "flags", view_flags(&p->flags));
	session_answer(s, answer);
	return 0;
}

/* NULL: it is of no single agent. */
static const char *touched_by(const struct proposal *p)
{
	return p->agent[0] ? p->agent : NULL;
}

int handle_approve(struct session *s, const json_t *request, struct error *err)
{
	bool already = false, wait = false;
	struct op *op = NULL;
	struct binding binding;
	struct proposal *p;
	int r;

	if ((r = dispatch_proposal(s, request, &p, err)) < 0 ||
	    (r = read_binding(request, &binding, err)) < 0 ||
	    (r = json_get_bool(request, "wait", false, &wait, err)) < 0)
		return r;
	r = verdict_approve(s->hive, p, &binding, &s->actor, &already, &op, err);
	if (r < 0)
		return refuse(s, p, err);
	if (!already)
		seen_decided(s, p);
	if (already && wait)
		op = deploy_of(s->hive, p);
	return answer_for(s, op, wait, touched_by(p), p->id, already);
}

int handle_deny(struct session *s, const json_t *request, struct error *err)
{
	struct binding binding;
	bool already = false;
	struct proposal *p;
	int r;

	if ((r = dispatch_proposal(s, request, &p, err)) < 0 ||
	    (r = read_binding(request, &binding, err)) < 0)
		return r;
	r = verdict_deny(s->hive, p, &binding, &s->actor, &already, err);
	if (r < 0)
		return refuse(s, p, err);
	if (!already)
		seen_decided(s, p);
	return answer_for(s, NULL, false, touched_by(p), p->id, already);
}

int handle_rollback(struct session *s, const json_t *request, struct error *err)
{
	struct proposal *p = NULL;
	const char *note = NULL;
	struct agent *agent;
	bool wait = false;
	struct op *op = NULL;
	int64_t to = -1;
	int r;

	if ((r = dispatch_agent(s, request, "name", &agent, err)) < 0 ||
	    (r = json_get_int(request, "to", false, 0, INT64_MAX, &to, err)) < 0 ||
	    (r = read_note(request, &note, err)) < 0 ||
	    (r = json_get_bool(request, "wait", false, &wait, err)) < 0 ||
	    (r = verdict_rollback(s->hive, agent, to, note, &s->actor, &p, &op, err)) < 0)
		return r;
	return answer_for(s, op, wait, p->agent, p->id, false);
}
