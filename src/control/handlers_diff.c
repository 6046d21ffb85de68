/* diff: a proposal against what it was made on, runs now, was looked at last or was proposed
 * earlier; and any two states an agent was in, for a look at what going back would change. */
#include "control/dispatch.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "control/request.h"
#include "control/rows.h"
#include "control/seen.h"
#include "control/worker.h"
#include "git/refs.h"
#include "wire/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* At once, for others than operators on their own socket: agents and readers leave room for
 * browsers. */
#define DIFFS_AT_ONCE 4
#define DIFFS_AT_ONCE_WEB 8
#define DIFFS_AT_ONCE_AGENT 2 /* of those */

/* One end of a comparison. */
struct end {
	char commit[OID_HEX_SIZE]; /* "": nothing at all */
	char label[48];
};

struct diff_request {
	void *session;
	struct hive *hive;
	bool counts;
	char asker[AGENT_NAME_MAX + 1]; /* an agent; "": somebody else */
	int64_t id;                     /* of a proposal; 0: two states of an agent */
	char agent[AGENT_NAME_MAX + 1];
	struct end from, to;
};

/* ---- what is compared ---- */

/* What runs now. */
static void find_now(const struct hive *hive, const char *name, struct end *ret)
{
	const struct agent *agent = hive_find(hive, name);

	snprintf(ret->commit, sizeof(ret->commit), "%s", agent ? agent->settings.revision : "");
	snprintf(ret->label, sizeof(ret->label), "deployed/%" PRId64,
		 agent ? agent->settings.deployed : -1);
}

/* What an agent began with has no proposal. */
static int find_first(const struct hive *hive, const char *agent, struct end *ret,
		      struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char oid[OID_HEX_SIZE];
	int r = hive_open_applied(hive, agent, &repo, err);

	if (r == 0)
		r = refs_read(repo, "refs/tags/deployed/0", oid, err);
	if (r == 0)
		r = repo_peel_commit(repo, oid, ret->commit, err);
	snprintf(ret->label, sizeof(ret->label), "deployed/0");
	return r;
}

static int find_proposed(const struct hive *hive, const char *agent, int64_t id,
			 struct end *ret, struct error *err)
{
	struct proposal *p;
	int r;

	if (id == 0)
		return find_first(hive, agent, ret, err);
	r = hive_get_proposal(hive, id, &p, err);
	if (r < 0)
		return r;
	if (strcmp(p->agent, agent) != 0 || proposal_is_of_hive(p))
		return error_set(err, EINVAL, "proposal %" PRId64 " is of '%s', not of '%s'",
				 p->id, p->agent, agent);
	memcpy(ret->commit, p->commit, sizeof(ret->commit));
	snprintf(ret->label, sizeof(ret->label), "proposal/%" PRId64, p->id);
	return 0;
}

static int find_seen(const struct session *s, const struct proposal *p, struct end *ret,
		     struct error *err)
{
	int64_t id = seen_before(s, p);

	if (id == 0)
		return error_set(err, ENOENT,
				 "you have looked at no proposal of '%s' before %" PRId64,
				 p->agent, p->id);
	return find_proposed(s->hive, p->agent, id, ret, err);
}

static bool is_word(const json_t *value, const char *word)
{
	return json_is_string(value) && strcmp(json_string_value(value), word) == 0;
}

/* The base at submit, what is deployed now, what was looked at last, or another proposal. */
static int find_against(struct session *s, const struct proposal *p, const json_t *against,
			struct end *ret, struct error *err)
{
	if (!against) {
		memcpy(ret->commit, p->base, sizeof(ret->commit));
		snprintf(ret->label, sizeof(ret->label), "base");
		return 0;
	}
	if (proposal_is_of_hive(p))
		return error_set(err, EINVAL,
				 "proposal %" PRId64 " is compared with the hive as it was",
				 p->id);
	if (is_word(against, "seen"))
		return find_seen(s, p, ret, err);
	if (json_is_integer(against))
		return find_proposed(s->hive, p->agent, json_integer_value(against), ret, err);
	if (!is_word(against, "deployed"))
		return error_set(err, EINVAL,
				 "'against' must be \"deployed\", \"seen\" or a proposal's "
				 "number");
	find_now(s->hive, p->agent, ret);
	return 0;
}

/* Something that ran once: a number K of deployed/K, or "deployed" for what runs now. */
static int find_deployed(const struct hive *hive, const char *agent, const json_t *which,
			 const char *key, struct end *ret, struct error *err)
{
	const struct proposal *p;
	int64_t id;
	int r;

	if (!which || is_word(which, "deployed")) {
		find_now(hive, agent, ret);
		return 0;
	}
	if (!json_is_integer(which))
		return error_set(err, EINVAL,
				 "'%s' must be \"deployed\" or the number of a deploy", key);
	id = json_integer_value(which);
	p = hive_find_proposal(hive, id);
	if (id != 0 && (!p || p->state != PROPOSAL_DEPLOYED || strcmp(p->agent, agent) != 0))
		return error_set(err, ENOENT, "'%s' has no deployed/%" PRId64, agent, id);
	r = find_proposed(hive, agent, id, ret, err);
	if (r == 0)
		snprintf(ret->label, sizeof(ret->label), "deployed/%" PRId64, id);
	return r;
}

