#include "control/submit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "control/container.h"
#include "control/preview.h"
#include "control/lifecycle.h"
#include "control/tidy.h"
#include "control/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_SUBMISSIONS 8
#define IMPORTS_AT_ONCE 4 /* each may take hundreds of megabytes for a while */
#define DAY_S 86400
#define TITLE_MAX_BYTES 1024
#define EXPIRED_NOTE "expired: nobody decided"

struct submission {
	struct hive *hive;
	char agent[AGENT_NAME_MAX + 1];
	char commit[OID_HEX_SIZE];
	char base[OID_HEX_SIZE]; /* what the flags were computed against */
	char *description;
	struct actor actor;
	bool importing;
	submit_fn fn;
	void *data;
	struct submission *next;
};

static void import(struct submission *s);

static void tell(struct submission *s, struct proposal *proposal, bool already,
		 const struct error *err)
{
	s->fn(proposal, already, err, s->data);
	free(s->description);
	free(s);
}

/* Agents take turns: one that submits all the time does not keep the others waiting. */
static void import_next(struct hive *hive)
{
	for (size_t i = 0; i < hive->n_agents && hive->imports < IMPORTS_AT_ONCE; i++) {
		struct submission *s =
			hive->agents[++hive->import_turn % hive->n_agents]->submissions;

		if (s && !s->importing)
			import(s);
	}
}

static void finish(struct submission *s, struct proposal *proposal, bool already,
		   const struct error *err)
{
	struct agent *agent = hive_find(s->hive, s->agent);
	struct hive *hive = s->hive;

	/* an agent of the same name that was spawned meanwhile has a line of its own */
	if (agent && agent->submissions == s)
		agent->submissions = s->next;
	tell(s, proposal, already, err);
	import_next(hive);
}

void submit_abandon(struct agent *agent)
{
	struct submission **at = &agent->submissions;

	if (*at && (*at)->importing)
		at = &(*at)->next;
	while (*at) {
		struct submission *late = *at;
		struct error err = {};

		*at = late->next;
		error_set(&err, ENOENT, "no agent '%s'", agent->settings.name);
		tell(late, NULL, false, &err);
	}
}

int submit_record(struct hive *hive, struct proposal *p, const struct actor *actor,
		  struct error *err)
{
	struct proposal *old = hive_find_replaced(hive, p);
	_cleanup_free_ char *note = NULL;
	struct verdict verdict = {.build_ms = -1, .downtime_ms = -1};
	struct error late = {};
	int r = ledger_propose(hive, p, actor, err);

	if (r == 0)
		crash_point("proposed");
	preview_look(hive);
	if (r < 0 || !old)
		return r;
	note = str_format("proposal %" PRId64 " replaces it", p->id);
	verdict.note = note;
	r = ledger_decide(hive, old, PROPOSAL_SUPERSEDED, &verdict, &late);
	if (r < 0)
		log_line(LOG_ERR, "cannot mark proposal %" PRId64 " superseded: %s", old->id,
			 error_text(&late));
	return 0; /* the new one stands; recovery repeats the rest */
}

static struct proposal *make_proposal(const struct submission *s, const json_t *result)
{
	struct proposal *p = proposal_new(0, s->agent);
	const char *title;
	json_t *flag;
	size_t i;

	snprintf(p->commit, sizeof(p->commit), "%s",
		 json_string_value(json_object_get(result, "commit")));
	snprintf(p->tree, sizeof(p->tree), "%s",
		 json_string_value(json_object_get(result, "tree")));
	memcpy(p->base, s->base, sizeof(p->base));
	title = json_string_value(json_object_get(result, "title"));
	p->title = title ? text_clean_dup(title, TITLE_MAX_BYTES, false) : NULL;
	p->submitter = str_dup(s->actor.name);
	if (s->description)
		p->description = text_clean_dup(s->description, DESCRIPTION_MAX_BYTES, true);
	json_array_foreach (json_object_get(result, "flags"), i, flag) {
		const char *name = json_string_value(json_object_get(flag, "name"));
		enum flag_kind kind;

		if (name && flag_kind_parse(name, &kind, NULL) == 0)
			flags_add(&p->flags, kind,
				  json_string_value(json_object_get(flag, "place")));
	}
	return p;
}

/* What a worker that was killed left in the repository. One imports into it at a time. */
static void clean_up(const struct submission *s)
{
	_cleanup_free_ char *dir = hive_applied_dir(s->hive, s->agent);
	struct error err = {};
	int removed = 0;

	if (!tidy_repacks(s->hive, dir) && repo_recover_objects(dir, &removed, &err) < 0)
		log_line(LOG_WARNING, "%s", error_text(&err));
}

static void on_imported(const json_t *result, const struct error *err, void *data)
{
	struct submission *s = data;
	struct agent *agent = hive_find(s->hive, s->agent);
	struct proposal *open, *p;
	const char *commit, *tree;
	struct error why = {};

	s->importing = false;
	s->hive->imports--;
	if (!agent || agent->dying) {
		error_set(&why, ENOENT, "no agent '%s'", s->agent);
		finish(s, NULL, false, &why);
		return;
	}
	if (!result) {
		clean_up(s);
		why = *err;
		error_prefix(&why, "commit %s of '%s' was not taken", s->commit, s->agent);
		finish(s, NULL, false, &why);
		return;
	}
	if (strcmp(s->base, agent->settings.revision) != 0) {
		import(s); /* a deploy finished meanwhile: the flags were about another base */
		return;
	}
	commit = json_string_value(json_object_get(result, "commit"));
	tree = json_string_value(json_object_get(result, "tree"));
	if (!commit || !oid_is_valid(commit) || !tree || !oid_is_valid(tree)) {
		error_set_code(&why, EIO, "internal", "the import worker makes no sense");
		finish(s, NULL, false, &why);
		return;
	}
	open = hive_open_proposal(s->hive, s->agent);
	if (open && strcmp(open->commit, commit) == 0) {
		finish(s, open, true, NULL);
		return;
	}
	if (strcmp(agent->settings.revision, commit) == 0) {
		error_set_code(&why, EEXIST, "wrong_state",
			       "commit %.*s is what '%s' runs already", OID_SHORT, commit,
			       s->agent);
		finish(s, NULL, false, &why);
		return;
	}
	crash_point("imported");
	p = make_proposal(s, result);
	if (submit_record(s->hive, p, &s->actor, &why) < 0) {
		proposal_free(p);
		finish(s, NULL, false, &why);
		return;
	}
	finish(s, p, false, NULL);
}

