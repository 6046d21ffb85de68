/*
 *   begin ── create ── change ── check ── rest ── record ── remove ── end
 *   intent      │         │         │       │       │
 *               └─────────┴── put back ◄────┴───────┘
 *                                └── end
 *
 * New agents run without an entry in agents.json, and changed ones by settings that it does not
 * have yet, until one commit records all of them. What stands in the intent,
 * refs/skep/generation, is what the next start puts back after a crash before that commit, and
 * what it still has to remove after one behind it.
 */
#include "control/generation.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/json.h"
#include "base/log.h"
#include "control/audit.h"
#include "control/container.h"
#include "control/deploy.h"
#include "control/event.h"
#include "control/intent.h"
#include "control/lifecycle.h"
#include "control/meta.h"
#include "control/op.h"
#include "control/request.h"
#include "control/trial.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct generation {
	struct hive *hive;
	struct desired desired;
	struct actor actor;
	bool has_actor;
	char digest[72];
	generation_fn fn; /* NULL: nobody waits */
	void *data;

	void (*next)(struct generation *g); /* when nothing is waited for any more */
	size_t waiting;
	struct timer *turn; /* of the loop on which that begins */
	bool abandoned;     /* the hive goes down: the next start sees to it */
	bool recorded, resumed, backing;
	struct error err;      /* of the first that failed; err.err 0: none */
	struct error back_err; /* the same while things are put back or removed */
};

static void change_all(struct generation *g);
static void check_all(struct generation *g);
static void rest_all(struct generation *g);
static void record(struct generation *g);
static void put_back(struct generation *g);
static void remove_all(struct generation *g);
static void end(struct generation *g);

void generation_free(struct generation *g)
{
	if (!g)
		return;
	timer_cancel(g->turn);
	desired_release(&g->desired);
	free(g);
}

static struct agent *agent_of(const struct generation *g, const struct change *c)
{
	return hive_find(g->hive, c->name);
}

/* ---- waiting ---- */

/* The first that fails is what is told. */
static void note_failure(struct generation *g, const char *agent, const struct error *err)
{
	struct error *first = g->backing ? &g->back_err : &g->err;

	if (err->err == -EPIPE)
		g->abandoned = true;
	if (first->err)
		return;
	*first = *err;
	first->hint[0] = '\0';
	if (!strstr(error_text(err), agent))
		(void)error_prefix(first, "'%s'", agent);
}

static void on_turn(void *data)
{
	struct generation *g = data;

	g->turn = NULL;
	if (g->hive->stopping)
		g->abandoned = true;
	if (g->abandoned && !g->err.err)
		error_set(&g->err, ECANCELED, "the hive is going down");
	if (g->abandoned)
		end(g);
	else
		g->next(g);
}

/* Not at once: whoever says that something is done may be in the middle of it. */
static void go_on(struct generation *g)
{
	if (--g->waiting == 0)
		g->turn = loop_timer(g->hive->loop, 0, on_turn, g);
}

static void member_done(struct generation *g, const char *agent, const struct error *err)
{
	if (err)
		note_failure(g, agent, err);
	go_on(g);
}

/* What comes when all of it is done; each phase holds one itself while it begins. */
static void begin_phase(struct generation *g, void (*next)(struct generation *g))
{
	g->next = next;
	g->waiting = 1;
}

static void on_op(struct op *op, void *data)
{
	struct generation *g = data;

	member_done(g, op->agent->settings.name, op->r < 0 ? &op->err : NULL);
}

static void on_told(struct hive *hive, const char *agent, const struct error *err, void *data)
{
	(void)hive;
	member_done(data, agent, err);
}

/* r is of what would have made op. */
static void wait_op(struct generation *g, const char *agent, int r, struct op *op,
		    const struct error *err)
{
	g->waiting++;
	if (r < 0)
		member_done(g, agent, err);
	else
		op_wait(op, on_op, g);
}

/* In force is something else than before: the container of a change's agent is told. */
static void tell(struct generation *g, struct change *c, struct settings *before)
{
	const struct trial_waiter waiter = {on_op, on_told, g};
	struct agent *agent = agent_of(g, c);
	int n;

	agent->changing = false; /* for us; nobody else gets a word in meanwhile */
	g->waiting += TRIAL_MOST;
	n = trial_tell(g->hive, agent, before, g->has_actor ? &g->actor : NULL, &waiter,
		       &c->disturbed);
	for (; n < TRIAL_MOST; n++)
		go_on(g);
	agent->changing = true;
}