static int read_proposal(struct session *s, const json_t *request, struct diff_request *d,
			 char **ret_home, struct error *err)
{
	struct proposal *p;
	int r = dispatch_proposal(s, request, &p, err);

	if (r == 0)
		r = find_against(s, p, json_object_get(request, "against"), &d->from, err);
	if (r < 0)
		return r;
	d->id = p->id;
	memcpy(d->to.commit, p->commit, sizeof(d->to.commit));
	*ret_home = hive_home_dir(s->hive, p);
	return 0;
}

static int read_states(struct session *s, const json_t *request, struct diff_request *d,
		       char **ret_home, struct error *err)
{
	struct agent *agent;
	const char *name;
	int r = dispatch_agent(s, request, "name", &agent, err);

	if (r < 0)
		return r;
	name = agent->settings.name;
	if ((r = find_deployed(s->hive, name, json_object_get(request, "from"), "from",
			       &d->from, err)) < 0 ||
	    (r = find_deployed(s->hive, name, json_object_get(request, "to"), "to", &d->to,
			       err)) < 0)
		return r;
	snprintf(d->agent, sizeof(d->agent), "%s", name);
	*ret_home = hive_applied_dir(s->hive, name);
	return 0;
}

/* ---- the answer ---- */

/* What it was proposed on is not what is there now. The hive's own record moves all the time:
 * what counts there is whether the request still can be carried out. */
static bool has_moved(struct hive *hive, const struct proposal *p)
{
	const struct agent *agent = hive_find(hive, p->agent);

	if (proposal_is_of_hive(p))
		return proposal_is_pending(p) && request_check(hive, p, NULL) < 0;
	return agent && strcmp(agent->settings.revision, p->base) != 0;
}

static json_t *view_end(const struct end *end)
{
	json_t *o = json_pack("{s:s}", "label", end->label);

	if (end->commit[0])
		json_object_set_new(o, "commit", json_string(end->commit));
	return o;
}

static json_t *view_diff(const struct diff_request *d, const struct session *s,
			 const struct proposal *p, const json_t *result)
{
	json_t *diff = json_object(), *row;

	if (p) {
		row = row_proposal(d->hive, p);
		seen_put(s, p, row);
		json_object_set_new(diff, "proposal", row);
	} else {
		json_object_set_new(diff, "agent", json_string(d->agent));
		json_object_set_new(diff, "to", view_end(&d->to));
	}
	json_object_set_new(diff, "against", view_end(&d->from));
	if (p)
		json_object_set_new(diff, "base_moved", json_boolean(has_moved(d->hive, p)));
	json_object_update_missing(diff, (json_t *)result);
	json_object_del(diff, "ok");
	return diff;
}

/* An agent of its name that was spawned meanwhile has asked for less. */
static void release(struct diff_request *d)
{
	struct agent *asker = d->asker[0] ? hive_find(d->hive, d->asker) : NULL;

	if (asker && asker->diffs > 0)
		asker->diffs--;
	d->hive->diffs -= d->counts;
}

static int check_room(const struct session *s, struct error *err)
{
	const struct agent *asker = s->agent[0] ? hive_find(s->hive, s->agent) : NULL;
	size_t most = s->who == PRINCIPAL_WEB ? DIFFS_AT_ONCE_WEB : DIFFS_AT_ONCE;

	if (asker && asker->diffs >= DIFFS_AT_ONCE_AGENT)
		return error_set(
			err, EBUSY,
			"%d differences are being made for '%s' already, and no more may",
			DIFFS_AT_ONCE_AGENT, s->agent);
	if (s->who != PRINCIPAL_OPERATOR && s->hive->diffs >= most)
		return error_set(err, EBUSY,
				 "%zu differences are being made already, and no more may",
				 most);
	return 0;
}

static void reserve(struct diff_request *d, const struct session *s)
{
	struct agent *asker = s->agent[0] ? hive_find(s->hive, s->agent) : NULL;

	d->session = session_ref(s);
	d->hive = s->hive;
	d->counts = s->who != PRINCIPAL_OPERATOR;
	d->hive->diffs += d->counts;
	if (!asker)
		return;
	asker->diffs++;
	snprintf(d->asker, sizeof(d->asker), "%s", s->agent);
}

static void on_diff(const json_t *result, const struct error *err, void *data)
{
	struct diff_request *d = data;
	struct session *s = session_found(d->session);
	const struct proposal *p = hive_find_proposal(d->hive, d->id);
	struct error gone = {};

	release(d);
	if (s && d->id > 0 && !p) {
		error_set(&gone, ENOENT, "no proposal %" PRId64, d->id);
		session_fail(s, &gone);
	} else if (s && !result) {
		session_fail(s, err);
	} else if (s) {
		session_answer(s, answer_with("diff", view_diff(d, s, p, result)));
	}
	free(d);
}

int handle_diff(struct session *s, const json_t *request, struct error *err)
{
	struct diff_request *d = mem_new(1, sizeof(*d));
	bool keep = s->who == PRINCIPAL_WEB; /* a browser shows each character */
	_cleanup_free_ char *home = NULL;
	int r = check_room(s, err);

	if (r == 0)
		r = json_object_get(request, "id") ? read_proposal(s, request, d, &home, err)
						   : read_states(s, request, d, &home, err);
	if (r < 0) {
		free(d);
		return r;
	}
	reserve(d, s);
	worker_diff(s->hive, keep, home, d->from.commit, d->to.commit, on_diff, d);
	return HANDLED_LATER;
}
