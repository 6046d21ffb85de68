#include "control/ledger.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control/doubt.h"
#include "control/event.h"
#include "control/joblog.h"
#include "control/journal.h"
#include "control/metrics.h"
#include "control/preview.h"
#include "git/refs.h"
#include "git/tag.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static void put_chain(struct hive *hive, struct entry *entry, const char *agent)
{
	entry_put(entry, "Skep-Agent", agent);
	entry_put_int(entry, "Skep-Seq", hive->chain_seq + 1);
	entry_put(entry, "Skep-Prev", hive->chain_head[0] ? hive->chain_head : "none");
}

int ledger_write(struct hive *hive, const char *agent, bool of_hive, enum proposal_state family,
		 int64_t id, const char *target, struct entry *entry, struct error *err)
{
	_cleanup_free_ char *dir =
		of_hive ? hive_meta_dir(hive) : hive_applied_dir(hive, agent);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int64_t began_usec;
	int r = repo_open(dir, &repo, err);

	if (r < 0)
		return r;
	began_usec = clock_boot_usec();
	r = ledger_write_to(hive, repo, agent, family, id, target, entry, hive->wall_s(), err);
	if (r < 0)
		return r;
	metrics_fsync(hive, clock_boot_usec() - began_usec);
	return 0;
}

int ledger_write_to(struct hive *hive, struct repo *repo, const char *agent,
		    enum proposal_state family, int64_t id, const char *target,
		    struct entry *entry, int64_t wall_s, struct error *err)
{
	char name[64], oid[OID_HEX_SIZE];
	int r = doubt_settle(hive, err);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%s/%" PRId64, proposal_tag_family(family), id);
	put_chain(hive, entry, agent);
	r = tag_create(repo, name, target, entry_text(entry), wall_s, oid, err);
	if (r == -ENOTRECOVERABLE) {
		_cleanup_free_ char *ref = str_format("refs/tags/%s", name);

		doubt_note(hive, repo_dir(repo), ref, oid, "");
	}
	if (r < 0)
		return r;
	hive->chain_seq++;
	memcpy(hive->chain_head, oid, sizeof(oid));
	return 0;
}

static void put_actor(struct entry *entry, const struct actor *actor)
{
	entry_put(entry, "Skep-Actor", actor ? actor->name : "skepd");
	entry_put(entry, "Skep-Channel", actor ? actor->channel : "controller");
}

static void put_flags(struct entry *entry, const struct flags *flags)
{
	for (size_t i = 0; i < flags->count; i++) {
		const struct flag *f = &flags->items[i];
		_cleanup_free_ char *line = str_format("%s %s", flag_name(f->kind), f->place);

		entry_put(entry, "Skep-Flag", line);
	}
}

