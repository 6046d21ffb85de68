#include "control/candidate.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "control/container.h"
#include "control/flake.h"
#include "control/meta.h"
#include "control/update.h"
#include "git/refs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define REF_PREFIX "refs/skep/candidate/"
#define PREVIEW_PREFIX "refs/skep/preview/"

static int open_meta(struct hive *hive, struct repo **ret, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);

	return repo_open(dir, ret, err);
}

/* Everything that a system is made of, but for Nix itself: equal for equal systems. */
static int make_memo(struct op *op, const char *name, char ret[DIGEST_SIZE], struct error *err)
{
	const struct settings *s = &op->agent->settings;
	_cleanup_free_ char *base = lock_base(op->hive->lock);
	_cleanup_buf_ struct buf text = {};
	const char *template = NULL;
	struct utsname host;
	int r = flake_template(op->hive, &template, err);

	if (r < 0)
		return r;
	uname(&host);
	buf_addf(&text, "%s\n%s\n%s\n%u\n%u\n", host.machine, op->tree, name, (unsigned)s->port,
		 (unsigned)op->hive->config->dashboard_port);
	buf_addf(&text, "%zu\n%s%zu\n%s", strlen(template), template, strlen(base), base);
	digest_sha256(ret, text.data, text.size);
	return 0;
}

/* Writes the commit for the hive as it would be; in memory everything stays as it is. */
static int prepare(struct op *op, int64_t n, const char *message, char memo[DIGEST_SIZE],
		   struct error *err)
{
	struct agent *agent = op->agent;
	struct settings *s = &agent->settings;
	struct settings before = *s;
	bool unborn = agent->unborn;
	int r;

	if (s->deployed != n)
		s->system[0] = '\0';
	s->deployed = n;
	memcpy(s->revision, op->commit, sizeof(s->revision));
	agent->unborn = false;
	memcpy(op->candidate_parent, op->hive->meta_head, sizeof(op->candidate_parent));
	if (op->update)
		update_swap(op->update);
	r = meta_prepare(op->hive, message, op->candidate, err);
	if (r == 0)
		r = make_memo(op, s->name, memo, err);
	if (op->update)
		update_swap(op->update);
	s->deployed = before.deployed;
	memcpy(s->revision, before.revision, sizeof(s->revision));
	memcpy(s->system, before.system, sizeof(s->system));
	agent->unborn = unborn;
	return r;
}

static char *ref_of(const struct op *op)
{
	return str_format("%s%s", op->preview ? PREVIEW_PREFIX : REF_PREFIX,
			  op->agent->settings.name);
}

static int hold(struct op *op, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_free_ char *ref = ref_of(op);
	int r = open_meta(op->hive, &repo, err);

	/* one operation per agent at a time: what is there is of one that was cut short */
	if (r == 0)
		r = refs_delete(repo, ref, err);
	return r < 0 ? r : refs_create(repo, ref, op->candidate, err);
}

static json_t *arguments_for(const struct op *op, const char *memo)
{
	const struct config *c = op->hive->config;
	_cleanup_free_ char *ref = ref_of(op);

	return container_arguments(op->agent,
				   json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I}", "commit",
					     op->candidate, "tree", op->tree, "builder", "nix",
					     "memo", memo, "ref", ref, "timeout_s",
					     (json_int_t)c->build_timeout_s, "memory_max_bytes",
					     (json_int_t)c->build_memory_bytes));
}

int candidate_make(struct op *op, int64_t n, const char *message, json_t **ret,
		   struct error *err)
{
	char memo[DIGEST_SIZE];
	int r;

	if (op->agent->settings.builder == BUILDER_OVERLAY) {
		*ret = container_arguments(op->agent, json_pack("{s:s,s:s}", "commit",
								op->commit, "tree", op->tree));
		return 0;
	}
	r = prepare(op, n, message, memo, err);
	if (r == 0)
		r = hold(op, err);
	if (r == 0)
		*ret = arguments_for(op, memo);
	return r;
}

int candidate_rename(struct op *op, const char *name, const char *message, json_t **ret,
		     struct error *err)
{
	const struct settings *s = &op->agent->settings;
	struct settings renamed;
	char memo[DIGEST_SIZE];
	int r;

	settings_rename(&renamed, s, name);
	r = meta_preview(op->hive, &renamed, s->name, message, op->candidate, err);
	settings_release(&renamed);
	if (r == 0)
		r = make_memo(op, name, memo, err);
	if (r == 0)
		r = hold(op, err);
	if (r < 0)
		return r;
	*ret = arguments_for(op, memo);
	json_object_set_new(*ret, "name", json_string(name));
	return 0;
}

static void let_go(struct op *op)
{
	_cleanup_free_ char *ref = str_format(REF_PREFIX "%s", op->agent->settings.name);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct error err = {};

	if (op->agent->settings.builder == BUILDER_OVERLAY)
		return;
	if (open_meta(op->hive, &repo, &err) < 0 || refs_delete(repo, ref, &err) < 0)
		log_event(LOG_WARNING, error_text(&err), "SKEP_AGENT", op->agent->settings.name,
			  NULL);
}

void candidate_forget(struct hive *hive, const char *agent)
{
	_cleanup_free_ char *ref = str_format(PREVIEW_PREFIX "%s", agent);
	_cleanup_(repo_freep) struct repo *repo = NULL;

	/* one that stays goes at the next start */
	if (open_meta(hive, &repo, NULL) == 0)
		(void)refs_delete(repo, ref, NULL);
}

int candidate_built(struct op *op, struct error *err)
{
	const char *system = json_string_value(json_object_get(op->answer, "system"));

	let_go(op);
	if (op->r < 0)
		return op->r;
	if (!system ||
	    (op->agent->settings.builder == BUILDER_NIX ? !system_is_store(system)
							: strcmp(system, op->tree) != 0))
		return error_set(err, EIO,
				 "the builder made another system than was asked for");
	snprintf(op->system, sizeof(op->system), "%s", system);
	return 0;
}

int candidate_commit(struct op *op, const char *message, char ret[OID_HEX_SIZE],
		     struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char commit[OID_HEX_SIZE], tree[OID_HEX_SIZE], candidate_tree[OID_HEX_SIZE];
	int r = meta_prepare(op->hive, message, commit, err);

	if (r == 0 && op->candidate[0] &&
	    strcmp(op->candidate_parent, op->hive->meta_head) == 0) {
		if ((r = open_meta(op->hive, &repo, err)) < 0 ||
		    (r = repo_commit_tree(repo, commit, tree, err)) < 0 ||
		    (r = repo_commit_tree(repo, op->candidate, candidate_tree, err)) < 0)
			return r;
		if (strcmp(tree, candidate_tree) == 0)
			memcpy(commit, op->candidate, sizeof(commit));
	}
	if (r == 0)
		memcpy(ret, commit, sizeof(commit));
	return r;
}

struct sweep {
	struct repo *repo;
	struct error *err;
};

static int sweep_one(const char *name, const char *oid, void *data)
{
	struct sweep *s = data;

	(void)oid;
	return refs_delete(s->repo, name, s->err);
}

int candidate_sweep(struct hive *hive, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct sweep sweep = {.err = err};
	int r = repo_open(dir, &repo, err);

	if (r < 0)
		return r;
	sweep.repo = repo;
	r = refs_scan(dir, REF_PREFIX, sweep_one, &sweep, err);
	return r < 0 ? r : refs_scan(dir, PREVIEW_PREFIX, sweep_one, &sweep, err);
}
