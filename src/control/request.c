#include "control/request.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/text.h"
#include "control/meta.h"
#include "control/plan.h"
#include "control/rename.h"
#include "control/submit.h"
#include "control/update.h"
#include "control/update_request.h"
#include "control/verdict.h"
#include "git/refs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define UNDECIDED_MAX 32 /* each keeps a port and a range of ids */

static size_t count_undecided(const struct hive *hive)
{
	size_t n = 0;

	for (size_t i = hive->first_open; i < hive->n_proposals; i++)
		n += proposal_is_of_hive(hive->proposals[i]) &&
		     proposal_is_pending(hive->proposals[i]);
	return n;
}

int request_check_room(struct hive *hive, const char *description, struct error *err)
{
	if (description && strlen(description) > DESCRIPTION_MAX_BYTES)
		return error_set(err, E2BIG, "'description' has %zu bytes, more than %d",
				 strlen(description), DESCRIPTION_MAX_BYTES);
	if (count_undecided(hive) >= UNDECIDED_MAX)
		return error_set(err, EBUSY,
				 "%d requests wait for a verdict already, and no more may",
				 UNDECIDED_MAX);
	return quota_take(&hive->requests, hive->config->proposals_per_hour, QUOTA_HOUR_S,
			  "the hive", "requests", err);
}

/* The commit that would be: nothing moves to it, a tag will hold it. */
static int make_commit(struct hive *hive, struct proposal *p, const struct settings *added,
		       const char *removed, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_free_ char *dir = hive_meta_dir(hive);
	int r = meta_preview(hive, added, removed, p->title, p->commit, err);

	if (r == 0)
		r = repo_open(dir, &repo, err);
	memcpy(p->base, hive->meta_head, sizeof(p->base));
	return r < 0 ? r : repo_commit_tree(repo, p->commit, p->tree, err);
}

int request_record(struct hive *hive, struct proposal *p, const char *description,
		   const struct actor *actor, struct proposal **ret, struct error *err)
{
	int r;

	if (description && description[0])
		p->description = text_clean_dup(description, DESCRIPTION_MAX_BYTES, true);
	p->submitter = str_dup(actor->name);
	crash_point("imported");
	r = submit_record(hive, p, actor, err);
	if (r < 0)
		proposal_free(p);
	else
		*ret = p;
	return r;
}

/* A new agent with these settings: takes both over. */
static int ask_for(struct hive *hive, struct proposal *p, struct settings *settings,
		   const char *description, const struct actor *actor, struct proposal **ret,
		   struct error *err)
{
	int r = request_check_room(hive, description, err);

	if (r == 0)
		r = make_commit(hive, p, settings, NULL, err);
	settings_release(settings);
	if (r < 0) {
		proposal_free(p);
		return r;
	}
	return request_record(hive, p, description, actor, ret, err);
}

int request_spawn(struct hive *hive, const struct spawn_request *wanted,
		  const char *description, const struct actor *actor, struct proposal **ret,
		  struct error *err)
{
	struct settings settings;
	struct proposal *p;
	int r;

	if ((r = plan_agent(hive, wanted, &settings, err)) < 0)
		return r;
	p = proposal_new(0, wanted->name);
	p->kind = PROPOSAL_SPAWN;
	p->title = str_format("spawn %s", wanted->name);
	p->payload = json_pack("{s:o}", "settings", settings_to_json(&settings));
	return ask_for(hive, p, &settings, description, actor, ret, err);
}

/* Settings of the new agent: the source's, but what is its own. */
static int plan_fork(struct hive *hive, const struct settings *from, const char *name,
		     struct settings *ret, struct error *err)
{
	const struct spawn_request wanted = {
		.name = name,
		.driver = from->driver,
		.builder = from->builder,
		.labels = from->labels,
		.limits = from->limits,
		.private_network = from->private_network,
	};
	int r;