/* ---- create ---- */

static struct change *change_of(struct generation *g, const char *name)
{
	for (size_t i = 0; i < g->desired.n; i++)
		if (strcmp(g->desired.changes[i].name, name) == 0)
			return &g->desired.changes[i];
	return NULL;
}

static void on_created(struct op *op, void *data)
{
	struct change *c = change_of(data, op->agent->settings.name);

	if (c)
		c->made = op->r == 0;
	on_op(op, data);
}

static void create_all(struct generation *g)
{
	begin_phase(g, change_all);
	for (size_t i = 0; i < g->desired.n; i++) {
		struct change *c = &g->desired.changes[i];
		struct settings settings;
		struct op *op;

		if (c->action != CHANGE_CREATE)
			continue;
		settings_copy(&settings, &c->wanted);
		op = lifecycle_spawn_planned(g->hive, &settings, NULL, &g->actor);
		op->held = true;
		op->image = c->image ? json_incref((json_t *)c->image) : NULL;
		g->waiting++;
		op_wait(op, on_created, g);
	}
	go_on(g);
}

/* ---- change ---- */

static void change_all(struct generation *g)
{
	crash_point("generation-created");
	if (g->err.err) {
		put_back(g);
		return;
	}
	begin_phase(g, check_all);
	for (size_t i = 0; i < g->desired.n; i++) {
		struct change *c = &g->desired.changes[i];

		if (c->action != CHANGE_SET)
			continue;
		trial_swap(agent_of(g, c), &c->wanted);
		c->swapped = true;
		tell(g, c, &c->wanted);
		trial_begin(agent_of(g, c), &c->wanted);
	}
	go_on(g);
}

/* ---- check: whatever was started holds ---- */

static void check_all(struct generation *g)
{
	crash_point("generation-changed");
	if (g->err.err) {
		put_back(g);
		return;
	}
	begin_phase(g, rest_all);
	for (size_t i = 0; i < g->desired.n; i++) {
		struct change *c = &g->desired.changes[i];

		if (!c->made && !c->disturbed)
			continue;
		wait_op(g, c->name, 0, deploy_check(agent_of(g, c), &g->actor), NULL);
	}
	go_on(g);
}

/* New agents that are wanted stopped have shown that they come up. */
static void rest_all(struct generation *g)
{
	if (g->err.err) {
		put_back(g);
		return;
	}
	begin_phase(g, record);
	for (size_t i = 0; i < g->desired.n; i++) {
		struct change *c = &g->desired.changes[i];
		struct error err = {};
		struct op *op = NULL;
		int r;

		if (!c->made || c->wanted.running)
			continue;
		r = lifecycle_stop(g->hive, agent_of(g, c), &g->actor, 0, &op, &err);
		wait_op(g, c->name, r, op, &err);
	}
	go_on(g);
}

/* ---- record ---- */

/* Everything becomes what agents.json is to say, or is taken back from that. */
static void enter_all(struct generation *g, bool enter)
{
	for (size_t i = 0; i < g->desired.n; i++) {
		struct change *c = &g->desired.changes[i];
		struct agent *agent = agent_of(g, c);

		if (c->action == CHANGE_CREATE) {
			agent->unborn = !enter;
		} else if (c->action == CHANGE_SET && enter) {
			trial_end(agent);
		} else if (c->action == CHANGE_SET) {
			trial_begin(agent, &c->wanted);
		} else if (c->action == CHANGE_REMOVE) {
			agent->unborn = enter;
			if (enter)
				hive_keep(g->hive, c->name, agent->settings.port,
					  agent->settings.uid_base);
			else
				hive_unkeep(g->hive, c->name);
		}
	}
}

static char *message_of(const struct generation *g)
{
	const struct desired *d = &g->desired;
	_cleanup_free_ char *subject =
		str_format("apply %s generation %" PRId64, d->owner, d->number);
	_cleanup_(entry_release) struct entry entry = {};

	entry_begin(&entry, subject, NULL);
	entry_put(&entry, "Skep-Hive", d->owner);
	entry_put_int(&entry, "Skep-Generation", d->number);
	entry_put(&entry, "Skep-Source",
		  json_string_value(json_object_get(d->document, "source")));
	entry_put(&entry, "Skep-Document", g->digest);
	entry_put(&entry, "Skep-Actor", g->actor.name);
	return str_dup(entry_text(&entry));
}

