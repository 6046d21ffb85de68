#include "control/event.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "control/drift.h"
#include "control/rows.h"
#include "control/session.h"
#include "wire/answer.h"

#include <stdlib.h>
#include <string.h>

#define REMEMBERED 512
#define REMEMBERED_BYTES (4 << 20)
#define QUEUE_MAX (256 << 10)

enum event_kind {
	KIND_AGENT_STATUS,
	KIND_APPROVAL,
	KIND_DRIFT,
	KIND_COUNT,
};

static const char *const kind_names[KIND_COUNT] = {"agent_status", "approval", "drift"};

struct line {
	enum event_kind kind;
	char *text;
};

struct subscriber {
	struct hive *hive;
	struct session *session;
	struct subscriber *next;
	bool extended, overrun;
	unsigned kinds;  /* mask of 1 << event_kind */
	json_t *waiting; /* plain: names of agents whose newest row is unsent */
	int64_t heartbeat_ms;
	struct timer *heartbeat;
};

struct events {
	int64_t seq, oldest; /* the last number; the first of those that are remembered */
	size_t bytes;        /* of what is remembered */
	struct line lines[REMEMBERED];
	struct subscriber *subscribers;
};

struct events *events_new(int64_t first)
{
	struct events *events = mem_new(1, sizeof(struct events));

	events->seq = first;
	events->oldest = first + 1;
	return events;
}

void events_free(struct events *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < REMEMBERED; i++)
		free(events->lines[i].text);
	free(events);
}

static void send_row(struct subscriber *s, json_t *row)
{
	session_send(s->session, answer_with("agent_statuses", json_pack("[o]", row)));
}

static void send_snapshot(struct subscriber *s)
{
	json_t *line = answer_ok();

	json_object_set_new(line, "seq", json_integer(s->hive->events->seq));
	json_object_set_new(line, "snapshot", json_true());
	json_object_set_new(line, "agent_statuses", rows_agents(s->hive));
	json_object_set_new(line, "approvals", rows_pending(s->hive));
	json_object_set_new(line, "drift", drift_rows(s->hive, NULL));
	session_send(s->session, line);
}

static void tell(struct subscriber *s, const struct line *line)
{
	if (!s->extended || s->overrun || !(s->kinds & 1u << line->kind))
		return;
	if (session_queued(s->session) > QUEUE_MAX) {
		s->overrun = true;
		return;
	}
	session_send_text(s->session, line->text);
}

static void forget_oldest(struct events *events)
{
	struct line *line = &events->lines[events->oldest++ % REMEMBERED];

	events->bytes -= strlen(line->text);
	free(line->text);
	line->text = NULL;
}

/* Numbers a line (stolen, made by answer_ok()), remembers it and tells everybody who wants its
 * kind. */
static void publish(struct hive *hive, enum event_kind kind, json_t *content)
{
	struct events *events = hive->events;
	json_t *object = answer_ok();
	struct line *line;

	if (events->seq - events->oldest + 1 >= REMEMBERED)
		forget_oldest(events);
	line = &events->lines[++events->seq % REMEMBERED];
	json_object_set_new(object, "seq", json_integer(events->seq));
	json_object_update(object, content);
	json_decref(content);
	*line = (struct line){.kind = kind, .text = json_line(object)};
	json_decref(object);
	events->bytes += strlen(line->text);
	while (events->bytes > REMEMBERED_BYTES && events->oldest < events->seq)
		forget_oldest(events);
	for (struct subscriber *s = events->subscribers, *next; s; s = next) {
		next = s->next;
		tell(s, line);
	}
}

void event_agent(struct hive *hive, struct agent *agent)
{
	_cleanup_free_ char *text = NULL;
	json_t *row;

	if (agent->unborn || !hive->events)
		return;
	row = row_agent(hive, agent);
	text = json_line(row);
	if (agent->last_row && strcmp(agent->last_row, text) == 0) {
		json_decref(row);
		return;
	}
	free(agent->last_row);
	agent->last_row = TAKE_PTR(text);
	for (struct subscriber *s = hive->events->subscribers, *next; s; s = next) {
		next = s->next;
		if (s->extended)
			continue;
		if (session_queued(s->session) > 0)
			json_object_set_new(s->waiting, agent->settings.name, json_true());
		else
			send_row(s, json_incref(row));
	}
	publish(hive, KIND_AGENT_STATUS, json_pack("{s:[o]}", "agent_statuses", row));
}

void event_removed(struct hive *hive, const char *name)
{
	if (hive->events)
		publish(hive, KIND_AGENT_STATUS,
			json_pack("{s:[s],s:[{s:s,s:s}]}", "removed", name, "events", "kind",
				  "container_removed", "agent", name));
}

