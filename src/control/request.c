#include "control/request.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/text.h"
#include "control/meta.h"
#include "control/plan.h"
#include "control/submit.h"

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

static int check_room(struct hive *hive, const char *description, struct error *err)
{
	if (description && strlen(description) > DESCRIPTION_MAX_BYTES)
		return error_set(err, E2BIG, "'description' has %zu bytes, more than %d",
				 strlen(description), DESCRIPTION_MAX_BYTES);
	if (count_undecided(hive) >= UNDECIDED_MAX)
		return error_set(err, EBUSY, "%d requests wait for a verdict already",
				 UNDECIDED_MAX);
	return quota_take(&hive->requests, hive->config->proposals_per_hour, "the hive",
			  "requests", err);
}

/* The commit that would be: nothing moves to it, a tag will hold it. */
static int make_commit(struct hive *hive, struct proposal *p, const struct settings *added,
		       struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_free_ char *dir = hive_meta_dir(hive);
	int r = meta_preview(hive, added, p->title, p->commit, err);

	if (r == 0)
		r = repo_open(dir, &repo, err);
	memcpy(p->base, hive->meta_head, sizeof(p->base));
	return r < 0 ? r : repo_commit_tree(repo, p->commit, p->tree, err);
}

/* Takes p over. */
static int record(struct hive *hive, struct proposal *p, const char *description,
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
	r = check_room(hive, description, err);
	if (r == 0)
		r = make_commit(hive, p, &settings, err);
	settings_release(&settings);
	if (r < 0) {
		proposal_free(p);
		return r;
	}
	return record(hive, p, description, actor, ret, err);
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
	int r = request_settings(p, &settings, err);

	if (r < 0)
		return r;
	r = plan_check(hive, &settings, err);
	settings_release(&settings);
	return r;
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

	if (agent)
		return lifecycle_spawn_again(agent, p, actor);
	if (request_settings(p, &settings, &err) < 0 || plan_check(hive, &settings, &err) < 0) {
		refuse(hive, p, &err);
		return NULL;
	}
	return lifecycle_spawn_planned(hive, &settings, p, actor);
}

void request_resume(struct hive *hive)
{
	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		struct proposal *p = hive->proposals[i];

		if (proposal_is_of_hive(p) && !proposal_is_pending(p) && !proposal_is_final(p))
			(void)request_carry_out(hive, p, NULL);
	}
}