static json_t *declared_entry(const struct generation *g)
{
	json_t *entry = json_pack("{s:I,s:s}", "generation", (json_int_t)g->desired.number,
				  "document", g->digest);

	json_put_str(entry, "source",
		     json_string_value(json_object_get(g->desired.document, "source")));
	return entry;
}

static void record(struct generation *g)
{
	struct hive *hive = g->hive;
	_cleanup_free_ char *message = message_of(g);
	json_auto_t *before = json_deep_copy(hive->declared);
	struct error err = {};
	int r;

	if (g->err.err) {
		put_back(g);
		return;
	}
	crash_point("generation-held");
	enter_all(g, true);
	json_object_set_new(hive->declared, g->desired.owner, declared_entry(g));
	r = meta_commit(hive, message, &err);
	if (r < 0) {
		g->err = err;
		json_object_clear(hive->declared);
		json_object_update(hive->declared, before);
		enter_all(g, false);
		put_back(g);
		return;
	}
	crash_point("generation-recorded");
	g->recorded = true;
	for (size_t i = 0; i < g->desired.n; i++) {
		struct change *c = &g->desired.changes[i];

		if (c->action == CHANGE_CREATE)
			hive_unkeep(hive, c->name);
		if (c->action == CHANGE_CREATE || c->action == CHANGE_SET)
			event_agent(hive, agent_of(g, c));
	}
	request_mark_stale(hive);
	remove_all(g);
}

/* Takes a container away whose agent has no entry; one that has is somebody's. */
static void take_away(struct generation *g, struct change *c)
{
	struct agent *agent = agent_of(g, c);
	struct error err = {};
	struct op *op = NULL;
	int r;

	if (!agent || !agent->unborn)
		return;
	agent->changing = false;
	r = lifecycle_destroy(g->hive, agent, false, g->has_actor ? &g->actor : NULL, &op,
			      &err);
	wait_op(g, c->name, r, op, &err);
}

static void on_removed(struct generation *g)
{
	const struct error *left = &g->back_err;

	if (left->err)
		error_set_code(&g->err, left->err, left->code,
			       "generation %" PRId64 " of '%s' holds, but not everything could "
			       "be removed: %s",
			       g->desired.number, g->desired.owner, error_text(left));
	end(g);
}

static void remove_all(struct generation *g)
{
	begin_phase(g, on_removed);
	g->backing = true;
	for (size_t i = 0; i < g->desired.n; i++)
		if (g->desired.changes[i].action == CHANGE_REMOVE)
			take_away(g, &g->desired.changes[i]);
	go_on(g);
}

/* ---- put back ---- */

static void on_put_back(struct generation *g)
{
	const struct error why = g->err, *left = &g->back_err;

	crash_point("generation-back");
	error_set_code(&g->err, why.err, error_code(&why),
		       "generation %" PRId64 " of '%s' does not hold, %s%s: %s",
		       g->desired.number, g->desired.owner,
		       left->err ? "and not everything could be put back: "
				 : "and everything is as it was",
		       left->err ? error_text(left) : "", error_text(&why));
	end(g);
}

static void put_back(struct generation *g)
{
	crash_point("generation-failing");
	begin_phase(g, on_put_back);
	g->backing = true;
	for (size_t i = 0; i < g->desired.n; i++) {
		struct change *c = &g->desired.changes[i];
		struct agent *agent = agent_of(g, c);

		if (c->action == CHANGE_SET && c->swapped) {
			trial_swap(agent, &c->wanted);
			trial_end(agent);
			tell(g, c, &c->wanted);
		} else if (c->action == CHANGE_CREATE) {
			take_away(g, c);
		}
	}
	go_on(g);
}

/* ---- the ends ---- */