	if (name_is_manager(from->name) || name_is_manager(name))
		return error_set(err, EINVAL, "there is one manager, and it is not forked");
	if (hive_find_kept(hive, name)) {
		error_set(err, EEXIST, "an agent '%s' was destroyed, and its state was kept",
			  name);
		error_hint(err, "skep destroy %s --purge, or another name", name);
		return -EEXIST;
	}
	r = plan_agent(hive, &wanted, ret, err);
	if (r == 0)
		memcpy(ret->parent, from->parent, sizeof(ret->parent));
	return r;
}

/* The commit of deployed/K of an agent. */
static int find_deployed(const struct hive *hive, const char *name, int64_t deployed,
			 char ret[OID_HEX_SIZE], struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char ref[64], oid[OID_HEX_SIZE];
	int r = hive_open_applied(hive, name, &repo, err);

	snprintf(ref, sizeof(ref), "refs/tags/deployed/%" PRId64, deployed);
	if (r == 0)
		r = refs_read(repo, ref, oid, err);
	if (r == -ENOENT) {
		error_set(err, ENOENT, "'%s' has no deployed/%" PRId64, name, deployed);
		error_hint(err, "skep history %s", name);
	}
	return r < 0 ? r : repo_peel_commit(repo, oid, ret, err);
}

int request_fork(struct hive *hive, const struct agent *from, const char *name,
		 int64_t deployed, bool with_state, const char *description,
		 const struct actor *actor, struct proposal **ret, struct error *err)
{
	const char *source = from->settings.name;
	char commit[OID_HEX_SIZE];
	struct settings settings;
	struct proposal *p;
	int r = lifecycle_refuse_dying(from, err);

	if (deployed < 0)
		deployed = from->settings.deployed;
	if (r < 0 || (r = find_deployed(hive, source, deployed, commit, err)) < 0 ||
	    (r = plan_fork(hive, &from->settings, name, &settings, err)) < 0)
		return r;
	p = proposal_new(0, name);
	p->kind = PROPOSAL_FORK;
	p->title = str_format("fork %s deployed/%" PRId64 " as %s%s", source, deployed, name,
			      with_state ? ", with its state" : "");
	p->payload = json_pack("{s:o,s:s,s:I,s:s,s:b}", "settings", settings_to_json(&settings),
			       "from", source, "deployed", (json_int_t)deployed, "commit",
			       commit, "state", with_state);
	return ask_for(hive, p, &settings, description, actor, ret, err);
}

int request_rename(struct hive *hive, struct agent *agent, const char *name, const char *note,
		   const struct actor *actor, struct proposal **ret, struct op **ret_op,
		   struct error *err)
{
	struct binding binding = {.note = note};
	struct proposal *p = proposal_new(0, name);
	struct settings settings;
	bool already;
	int r;

	p->kind = PROPOSAL_RENAME;
	p->title = str_format("rename %s to %s", agent->settings.name, name);
	p->payload = json_pack("{s:s}", "from", agent->settings.name);
	settings_rename(&settings, &agent->settings, name);
	if ((r = rename_check(hive, agent->settings.name, name, err)) == 0 &&
	    (r = request_check_room(hive, NULL, err)) == 0)
		r = make_commit(hive, p, &settings, agent->settings.name, err);
	settings_release(&settings);
	if (r < 0) {
		proposal_free(p);
		return r;
	}
	if ((r = request_record(hive, p, NULL, actor, &p, err)) < 0)
		return r;
	*ret = p;
	binding.commit = p->commit;
	return verdict_approve(hive, p, &binding, actor, &already, ret_op, err);
}

/* Whether what it is made from still is there. */
static int check_source(const struct hive *hive, const struct proposal *p, struct error *err)
{
	const char *from = json_string_value(json_object_get(p->payload, "from"));
	char commit[OID_HEX_SIZE];
	struct agent *agent;
	int r;

	if (p->kind != PROPOSAL_FORK)
		return 0;
	if (!from)
		return error_set(err, EINVAL, "proposal %" PRId64 " says no source", p->id);
	r = hive_get(hive, from, &agent, err);
	if (r == 0)
		r = lifecycle_refuse_dying(agent, err);
	return r < 0 ? r
		     : find_deployed(hive, from,
				     json_integer_value(
					     json_object_get(p->payload, "deployed")),
				     commit, err);
}

