/* Verbs that look at proposals: lists, one with its history, differences. */
#include "control/dispatch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "control/request.h"
#include "control/rows.h"
#include "control/worker.h"
#include "git/refs.h"
#include "git/tag.h"
#include "model/entry.h"
#include "wire/answer.h"
#include "wire/view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LIST_MAX 1000
#define DIFFS_AT_ONCE 4 /* for others than operators */

struct filter {
	const char *agent;
	const json_t *status, *kinds; /* arrays; NULL: all or pending only; every kind */
	bool all;
	int64_t id, before, limit; /* id 0: any */
};

static int read_filter(const json_t *request, struct filter *f, struct error *err)
{
	json_t *status = json_object_get(request, "status");
	json_t *kinds = NULL;
	int r;

	*f = (struct filter){.before = INT64_MAX, .limit = LIST_MAX};
	if (json_is_array(status))
		f->status = status;
	else if (json_is_string(status) && strcmp(json_string_value(status), "all") == 0)
		f->all = true;
	else if (status)
		return error_set(err, EINVAL, "'status' must be \"all\" or a list of states");
	if ((r = json_get_str(request, "agent", false, &f->agent, err)) < 0 ||
	    (r = json_get_array(request, "kind", false, &kinds, err)) < 0 ||
	    (r = json_get_int(request, "id", false, 1, INT64_MAX, &f->id, err)) < 0 ||
	    (r = json_get_int(request, "before", false, 1, INT64_MAX, &f->before, err)) < 0 ||
	    (r = json_get_int(request, "limit", false, 1, LIST_MAX, &f->limit, err)) < 0)
		return r;
	f->kinds = kinds;
	return f->agent ? name_check(f->agent, err) : 0;
}

static bool matches(const struct filter *f, const struct proposal *p)
{
	if (f->id > 0)
		return p->id == f->id;
	if (p->id >= f->before || (f->agent && strcmp(f->agent, p->agent) != 0))
		return false;
	if (f->kinds && !json_holds(f->kinds, proposal_kind_name(p->kind)))
		return false;
	if (f->status)
		return json_holds(f->status, proposal_status_name(p)) ||
		       json_holds(f->status, proposal_state_name(p));
	return f->all || proposal_is_pending(p);
}

int handle_pending(struct session *s, const json_t *request, struct error *err)
{
	json_t *rows;
	struct filter filter;
	int r = read_filter(request, &filter, err);

	if (r < 0)
		return r;
	rows = json_array();
	/* the newest ones are chosen, the order is ascending */
	for (size_t i = s->hive->n_proposals;
	     i > 0 && (int64_t)json_array_size(rows) < filter.limit; i--) {
		const struct proposal *p = s->hive->proposals[i - 1];

		if (matches(&filter, p) && dispatch_sees_proposal(s, p))
			json_array_insert_new(rows, 0, row_proposal(s->hive, p));
	}
	session_answer(s, answer_with("approvals", rows));
	return 0;
}

static json_t *history_entry(struct repo *repo, const char *family, const char *oid)
{
	struct tag tag;
	json_t *entry = json_pack("{s:s}", "state", family);
	char at[CLOCK_TEXT_SIZE];

	if (tag_read(repo, oid, &tag, NULL) < 0)
		return entry; /* a lightweight mark has no more to tell */
	json_object_set_new(entry, "at", json_string(clock_format(at, tag.wall_s)));
	for (int i = 0; i < 2; i++) {
		static const char *const trailers[] = {"Skep-Actor", "Skep-Channel"};
		static const char *const keys[] = {"actor", "channel"};
		_cleanup_free_ char *value = entry_get(buf_str(&tag.message), trailers[i], 0);

		json_put_str(entry, keys[i], value);
	}
	if (strcmp(family, "proposal") != 0) {
		_cleanup_free_ char *note = entry_body(buf_str(&tag.message));

		if (note[0])
			json_put_str(entry, "note", note);
	}
	tag_release(&tag);
	return entry;
}

static json_t *proposal_history(struct repo *repo, int64_t id)
{
	json_t *list = json_array();

	for (int state = 0; state < PROPOSAL_STATE_COUNT; state++) {
		const char *family = proposal_tag_family((enum proposal_state)state);
		char ref[64], oid[OID_HEX_SIZE];

		snprintf(ref, sizeof(ref), "refs/tags/%s/%" PRId64, family, id);
		if (refs_read(repo, ref, oid, NULL) == 0)
			json_array_append_new(list, history_entry(repo, family, oid));
	}
	return list;
}

/* All flags of a proposal, as its tag has them: in memory a decided one keeps few. */
static json_t *all_flags(struct repo *repo, const struct proposal *p)
{
	_cleanup_(proposal_freep) struct proposal *whole = proposal_new(p->id, p->agent);
	char ref[64], oid[OID_HEX_SIZE];
	struct tag tag;

	snprintf(ref, sizeof(ref), "refs/tags/proposal/%" PRId64, p->id);
	if (refs_read(repo, ref, oid, NULL) < 0 || tag_read(repo, oid, &tag, NULL) < 0)
		return view_flags(&p->flags);
	ledger_read(whole, PROPOSAL_REVIEW, buf_str(&tag.message), tag.wall_s);
	tag_release(&tag);
	return view_flags(&whole->flags);
}