/* What a kind needs beside the commit; agents' commits, the ordinary thing, need nothing. */
static void put_kind(struct entry *entry, const struct proposal *p)
{
	_cleanup_free_ char *payload =
		p->payload ? json_dumps(p->payload, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	if (p->kind != PROPOSAL_APPLY_COMMIT)
		entry_put(entry, "Skep-Kind", proposal_kind_name(p->kind));
	entry_put(entry, "Skep-Payload", payload);
}

static char *make_subject(const char *family, int64_t id, const struct proposal *p)
{
	if (proposal_is_of_hive(p))
		return str_format("%s %" PRId64 ": %s", family, id, p->title ? p->title : "");
	return str_format("%s %" PRId64 ": %s %.*s", family, id, p->agent, OID_SHORT,
			  p->commit);
}

static void log_proposal(const struct proposal *p, const char *subject,
			 const struct actor *actor)
{
	char id[24];

	snprintf(id, sizeof(id), "%" PRId64, p->id);
	log_event(LOG_INFO, subject, "MESSAGE_ID", journal_proposal_id(p->state), "SKEP_AGENT",
		  p->agent, "SKEP_PROPOSAL", id, "SKEP_COMMIT", p->commit, "SKEP_STATE",
		  proposal_state_name(p), "SKEP_ACTOR", actor ? actor->name : NULL, NULL);
}

int ledger_propose(struct hive *hive, struct proposal *p, const struct actor *actor,
		   struct error *err)
{
	_cleanup_(entry_release) struct entry entry = {};
	_cleanup_free_ char *subject = NULL;
	int64_t id = hive->last_id + 1, now = hive->wall_s();
	int r;

	subject = make_subject(proposal_tag_family(PROPOSAL_REVIEW), id, p);
	entry_begin(&entry, subject, p->description);
	entry_put(&entry, "Skep-Commit", p->commit);
	entry_put(&entry, "Skep-Tree", p->tree);
	entry_put(&entry, "Skep-Base", p->base[0] ? p->base : NULL);
	entry_put(&entry, "Skep-Title", p->title);
	if (p->rollback_of >= 0)
		entry_put_int(&entry, "Skep-Rollback-Of", p->rollback_of);
	put_kind(&entry, p);
	put_actor(&entry, actor);
	put_flags(&entry, &p->flags);
	r = ledger_write(hive, p->agent, proposal_is_of_hive(p), PROPOSAL_REVIEW, id, p->commit,
			 &entry, err);
	if (r < 0)
		return r;
	p->id = id;
	p->state = PROPOSAL_REVIEW;
	p->requested_at = now;
	hive_add_proposal(hive, p);
	metrics_proposed(hive, p);
	log_proposal(p, subject, actor);
	event_proposal(hive, p);
	return 0;
}

static void put_acks(struct entry *entry, const json_t *acks)
{
	json_t *ack;
	size_t i;

	json_array_foreach (acks, i, ack)
		entry_put(entry, "Skep-Ack", json_string_value(ack));
}

int ledger_decide(struct hive *hive, struct proposal *p, enum proposal_state state,
		  const struct verdict *v, struct error *err)
{
	_cleanup_(entry_release) struct entry entry = {};
	_cleanup_free_ char *subject = NULL;
	enum proposal_state from = p->state;
	struct trailers trailers;
	int r;

	subject = make_subject(proposal_tag_family(state), p->id, p);
	entry_begin(&entry, subject, v->note);
	entry_put(&entry, "Skep-Commit", p->commit);
	entry_put(&entry, "Skep-Tree", p->tree);
	entry_put(&entry, "Skep-Base", p->base[0] ? p->base : NULL);
	if (proposal_is_of_hive(p))
		put_kind(&entry, p);
	put_actor(&entry, v->actor);
	put_acks(&entry, v->acks);
	entry_put(&entry, "Skep-Idem-Key", v->idem_key);
	entry_put(&entry, "Skep-System", v->system);
	entry_put(&entry, "Skep-Meta", v->meta_commit);
	if (v->build_ms >= 0 && v->system)
		entry_put_int(&entry, "Skep-Build-Ms", v->build_ms);
	if (v->downtime_ms >= 0 && v->system)
		entry_put_int(&entry, "Skep-Downtime-Ms", v->downtime_ms);
	r = ledger_write(hive, p->agent, proposal_is_of_hive(p), state, p->id, p->commit,
			 &entry, err);
	if (r < 0)
		return r;
	trailers_read(&trailers, entry_text(&entry));
	ledger_read(p, state, &trailers, hive->wall_s());
	p->state = state;
	p->deploying = false;
	metrics_decided(hive, p, from, v);
	if (proposal_is_final(p)) {
		flags_trim(&p->flags);
		preview_look(hive);
	}
	hive_proposals_decided(hive);
	log_proposal(p, subject, v->actor);
	event_proposal(hive, p);
	/* a deploy has an open log, whose end tells; the others never get one, or no more of it
	 */
	if (state != PROPOSAL_APPROVED && state != PROPOSAL_DEPLOYED &&
	    state != PROPOSAL_FAILED)
		joblog_tell(hive, p->id);
	return 0;
}

int ledger_mark_building(struct hive *hive, struct proposal *p, struct error *err)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_free_ char *subject = NULL;
	char ref[64];
	int r;

	snprintf(ref, sizeof(ref), "refs/tags/building/%" PRId64, p->id);
	r = hive_open_home(hive, p, &repo, err);
	if (r < 0)
		return r;
	r = refs_create(repo, ref, p->commit, err);
	if (r < 0 && r != -EEXIST)
		return r;
	p->state = PROPOSAL_BUILDING;
	p->building_ms = hive->boot_ms();
	subject = make_subject(proposal_tag_family(PROPOSAL_BUILDING), p->id, p);
	log_proposal(p, subject, NULL);
	event_proposal(hive, p);
	return 0;
}