void event_proposal(struct hive *hive, const struct proposal *p)
{
	struct agent *agent = hive_find(hive, p->agent);
	json_t *row;

	if (!hive->events)
		return;
	row = row_proposal(hive, p);
	publish(hive, KIND_APPROVAL,
		json_pack("{s:[{s:s,s:I,s:s,s:O,s:O}],s:[o]}", "events", "kind",
			  proposal_is_pending(p) ? "approval_added" : "approval_resolved", "id",
			  (json_int_t)p->id, "agent", p->agent, "status",
			  json_object_get(row, "status"), "state",
			  json_object_get(row, "state"), "approvals", row));
	if (agent)
		event_agent(hive, agent);
}

void event_drift(struct hive *hive, const json_t *row, bool gone)
{
	json_t *event;

	if (!hive->events)
		return;
	event = json_pack("{s:s}", "kind", gone ? "drift_resolved" : "drift");
	json_object_update(event, (json_t *)row);
	publish(hive, KIND_DRIFT, json_pack("{s:[o]}", "events", event));
}

static void arm_heartbeat(struct subscriber *s);

static void on_heartbeat(void *data)
{
	struct subscriber *s = data;
	json_t *line = answer_ok();

	s->heartbeat = NULL;
	json_object_set_new(line, "seq", json_integer(s->hive->events->seq));
	json_object_set_new(line, "heartbeat", json_true());
	arm_heartbeat(s);
	session_send(s->session, line);
}

static void arm_heartbeat(struct subscriber *s)
{
	if (s->heartbeat_ms > 0)
		s->heartbeat = loop_timer(s->hive->loop, s->heartbeat_ms, on_heartbeat, s);
}

static unsigned kinds_mask(const json_t *kinds)
{
	unsigned mask = 0;
	json_t *kind;
	size_t i;

	if (!kinds)
		return ~0u;
	json_array_foreach (kinds, i, kind)
		for (unsigned k = 0; k < KIND_COUNT; k++)
			if (json_is_string(kind) &&
			    strcmp(json_string_value(kind), kind_names[k]) == 0)
				mask |= 1u << k;
	return mask;
}

/* What was missed since a number, or a snapshot when that is no longer known. */
static void catch_up(struct subscriber *s, int64_t since)
{
	struct events *events = s->hive->events;

	if (since < 0)
		return;
	if (since + 1 < events->oldest || since > events->seq) {
		send_snapshot(s);
		return;
	}
	for (int64_t seq = since + 1; seq <= events->seq; seq++)
		tell(s, &events->lines[seq % REMEMBERED]);
}

struct subscriber *event_subscribe(struct hive *hive, struct session *session,
				   const struct subscription *what)
{
	struct subscriber *s = mem_new(1, sizeof(*s));

	s->hive = hive;
	s->session = session;
	s->extended = what->extended;
	s->kinds = kinds_mask(what->kinds);
	s->heartbeat_ms = what->heartbeat_ms;
	s->waiting = json_object();
	s->next = hive->events->subscribers;
	hive->events->subscribers = s;
	if (!s->extended) {
		session_send(session, answer_ok());
		return s;
	}
	if (what->snapshot)
		send_snapshot(s);
	else if (what->since < 0)
		session_send(session, answer_with("seq", json_integer(hive->events->seq)));
	else
		catch_up(s, what->since);
	arm_heartbeat(s);
	return s;
}

void event_unsubscribe(struct hive *hive, struct subscriber *subscriber)
{
	struct subscriber **at = &hive->events->subscribers;

	while (*at && *at != subscriber)
		at = &(*at)->next;
	if (*at)
		*at = subscriber->next;
	timer_cancel(subscriber->heartbeat);
	json_decref(subscriber->waiting);
	free(subscriber);
}

void event_drained(struct hive *hive, struct subscriber *s)
{
	const char *name;
	json_t *value;
	void *next;

	if (s->overrun) {
		json_t *line = answer_ok();

		s->overrun = false;
		json_object_set_new(line, "seq", json_integer(hive->events->seq));
		json_object_set_new(line, "resync", json_true());
		session_send(s->session, line);
		send_snapshot(s);
	}
	json_object_foreach_safe (s->waiting, next, name, value) {
		(void)value;
		struct agent *agent = hive_find(hive, name);

		json_object_del(s->waiting, name);
		if (agent)
			send_row(s, row_agent(hive, agent));
		if (session_queued(s->session) > 0)
			break;
	}
}
