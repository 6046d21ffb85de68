#include "control/recover.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "control/candidate.h"
#include "control/container.h"
#include "control/generation.h"
#include "control/ledger.h"
#include "control/lifecycle.h"
#include "control/meta.h"
#include "control/op.h"
#include "control/owed.h"
#include "control/reconcile.h"
#include "control/rename.h"
#include "control/request.h"
#include "control/takeover.h"
#include "git/refs.h"
#include "git/tagbook.h"
#include "git/tagfile.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAIN "refs/heads/main"

struct scan {
	struct hive *hive;
	const char *agent; /* "": the tags are in meta and say whose they are */
	const char *dir;
	struct repo *repo;       /* opened when it is needed: mostly the book knows */
	struct tagbook *book;    /* NULL: none */
	char main[OID_HEX_SIZE]; /* where refs/heads/main is; "": nowhere */
	int64_t deployed;        /* highest deployed/N */
	char deployed_commit[OID_HEX_SIZE];
	struct error *err;
};

static void scan_release(struct scan *scan)
{
	repo_free(scan->repo);
}

/* The newest record tag of all is where the chain goes on. */
static void take_chain(struct hive *hive, const struct trailers *trailers, const char *oid)
{
	int64_t seq;

	if (trailer_get_int(trailers, "Skep-Seq", &seq) < 0 || seq <= hive->chain_seq)
		return;
	hive->chain_seq = seq;
	memcpy(hive->chain_head, oid, OID_HEX_SIZE);
}

static struct proposal *find_or_add(struct hive *hive, const char *agent, int64_t id)
{
	struct proposal *p = hive_find_proposal(hive, id);

	if (!p) {
		p = proposal_new(id, agent);
		hive_add_proposal(hive, p);
	}
	return p;
}

static void take_agent(struct proposal *p, const struct trailers *trailers)
{
	_cleanup_free_ char *agent = trailer_get(trailers, "Skep-Agent", 0);

	if (agent && name_check(agent, NULL) == 0)
		snprintf(p->agent, sizeof(p->agent), "%s", agent);
}

static int open_repo(struct scan *s)
{
	return s->repo ? 0 : repo_open(s->dir, &s->repo, s->err);
}

static int read_tag(struct scan *s, const char *oid, struct tag *ret)
{
	int r;

	if (s->book && tagbook_get(s->book, oid, ret) == 1)
		return 0;
	r = open_repo(s);
	if (r < 0)
		return r;
	return s->book ? tagbook_read(s->book, s->repo, oid, ret, s->err)
		       : tag_read(s->repo, oid, ret, s->err);
}

static int take_tag(struct scan *s, enum proposal_state state, int64_t id, const char *oid)
{
	struct trailers trailers;
	struct proposal *p;
	struct tag tag;
	int r = read_tag(s, oid, &tag);

	if (r < 0)
		return r;
	trailers_read(&trailers, buf_str(&tag.message));
	take_chain(s->hive, &trailers, oid);
	if (state == PROPOSAL_DEPLOYED && id > s->deployed) {
		s->deployed = id;
		memcpy(s->deployed_commit, tag.target, OID_HEX_SIZE);
	}
	if (id > 0) {
		p = find_or_add(s->hive, s->agent, id);
		if (!s->agent[0])
			take_agent(p, &trailers);
		ledger_read(p, state, &trailers, tag.wall_s);
		if (state > p->state)
			p->state = state;
	}
	tag_release(&tag);
	return 0;
}

static int on_tag(const char *name, const char *oid, void *data)
{
	struct scan *s = data;
	enum proposal_state state;
	int64_t id;
	int r;

	if (strcmp(name, MAIN) == 0)
		memcpy(s->main, oid, OID_HEX_SIZE);
	if (proposal_parse_ref(name, &state, &id) < 0)
		return 0; /* not one of ours; nobody else writes here, but nothing depends on it
			   */
	if (state == PROPOSAL_BUILDING) {
		struct proposal *p = find_or_add(s->hive, s->agent, id);

		if (state > p->state)
			p->state = state;
		return 0;
	}
	r = take_tag(s, state, id, oid);
	return r < 0 ? error_prefix(s->err, "%s of '%s'", name, s->agent) : 0;
}

