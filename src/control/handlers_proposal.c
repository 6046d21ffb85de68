/* Verbs that look at proposals: lists, one with its history, all of an agent. */
#include "control/dispatch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "control/rows.h"
#include "control/seen.h"
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
#define HISTORY_ROWS 50
#define HISTORY_ROWS_MAX 200

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
	struct trailers trailers;
	struct tag tag;

	snprintf(ref, sizeof(ref), "refs/tags/proposal/%" PRId64, p->id);
	if (refs_read(repo, ref, oid, NULL) < 0 || tag_read(repo, oid, &tag, NULL) < 0)
		return view_flags(&p->flags);
	trailers_read(&trailers, buf_str(&tag.message));
	ledger_read(whole, PROPOSAL_REVIEW, &trailers, tag.wall_s);
	tag_release(&tag);
	return view_flags(&whole->flags);
}

static int put_commit(json_t *row, struct repo *repo, const struct proposal *p,
		      struct error *err)
{
	_cleanup_free_ char *title = NULL, *author = NULL;
	int r = repo_commit_summary(repo, p->commit, &title, &author, err);

	if (r < 0)
		return r;
	json_object_set_new(row, "commit_title", json_string(title));
	json_object_set_new(row, "author", json_string(author));
	return 0;
}

int handle_proposal(struct session *s, const json_t *request, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_(json_decrefp) json_t *row = NULL;
	_cleanup_free_ char *log = NULL;
	struct proposal *p;
	struct stat st;
	int r;

	if ((r = dispatch_proposal(s, request, &p, err)) < 0 ||
	    (r = hive_open_home(s->hive, p, &repo, err)) < 0)
		return r;
	row = row_proposal(s->hive, p);
	if ((r = put_commit(row, repo, p, err)) < 0)
		return r;
	json_object_set_new(row, "flags", all_flags(repo, p));
	json_object_set_new(row, "history", proposal_history(repo, p->id));
	log = hive_log_path(s->hive, p->id);
	json_object_set_new(row, "log_bytes",
			    json_integer(stat(log, &st) == 0 ? st.st_size : 0));
	seen_put(s, p, row);
	session_answer(s, answer_with("proposal", TAKE_PTR(row)));
	return 0;
}

int handle_seen(struct session *s, const json_t *request, struct error *err)
{
	struct proposal *p;
	int r = dispatch_proposal(s, request, &p, err);

	if (r < 0)
		return r;
	seen_mark(s, p);
	session_answer(s, answer_ok());
	return 0;
}

/* ---- all of an agent ---- */

/* The same as a proposal's history, under the names that git shows. */
static json_t *tags_of(struct repo *repo, int64_t id)
{
	json_t *list = proposal_history(repo, id), *tag;
	size_t i;

	json_array_foreach (list, i, tag) {
		json_object_set_new(
			tag, "name",
			json_sprintf("%s/%" PRId64,
				     json_string_value(json_object_get(tag, "state")), id));
		json_object_del(tag, "state");
	}
	return list;
}

/* What an agent began with: deployed/0 and no proposal. */
static json_t *first_entry(struct repo *repo, const char *agent)
{
	char oid[OID_HEX_SIZE], commit[OID_HEX_SIZE];
	_cleanup_free_ char *title = NULL, *author = NULL;
	json_t *entry;

	if (refs_read(repo, "refs/tags/deployed/0", oid, NULL) < 0 ||
	    repo_peel_commit(repo, oid, commit, NULL) < 0 ||
	    repo_commit_summary(repo, commit, &title, &author, NULL) < 0)
		return NULL;
	entry = json_pack("{s:i,s:s,s:s,s:s,s:s}", "id", 0, "agent", agent, "status",
			  "approved", "state", "deployed", "commit", commit);
	json_put_str(entry, "title", title);
	json_object_set_new(entry, "tags", tags_of(repo, 0));
	return entry;
}

static json_t *history_row(struct hive *hive, const struct proposal *p)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	json_t *row = row_proposal(hive, p);

	if (hive_open_home(hive, p, &repo, NULL) == 0)
		json_object_set_new(row, "tags", tags_of(repo, p->id));
	return row;
}

int handle_agent_history(struct session *s, const json_t *request, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int64_t before = INT64_MAX, limit = HISTORY_ROWS;
	struct agent *agent;
	json_t *list, *first;
	int r;

	if ((r = dispatch_agent(s, request, "name", &agent, err)) < 0 ||
	    (r = json_get_int(request, "before", false, 1, INT64_MAX, &before, err)) < 0 ||
	    (r = json_get_int(request, "limit", false, 1, HISTORY_ROWS_MAX, &limit, err)) < 0 ||
	    (r = hive_open_applied(s->hive, agent->settings.name, &repo, err)) < 0)
		return r;
	list = json_array();
	for (size_t i = s->hive->n_proposals; i > 0 && (int64_t)json_array_size(list) < limit;
	     i--) {
		const struct proposal *p = s->hive->proposals[i - 1];

		if (p->id < before && strcmp(p->agent, agent->settings.name) == 0)
			json_array_append_new(list, history_row(s->hive, p));
	}
	first = (int64_t)json_array_size(list) < limit ? first_entry(repo, agent->settings.name)
						       : NULL;
	if (first)
		json_array_append_new(list, first);
	session_answer(s, answer_with("history", list));
	return 0;
}