static void import(struct submission *s)
{
	struct agent *agent = hive_find(s->hive, s->agent);
	struct limits limits = container_limits(s->hive, agent, agent->settings.revision);

	s->importing = true;
	s->hive->imports++;
	memcpy(s->base, agent->settings.revision, sizeof(s->base));
	worker_import(s->hive, agent, s->commit, s->base, &limits, on_imported, s);
}

/* What was imported stays, whatever becomes of the proposal. */
static int check_room(struct hive *hive, const struct agent *agent, struct error *err)
{
	_cleanup_free_ char *dir = hive_applied_dir(hive, agent->settings.name);
	uint64_t bytes = 0, max = (uint64_t)hive->config->max_repo_bytes;
	int r = repo_size(dir, &bytes, err);

	if (r < 0 || bytes < max)
		return r;
	return error_set(err, E2BIG,
			 "what was submitted for '%s' takes %" PRIu64 " MiB, and %" PRIu64
			 " are all it may",
			 agent->settings.name, bytes >> 20, max >> 20);
}

static int take_submit(const struct config *config, struct agent *agent, struct error *err)
{
	const char *name = agent->settings.name;
	int r = quota_check(&agent->submits, config->proposals_per_hour, QUOTA_HOUR_S, name,
			    "submissions", err);

	if (r == 0)
		r = quota_take(&agent->daily_submits, config_proposals_per_day(config),
			       QUOTA_DAY_S, name, "submissions", err);
	if (r == 0)
		quota_count(&agent->submits);
	return r;
}

int submit_commit(struct hive *hive, struct agent *agent, const char *commit,
		  const char *description, const struct actor *actor, submit_fn fn, void *data,
		  struct error *err)
{
	struct submission *s, **at = &agent->submissions;
	unsigned waiting = 0;
	int r;

	if (!oid_is_valid_or_short(commit)) {
		_cleanup_free_ char *shown = text_clean_dup(commit, 60, false);

		r = error_set(
			err, EINVAL,
			"'commit' must be %d to 40 hexadecimal digits of a commit id, not '%s'",
			OID_SHORTEST, shown);
		error_hint(err, "a branch can move; name what it is now: git rev-parse HEAD");
		return r;
	}
	if (description && strlen(description) > DESCRIPTION_MAX_BYTES)
		return error_set(err, E2BIG, "'description' has %zu bytes, more than %d",
				 strlen(description), DESCRIPTION_MAX_BYTES);
	r = lifecycle_refuse_dying(agent, err);
	if (r < 0)
		return r;
	for (; *at; at = &(*at)->next)
		waiting++;
	if (waiting >= LINE_MAX_SUBMISSIONS)
		return error_set(err, EBUSY,
				 "%u submissions of '%s' are waiting already, and no more may",
				 waiting, agent->settings.name);
	r = check_room(hive, agent, err);
	if (r < 0)
		return r;
	r = take_submit(hive->config, agent, err);
	if (r < 0)
		return r;
	s = mem_new(1, sizeof(*s));
	s->hive = hive;
	snprintf(s->agent, sizeof(s->agent), "%s", agent->settings.name);
	snprintf(s->commit, sizeof(s->commit), "%s", commit);
	s->description = description && description[0] ? str_dup(description) : NULL;
	s->actor = *actor;
	s->fn = fn;
	s->data = data;
	*at = s;
	import_next(hive);
	return 0;
}

int submit_withdraw(struct hive *hive, struct proposal *p, const char *note,
		    const struct actor *actor, struct error *err)
{
	struct verdict verdict = {.actor = actor,
				  .note = note,
				  .build_ms = -1,
				  .downtime_ms = -1};

	if (!proposal_is_pending(p))
		return error_set_code(err, EEXIST, "wrong_state", "proposal %" PRId64 " is %s",
				      p->id, proposal_state_name(p));
	return ledger_decide(hive, p, PROPOSAL_CANCELLED, &verdict, err);
}

void submit_expire(struct hive *hive)
{
	int64_t oldest = hive->wall_s() - hive->config->proposal_days * DAY_S;

	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		struct verdict verdict = {.note = EXPIRED_NOTE,
					  .build_ms = -1,
					  .downtime_ms = -1};
		struct proposal *p = hive->proposals[i];
		struct error err = {};

		if (!proposal_is_pending(p) || p->requested_at > oldest)
			continue;
		if (ledger_decide(hive, p, PROPOSAL_CANCELLED, &verdict, &err) < 0)
			log_line(LOG_ERR, "cannot expire proposal %" PRId64 ": %s", p->id,
				 error_text(&err));
	}
}

bool submit_is_expired(const struct proposal *p)
{
	return p->state == PROPOSAL_CANCELLED && p->note && strcmp(p->note, EXPIRED_NOTE) == 0;
}