/* deployed/N is the commit point: main and meta follow it. */
static int roll_forward(struct scan *s, struct error *err)
{
	struct agent *agent = hive_find(s->hive, s->agent);
	int r;

	if (s->deployed >= 0 && strcmp(s->main, s->deployed_commit) != 0) {
		r = open_repo(s);
		if (r == 0)
			r = refs_move(s->repo, MAIN, s->deployed_commit,
				      s->main[0] ? s->main : NULL, err);
		if (r < 0)
			return r;
	}
	if (!agent || s->deployed <= agent->settings.deployed)
		return 0;
	agent->settings.deployed = s->deployed;
	memcpy(agent->settings.revision, s->deployed_commit, OID_HEX_SIZE);
	agent->settings.system[0] = '\0';
	return 0;
}

static int scan_agent(struct hive *hive, const char *name, struct tagbook *book,
		      struct error *err)
{
	_cleanup_free_ char *dir = hive_applied_dir(hive, name);
	_cleanup_(scan_release) struct scan scan = {
		.hive = hive,
		.agent = name,
		.dir = dir,
		.book = book,
		.deployed = -1,
		.err = err,
	};
	int r, removed = 0, locks = 0;

	if ((r = repo_recover_objects(dir, &removed, err)) < 0 ||
	    (r = repo_check(dir, geteuid(), err)) < 0)
		return r;
	r = refs_scan_recovering(dir, &locks, on_tag, &scan, err);
	hive->recovered += removed + locks;
	return r < 0 ? r : roll_forward(&scan, err);
}

int recover_scan(struct hive *hive, const char *name, struct error *err)
{
	return scan_agent(hive, name, NULL, err);
}

static int scan_agents(struct hive *hive, struct tagbook *book, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/applied", hive->config->state_dir);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;
	int r = repo_finish_removals(path, err);

	if (r < 0)
		return r;
	if (!dir)
		return error_set_errno(err, errno, "cannot list '%s'", path);
	while (errno = 0, (entry = readdir(dir))) {
		_cleanup_free_ char *git = NULL;

		if (name_check(entry->d_name, NULL) < 0)
			continue;
		git = str_format("%s/%s/.git", path, entry->d_name);
		if (access(git, F_OK) < 0)
			continue; /* a spawn that got no further than the directory */
		r = scan_agent(hive, entry->d_name, book, err);
		if (r < 0)
			return error_prefix(err, "applied/%s", entry->d_name);
	}
	return errno ? error_set_errno(err, errno, "cannot list '%s'", path) : 0;
}

/* Tags of purged agents were kept in meta: their numbers and their place in the chain stay
 * taken. */
static int on_purged_tag(const char *name, const char *oid, const struct tag *tag, void *data)
{
	struct scan *s = data;
	enum proposal_state state;
	struct trailers trailers;
	int64_t id;

	trailers_read(&trailers, buf_str(&tag->message));
	take_chain(s->hive, &trailers, oid);
	if (proposal_parse_ref(name, &state, &id) == 0 && id > s->hive->last_id)
		s->hive->last_id = id;
	return 0;
}

static int on_purged(const char *name, const char *oid, void *data)
{
	struct scan *s = data;

	(void)oid;
	return tagfile_each(s->repo, name, on_purged_tag, s, s->err);
}

/* What meta holds itself: the tags of proposals about the hive, and those of agents that were
 * purged. */
static int scan_meta(struct hive *hive, const char *prefix, refs_fn fn, struct tagbook *book,
		     struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);
	_cleanup_(scan_release) struct scan scan = {
		.hive = hive, .agent = "", .dir = dir, .book = book, .err = err};
	int r = open_repo(&scan);

	return r < 0 ? r : refs_scan(dir, prefix, fn, &scan, err);
}

/* A crash between a new proposal and its predecessor's superseded/N: one stays open, the
 * newest. */