int request_settings(const struct proposal *p, struct settings *ret, struct error *err)
{
	const json_t *entry = json_object_get(p->payload, "settings");

	if (!proposal_is_of_hive(p) || !entry)
		return error_set(err, ENOENT, "proposal %" PRId64 " makes no agent", p->id);
	return settings_from_json(p->agent, entry, ret, err);
}

int request_check(const struct hive *hive, const struct proposal *p, struct error *err)
{
	struct settings settings;
	int r;

	if (p->kind == PROPOSAL_RENAME)
		return rename_check(hive, rename_from(p), p->agent, err);
	if (p->kind == PROPOSAL_UPDATE_INPUTS)
		return update_request_check(hive, p, err);
	r = request_settings(p, &settings, err);
	if (r < 0)
		return r;
	r = plan_check(hive, &settings, err);
	settings_release(&settings);
	return r < 0 ? r : check_source(hive, p, err);
}

void request_mark_stale(struct hive *hive)
{
	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		struct proposal *p = hive->proposals[i];
		struct verdict verdict = {.build_ms = -1, .downtime_ms = -1};
		struct error why = {}, err = {};

		if (!proposal_is_of_hive(p) || !proposal_is_pending(p) ||
		    request_check(hive, p, &why) == 0)
			continue;
		verdict.note = error_text(&why);
		if (ledger_decide(hive, p, PROPOSAL_STALE, &verdict, &err) < 0)
			log_line(LOG_ERR, "cannot mark proposal %" PRId64 " stale: %s", p->id,
				 error_text(&err));
	}
}

/* What was approved but makes no sense any more; nobody can have written that but us. */
static void refuse(struct hive *hive, struct proposal *p, const struct error *why)
{
	struct verdict verdict = {.note = error_text(why), .build_ms = -1, .downtime_ms = -1};
	struct error err = {};

	if (ledger_decide(hive, p, PROPOSAL_FAILED, &verdict, &err) < 0)
		log_line(LOG_ERR, "cannot record the end of proposal %" PRId64 ": %s", p->id,
			 error_text(&err));
}

struct op *request_carry_out(struct hive *hive, struct proposal *p, const struct actor *actor)
{
	struct agent *agent = hive_find(hive, p->agent);
	struct settings settings;
	struct error err = {};

	if (p->kind == PROPOSAL_UPDATE_INPUTS)
		return update_carry_out(hive, p, actor);
	if (p->kind == PROPOSAL_RENAME && !agent)
		agent = hive_find(hive, rename_from(p));
	if (p->kind == PROPOSAL_RENAME && !agent) {
		error_set(&err, ENOENT, "no agent '%s'", rename_from(p));
		refuse(hive, p, &err);
		return NULL;
	}
	if (p->kind == PROPOSAL_RENAME)
		return rename_add(agent, p, actor);
	if (agent)
		return lifecycle_spawn_again(agent, p, actor);
	if (request_settings(p, &settings, &err) < 0 || plan_check(hive, &settings, &err) < 0) {
		refuse(hive, p, &err);
		return NULL;
	}
	return lifecycle_spawn_planned(hive, &settings, p, actor);
}

bool request_moves(const struct hive *hive, const char *agent)
{
	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		const struct proposal *p = hive->proposals[i];

		if (p->kind == PROPOSAL_RENAME && !proposal_is_pending(p) &&
		    !proposal_is_final(p) &&
		    (strcmp(p->agent, agent) == 0 || strcmp(rename_from(p), agent) == 0))
			return true;
	}
	return false;
}

void request_resume(struct hive *hive)
{
	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		struct proposal *p = hive->proposals[i];

		if (proposal_is_of_hive(p) && !proposal_is_pending(p) && !proposal_is_final(p))
			(void)request_carry_out(hive, p, NULL);
	}
}