int handle_proposal(struct session *s, const json_t *request, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_free_ char *title = NULL, *author = NULL, *log = NULL;
	struct proposal *p;
	struct stat st;
	json_t *row;
	int r;

	if ((r = dispatch_proposal(s, request, &p, err)) < 0 ||
	    (r = hive_open_home(s->hive, p, &repo, err)) < 0 ||
	    (r = repo_commit_summary(repo, p->commit, &title, &author, err)) < 0)
		return r;
	row = row_proposal(s->hive, p);
	json_object_set_new(row, "commit_title", json_string(title));
	json_object_set_new(row, "author", json_string(author));
	json_object_set_new(row, "flags", all_flags(repo, p));
	json_object_set_new(row, "history", proposal_history(repo, p->id));
	log = hive_log_path(s->hive, p->id);
	json_object_set_new(row, "log_bytes",
			    json_integer(stat(log, &st) == 0 ? st.st_size : 0));
	session_answer(s, answer_with("proposal", row));
	return 0;
}

/* ---- diff ---- */

struct diff_request {
	void *session;
	struct hive *hive;
	bool counts;
	int64_t id;
	char against[OID_HEX_SIZE];
	char label[48];
};

/* What it was proposed on is not what is there now. The hive's own record moves all the time:
 * what counts there is whether the request still can be carried out. */
static bool has_moved(struct hive *hive, const struct proposal *p)
{
	const struct agent *agent = hive_find(hive, p->agent);

	if (proposal_is_of_hive(p))
		return proposal_is_pending(p) && request_check(hive, p, NULL) < 0;
	return agent && strcmp(agent->settings.revision, p->base) != 0;
}

static void on_diff(const json_t *result, const struct error *err, void *data)
{
	struct diff_request *d = data;
	struct session *s = session_found(d->session);
	const struct proposal *p = hive_find_proposal(d->hive, d->id);
	struct error gone = {};
	json_t *diff;

	d->hive->diffs -= d->counts;
	if (s && !p) {
		error_set(&gone, ENOENT, "no proposal %" PRId64, d->id);
		session_fail(s, &gone);
	} else if (s && !result) {
		session_fail(s, err);
	} else if (s) {
		diff = json_object();
		json_object_set_new(diff, "proposal", row_proposal(d->hive, p));
		json_object_set_new(diff, "against", json_pack("{s:s}", "label", d->label));
		if (d->against[0])
			json_object_set_new(json_object_get(diff, "against"), "commit",
					    json_string(d->against));
		json_object_set_new(diff, "base_moved", json_boolean(has_moved(d->hive, p)));
		json_object_update_missing(diff, (json_t *)result);
		json_object_del(diff, "ok");
		session_answer(s, answer_with("diff", diff));
	}
	free(d);
}

/* What a diff compares with: the base at submit, what is deployed now, or another proposal of
 * the same agent. */
/* What an agent began with has no proposal. */
static int find_first(const struct session *s, const char *agent, struct diff_request *d,
		      struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char oid[OID_HEX_SIZE];
	int r = hive_open_applied(s->hive, agent, &repo, err);

	if (r == 0)
		r = refs_read(repo, "refs/tags/deployed/0", oid, err);
	if (r == 0)
		r = repo_peel_commit(repo, oid, d->against, err);
	snprintf(d->label, sizeof(d->label), "deployed/0");
	return r;
}

static int find_against(struct session *s, const struct proposal *p, const json_t *against,
			struct diff_request *d, struct error *err)
{
	const struct agent *agent = hive_find(s->hive, p->agent);
	struct proposal *other;
	int r;

	if (!against) {
		memcpy(d->against, p->base, sizeof(d->against));
		snprintf(d->label, sizeof(d->label), "base");
		return 0;
	}
	if (proposal_is_of_hive(p))
		return error_set(err, EINVAL,
				 "proposal %" PRId64 " is compared with the hive as it was",
				 p->id);
	if (json_is_string(against) && strcmp(json_string_value(against), "deployed") == 0) {
		snprintf(d->against, sizeof(d->against), "%s",
			 agent ? agent->settings.revision : "");
		snprintf(d->label, sizeof(d->label), "deployed/%" PRId64,
			 agent ? agent->settings.deployed : -1);
		return 0;
	}
	if (!json_is_integer(against))
		return error_set(err, EINVAL,
				 "'against' must be \"deployed\" or a proposal's number");
	if (json_integer_value(against) == 0)
		return find_first(s, p->agent, d, err);
	r = hive_get_proposal(s->hive, json_integer_value(against), &other, err);
	if (r < 0)
		return r;
	if (strcmp(other->agent, p->agent) != 0 || proposal_is_of_hive(other))
		return error_set(err, EINVAL, "proposal %" PRId64 " is of '%s', not of '%s'",
				 other->id, other->agent, p->agent);
	memcpy(d->against, other->commit, sizeof(d->against));
	snprintf(d->label, sizeof(d->label), "proposal/%" PRId64, other->id);
	return 0;
}

int handle_diff(struct session *s, const json_t *request, struct error *err)
{
	struct diff_request *d = mem_new(1, sizeof(*d));
	_cleanup_free_ char *home = NULL;
	struct proposal *p;
	int r = dispatch_proposal(s, request, &p, err);

	d->counts = s->who != PRINCIPAL_OPERATOR && s->who != PRINCIPAL_WEB;
	if (r == 0 && d->counts && s->hive->diffs >= DIFFS_AT_ONCE)
		r = error_set(err, EBUSY, "%d differences are being made already",
			      DIFFS_AT_ONCE);
	if (r == 0)
		r = find_against(s, p, json_object_get(request, "against"), d, err);
	if (r < 0) {
		free(d);
		return r;
	}
	d->session = session_ref(s);
	d->hive = s->hive;
	d->id = p->id;
	d->hive->diffs += d->counts;
	home = hive_home_dir(s->hive, p);
	worker_diff(s->hive, home, d->against, p->commit, on_diff, d);
	return HANDLED_LATER;
}