static int close_superseded(struct hive *hive, struct error *err)
{
	hive_proposals_decided(hive);
	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		struct proposal *p = hive->proposals[i], *newer;
		struct verdict verdict = {.note = "a newer proposal replaced it",
					  .build_ms = -1,
					  .downtime_ms = -1};
		int r;

		if (!proposal_is_pending(p))
			continue;
		newer = hive_find_replaced(hive, p);
		if (!newer || newer->id < p->id)
			continue;
		r = ledger_decide(hive, p, PROPOSAL_SUPERSEDED, &verdict, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int recover_load(struct hive *hive, struct error *err)
{
	_cleanup_free_ char *path = hive_tagbook_path(hive);
	_cleanup_(tagbook_closep) struct tagbook *book = tagbook_open(path);
	int r;

	if ((r = meta_load(hive, err)) < 0 || (r = takeover_repair(hive, err)) < 0 ||
	    (r = candidate_sweep(hive, err)) < 0 ||
	    (r = scan_meta(hive, "refs/skep/purged/", on_purged, book, err)) < 0 ||
	    (r = scan_meta(hive, "refs/tags/", on_tag, book, err)) < 0 ||
	    (r = rename_repair(hive, err)) < 0 || (r = generation_load(hive, err)) < 0 ||
	    (r = scan_agents(hive, book, err)) < 0 ||
	    (r = meta_commit(hive, "take over what was deployed before the last stop", err)) <
		    0 ||
	    (r = close_superseded(hive, err)) < 0)
		return r;
	for (size_t i = 0; i < hive->n_proposals; i++)
		if (proposal_is_final(hive->proposals[i]))
			flags_trim(&hive->proposals[i]->flags);
	hive_proposals_decided(hive);
	for (size_t i = 0; i < hive->n_agents; i++)
		ledger_mark_stale(hive, hive->agents[i]);
	request_mark_stale(hive);
	return 0;
}

struct resume {
	struct hive *hive;
	void (*fn)(struct hive *hive, const struct error *err);
};

/* Operators may have been quicker with one or the other. */
static void resume_others(struct hive *hive)
{
	for (size_t i = 0; i < hive->n_agents; i++) {
		struct agent *agent = hive->agents[i];

		if (!name_is_manager(agent->settings.name) && !agent->ops && !agent->dying &&
		    !agent->unborn && !request_moves(hive, agent->settings.name))
			owed_resume(agent);
	}
}

static void on_manager_up(struct op *op, void *data)
{
	struct hive *hive = data;

	if (!hive->stopping && op->r != -EPIPE)
		resume_others(hive);
}

/* A cold start brings the manager up before the agents it leads; whether it came up or not,
 * they follow. */
static void resume_agents(struct hive *hive)
{
	struct agent *manager = NULL;
	bool cold;

	for (size_t i = 0; i < hive->n_agents; i++) {
		if (!hive->agents[i]->unborn &&
		    !request_moves(hive, hive->agents[i]->settings.name))
			lifecycle_open_socket(hive, hive->agents[i]);
		if (name_is_manager(hive->agents[i]->settings.name))
			manager = hive->agents[i];
	}
	cold = manager && strcmp(manager->state, "running") != 0;
	if (manager)
		owed_resume(manager);
	if (cold && manager->ops)
		op_wait(manager->ops, on_manager_up, hive);
	else
		resume_others(hive);
}

static void on_inspected(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
			 void *data)
{
	struct resume *resume = data;
	struct hive *hive = resume->hive;

	(void)fds;
	(void)n_fds;
	if (answer)
		container_seen_all(hive, answer);
	if (answer) {
		resume_agents(hive);
		generation_resume(hive);
		request_resume(hive);
		reconcile_start(hive);
	}
	resume->fn(hive, answer ? NULL : err);
	free(resume);
}

static void look(void *data)
{
	struct resume *resume = data;

	(void)executor_call(resume->hive->executor, "inspect", json_object(), NULL, 0,
			    on_inspected, resume);
}

void recover_resume(struct hive *hive, void (*fn)(struct hive *hive, const struct error *err))
{
	struct resume *resume = mem_new(1, sizeof(*resume));

	*resume = (struct resume){.hive = hive, .fn = fn};
	takeover_resume(hive, look, resume);
}