static void read_flags(struct proposal *p, const struct trailers *trailers)
{
	char *line;

	for (unsigned i = 0; (line = trailer_get(trailers, "Skep-Flag", i)); i++) {
		char *space = strchr(line, ' ');
		enum flag_kind kind;

		if (space)
			*space = '\0';
		if (flag_kind_parse(line, &kind, NULL) == 0)
			flags_add(&p->flags, kind, space ? space + 1 : "");
		free(line);
	}
}

static void read_oid(const struct trailers *trailers, const char *key, char ret[OID_HEX_SIZE])
{
	_cleanup_free_ char *value = trailer_get(trailers, key, 0);

	if (value && oid_is_valid(value))
		memcpy(ret, value, OID_HEX_SIZE);
}

static void read_kind(struct proposal *p, const struct trailers *trailers)
{
	_cleanup_free_ char *kind = trailer_get(trailers, "Skep-Kind", 0);
	_cleanup_free_ char *payload = trailer_get(trailers, "Skep-Payload", 0);
	json_t *object = NULL;

	if (kind)
		(void)proposal_parse_kind(kind, &p->kind);
	if (payload && json_parse(payload, strlen(payload), &object, NULL) == 0) {
		json_decref(p->payload);
		p->payload = object;
	}
}

static void read_proposal(struct proposal *p, const struct trailers *trailers, int64_t wall_s)
{
	_cleanup_free_ char *body = trailers_body(trailers);

	read_kind(p, trailers);
	read_oid(trailers, "Skep-Commit", p->commit);
	read_oid(trailers, "Skep-Tree", p->tree);
	read_oid(trailers, "Skep-Base", p->base);
	p->requested_at = wall_s;
	free(p->title);
	p->title = trailer_get(trailers, "Skep-Title", 0);
	free(p->submitter);
	p->submitter = trailer_get(trailers, "Skep-Actor", 0);
	free(p->description);
	p->description = body[0] ? TAKE_PTR(body) : NULL;
	if (trailer_get_int(trailers, "Skep-Rollback-Of", &p->rollback_of) < 0)
		p->rollback_of = -1;
	read_flags(p, trailers);
}

void ledger_read(struct proposal *p, enum proposal_state state, const struct trailers *trailers,
		 int64_t wall_s)
{
	char *value;

	if (state == PROPOSAL_REVIEW) {
		read_proposal(p, trailers, wall_s);
		return;
	}
	value = trailer_get(trailers, "Skep-Idem-Key", 0);
	if (value) {
		free(p->idem_key);
		p->idem_key = value;
	}
	if (state == PROPOSAL_APPROVED) {
		free(p->approved_by);
		p->approved_by = trailer_get(trailers, "Skep-Actor", 0);
		return;
	}
	p->resolved_at = wall_s;
	value = trailers_body(trailers);
	if (value[0]) {
		size_t size = strlen(value);

		free(p->note);
		/* a failed build's whole log is in the tag; the row carries its beginning */
		if (size > NOTE_MAX_BYTES)
			value[NOTE_MAX_BYTES] = '\0';
		p->note = text_clean_dup(value, 2 * NOTE_MAX_BYTES, true);
	}
	free(value);
}

void ledger_mark_stale(struct hive *hive, struct agent *agent)
{
	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		struct proposal *p = hive->proposals[i];
		_cleanup_free_ char *note = NULL;
		struct verdict verdict = {.build_ms = -1, .downtime_ms = -1};
		struct error err = {};

		if (proposal_is_final(p) || proposal_is_of_hive(p) ||
		    strcmp(p->agent, agent->settings.name) != 0 ||
		    strcmp(p->base, agent->settings.revision) == 0)
			continue;
		note = str_format(
			"the base moved: this was proposed on %.*s, but %.*s is deployed now",
			OID_SHORT, p->base[0] ? p->base : "nothing", OID_SHORT,
			agent->settings.revision);
		verdict.note = note;
		if (ledger_decide(hive, p, PROPOSAL_STALE, &verdict, &err) < 0)
			log_line(LOG_ERR, "cannot mark proposal %" PRId64 " stale: %s", p->id,
				 error_text(&err));
	}
}
