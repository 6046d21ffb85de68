#include "wire/view.h"

#include "base/clock.h"
#include "base/json.h"
#include "wire/view_drift.h"

#include <stdio.h>
#include <string.h>

static void put_time(json_t *o, const char *key, int64_t wall_s)
{
	char text[CLOCK_TEXT_SIZE];

	if (wall_s > 0)
		json_object_set_new(o, key, json_string(clock_format(text, wall_s)));
}

static void put_bool(json_t *o, const char *key, bool value)
{
	json_object_set_new(o, key, json_boolean(value));
}

json_t *view_agent(const struct settings *s, const struct agent_facts *f)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", json_string(s->name));
	put_bool(o, "running", f->running);
	put_bool(o, "failed", f->failed);
	put_bool(o, "needs_update", f->needs_update);
	put_bool(o, "needs_login", false);
	json_object_set_new(o, "pending_reminders", json_integer(0));
	put_bool(o, "paused", s->paused);
	if (s->parent[0])
		json_object_set_new(o, "parent", json_string(s->parent));
	if (s->revision[0])
		json_object_set_new(o, "deployed_sha", json_stringn(s->revision, OID_SHORT));
	if (f->running && f->status_text) {
		json_object_set_new(o, "status_text", json_string(f->status_text));
		put_time(o, "status_set_at", f->status_set_at);
	}
	json_put_str(o, "url", f->url);
	if (f->running)
		put_time(o, "up_since", f->up_since);
	if (json_object_size(s->labels) > 0)
		json_object_set_new(o, "labels", json_deep_copy(s->labels));
	json_object_set_new(o, "state", json_string(f->state));
	json_object_set_new(o, "role",
			    json_string(name_is_manager(s->name) ? "manager" : "agent"));
	if (f->frozen)
		put_bool(o, "frozen", true);
	if (f->drift)
		json_object_set_new(o, "drift", view_drift_summary(f->drift));
	if (f->open_proposal > 0)
		json_object_set_new(o, "open_proposal", json_integer(f->open_proposal));
	if (f->downtime_ms >= 0)
		json_object_set_new(o, "downtime_ms", json_integer(f->downtime_ms));
	return o;
}

json_t *view_flags(const struct flags *flags)
{
	json_t *list = json_array();

	for (size_t i = 0; i < flags->count; i++) {
		const struct flag *flag = &flags->items[i];
		bool block = flag_strength(flag->kind) == FLAG_BLOCK;
		json_t *o = json_object();

		json_object_set_new(o, "name", json_string(flag_name(flag->kind)));
		json_object_set_new(o, "strength", json_string(block ? "block" : "ack"));
		json_object_set_new(o, "sentence", json_string(flag_sentence(flag->kind)));
		if (flag->place[0])
			json_object_set_new(o, "place", json_string(flag->place));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *view_proposal(const struct proposal *p, int64_t expires_at)
{
	json_t *o = json_object();

	json_object_set_new(o, "id", json_integer(p->id));
	json_object_set_new(o, "agent", json_string(p->agent));
	json_object_set_new(o, "kind", json_string(proposal_kind_name(p->kind)));
	json_object_set_new(o, "commit_ref", json_string(p->commit));
	json_object_set_new(o, "fetched_sha", json_string(p->commit));
	put_time(o, "requested_at", p->requested_at);
	put_time(o, "resolved_at", p->resolved_at);
	json_object_set_new(o, "status", json_string(proposal_status_name(p)));
	json_put_str(o, "description", p->description);
	json_put_str(o, "note", p->note);
	json_object_set_new(o, "state", json_string(proposal_state_name(p)));
	json_put_str(o, "title", p->title);
	json_object_set_new(o, "commit", json_string(p->commit));
	json_object_set_new(o, "tree", json_string(p->tree));
	json_put_str(o, "base", p->base[0] ? p->base : NULL);
	json_put_str(o, "submitter", p->submitter);
	json_put_str(o, "approved_by", p->approved_by);
	if (p->payload)
		json_object_set_new(o, "payload", json_deep_copy(p->payload));
	if (p->rollback_of >= 0)
		json_object_set_new(o, "rollback_of", json_integer(p->rollback_of));
	json_object_set_new(o, "flags", view_flags(&p->flags));
	if (proposal_is_pending(p))
		put_time(o, "expires_at", expires_at);
	return o;
}