static void note(struct generation *g)
{
	const struct desired *d = &g->desired;
	_cleanup_free_ char *line = str_format(
		"generation %" PRId64 " of '%s' %s: %zu created, %zu changed, %zu removed",
		d->number, d->owner, g->recorded ? "holds" : "was cut short and is taken back",
		d->counts[CHANGE_CREATE], d->counts[CHANGE_SET], d->counts[CHANGE_REMOVE]);
	bool failed = g->err.err || g->back_err.err;
	const char *text = g->err.err ? error_text(&g->err)
			   : failed   ? error_text(&g->back_err)
				      : line;

	if (g->has_actor)
		audit_add(g->hive->audit, &g->actor, "apply", NULL,
			  failed ? error_code(&g->err) : "ok", text);
	log_event(failed ? LOG_WARNING : LOG_INFO, text, "SKEP_VERB", "apply", NULL);
}

static void end(struct generation *g)
{
	struct hive *hive = g->hive;
	struct error ignored = {};

	hive->generation = NULL;
	for (size_t i = 0; i < g->desired.n; i++) {
		struct agent *agent = agent_of(g, &g->desired.changes[i]);

		if (agent)
			agent->changing = false;
	}
	if (!g->abandoned)
		note(g);
	/* what is left undone is tried again by the next start */
	if (!g->abandoned && !g->back_err.err && intent_forget(hive, &ignored) < 0)
		log_event(LOG_ERR, error_text(&ignored), NULL);
	if (g->fn)
		g->fn(hive, g->err.err ? &g->err : NULL, g->data);
	generation_free(g);
}

/* ---- the beginnings ---- */

static struct generation *add(struct hive *hive, struct desired *desired)
{
	struct generation *g = mem_new(1, sizeof(*g));

	g->hive = hive;
	g->desired = *desired;
	*desired = (struct desired){};
	hive->generation = g;
	for (size_t i = 0; i < g->desired.n; i++) {
		struct change *c = &g->desired.changes[i];
		struct agent *agent = agent_of(g, c);

		if (agent && (c->action == CHANGE_SET || c->action == CHANGE_REMOVE))
			agent->changing = true;
	}
	return g;
}

int generation_begin(struct hive *hive, struct desired *desired, const char *digest,
		     const struct actor *actor, generation_fn fn, void *data, struct error *err)
{
	struct generation *g;
	int r;

	if (hive->generation) {
		error_set_code(err, EBUSY, "busy", "another generation is being applied");
		desired_release(desired);
		return -EBUSY;
	}
	r = intent_write(hive, desired, err);
	if (r < 0) {
		desired_release(desired);
		return r;
	}
	crash_point("generation-begun");
	g = add(hive, desired);
	g->actor = *actor;
	g->has_actor = true;
	g->fn = fn;
	g->data = data;
	snprintf(g->digest, sizeof(g->digest), "%s", digest);
	create_all(g);
	return 0;
}

/* Those without an entry that a crash left behind stand in memory until they are gone. */
static void stand_unborn(struct hive *hive, const struct change *c)
{
	struct settings settings;

	if (hive_find(hive, c->name))
		return;
	settings_copy(&settings, &c->wanted);
	hive_add(hive, &settings)->unborn = true;
}

int generation_load(struct hive *hive, struct error *err)
{
	struct desired desired = {};
	struct generation *g;
	int r = intent_read(hive, &desired, err);

	if (r <= 0)
		return r;
	g = add(hive, &desired);
	g->resumed = true;
	g->recorded = desired_generation(hive, g->desired.owner) >= g->desired.number;
	for (size_t i = 0; i < g->desired.n; i++) {
		struct change *c = &g->desired.changes[i];

		if ((c->action == CHANGE_CREATE && !g->recorded) ||
		    (c->action == CHANGE_REMOVE && g->recorded))
			stand_unborn(hive, c);
		/* the record has the old ones; the container may have the new */
		if (c->action == CHANGE_SET && agent_of(g, c))
			c->swapped = true;
	}
	return 0;
}

/* In force is what the record says already: the container is told, whatever it has. */
static void tell_again(struct generation *g)
{
	begin_phase(g, end);
	g->backing = true;
	for (size_t i = 0; i < g->desired.n; i++) {
		struct change *c = &g->desired.changes[i];

		if (c->action == CHANGE_SET && c->swapped)
			tell(g, c, &c->wanted);
		else if (c->action == CHANGE_CREATE)
			take_away(g, c);
	}
	go_on(g);
}

void generation_resume(struct hive *hive)
{
	struct generation *g = hive->generation;

	if (!g || !g->resumed)
		return;
	if (g->recorded)
		remove_all(g);
	else
		tell_again(g);
}
