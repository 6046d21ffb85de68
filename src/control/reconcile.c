/*
 * A look is one `inspect` of all, then one agent per turn of the loop, so that a large hive
 * keeps answering meanwhile. An agent with an operation in line is passed over, and so is one
 * whose operation ended after the question was asked: its end is a reason for another look. A
 * question that fails leaves everything known as it was.
 */
#include "control/reconcile.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/dirwatch.h"
#include "base/log.h"
#include "control/container.h"
#include "control/drift.h"
#include "control/event.h"
#include "control/heal.h"
#include "control/owed.h"
#include "git/refs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SOON_MS 200 /* what belongs together happens within moments */
#define META_NAME "meta"

struct reconcile {
	struct hive *hive;
	struct timer *tick, *soon, *turn;
	bool looking, again;
	uint64_t asked;  /* operations that had ended when the question was asked */
	json_t *entries; /* the answer that is being worked on */
	char last[AGENT_NAME_MAX + 1]; /* agents up to this name had their turn */
	json_t *strays;
	int64_t looked_at;
	struct error problem;
	struct dirwatch *files;
};

static void look(struct reconcile *r);
static void next_turn(struct reconcile *r);

bool reconcile_applies(const struct agent *agent)
{
	enum policy own = agent->settings.reconcile;

	return (own != POLICY_UNSET ? own : agent->hive->config->reconcile) == POLICY_APPLY;
}

json_t *reconcile_strays(const struct hive *hive)
{
	return hive->reconcile ? hive->reconcile->strays : NULL;
}

int64_t reconcile_looked_at(const struct hive *hive)
{
	return hive->reconcile ? hive->reconcile->looked_at : 0;
}

const char *reconcile_problem(const struct hive *hive)
{
	return hive->reconcile ? hive->reconcile->problem.text : "";
}

/* ---- one agent ---- */

static bool is_busy(const struct reconcile *r, const struct agent *agent)
{
	return agent->ops || agent->unborn || agent->dying || agent->recorded ||
	       agent->telling > 0 || agent->last_ended_op > r->asked;
}

/* Told once, not at every look. */
static void note_problem(struct reconcile *r, const struct error *err)
{
	if (strcmp(r->problem.text, err->text) != 0)
		log_line(LOG_ERR, "what runs cannot be compared with the record: %s",
			 error_text(err));
	r->problem = *err;
}

static void on_detail(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data);

static void ask_detail(struct reconcile *r, struct agent *agent)
{
	(void)executor_call(r->hive->executor, "inspect",
			    container_arguments(agent, json_pack("{s:b}", "compare", 1)), NULL,
			    0, on_detail, r);
}

/* Compares, remembers, acts. False: it was asked about in detail first. */
static bool judge(struct reconcile *r, struct agent *agent, const json_t *entry, bool detailed)
{
	struct error err = {};
	json_t *found = NULL;
	int d;

	drift_note_restarts(agent, entry);
	if (entry)
		container_seen(r->hive, agent, entry);
	d = drift_compare(r->hive, agent, entry, &found, &err);
	if (d > 0 && !detailed) {
		ask_detail(r, agent);
		return false;
	}
	if (d < 0)
		note_problem(r, &err);
	if (d != 0)
		return true;
	drift_found(r->hive, agent->settings.name, &agent->drift, found);
	event_agent(r->hive, agent);
	owed_look(agent);
	heal_agent(agent);
	return true;
}

static void on_detail(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct reconcile *r = data;
	struct agent *agent = hive_find(r->hive, r->last);

	(void)fds;
	(void)n_fds;
	if (r->hive->stopping)
		return;
	if (!answer)
		note_problem(r, err);
	else if (agent && !is_busy(r, agent))
		(void)judge(r, agent, container_entry(answer, r->last), true);
	next_turn(r);
}

static struct agent *agent_after(const struct hive *hive, const char *name)
{
	for (size_t i = 0; i < hive->n_agents; i++)
		if (strcmp(hive->agents[i]->settings.name, name) > 0)
			return hive->agents[i];
	return NULL;
}

/* ---- what nobody wants, and the record itself ---- */

static void add_stray(json_t *list, const char *agent, const char *field, const char *want,
		      const char *have)
{
	json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s}", "agent", agent, "field",
					      field, "want", want, "have", have));
}

/* Whether the answer may still name agents as they were called, or not yet are. */
static bool is_outdated(const struct reconcile *r)
{
	for (size_t i = 0; i < r->hive->n_agents; i++)
		if (r->hive->agents[i]->moving)
			return true;
	return r->hive->ended_ops != r->asked;
}

static bool is_known_stray(const struct reconcile *r, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach (r->strays, i, row)
		if (strcmp(json_string_value(json_object_get(row, "agent")), name) == 0)
			return true;
	return false;
}

/* What ended meanwhile is a reason for another look, which sees what is new. */
static void find_strays(struct reconcile *r, json_t *list)
{
	bool outdated = is_outdated(r);
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(r->entries, "agents"), i, entry) {
		const char *name = json_string_value(json_object_get(entry, "agent"));
		const char *state = json_string_value(json_object_get(entry, "state"));

		if (name && state && !hive_find(r->hive, name) &&
		    (!outdated || is_known_stray(r, name)))
			add_stray(list, name, "agent", "nothing", state);
	}
}

static void compare_meta(struct reconcile *r, json_t *list)
{
	_cleanup_free_ char *dir = hive_meta_dir(r->hive);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char main[OID_HEX_SIZE] = "nothing";
	struct error err = {};
	int e = repo_open(dir, &repo, &err);

	if (e == 0)
		e = refs_read(repo, "refs/heads/main", main, &err);
	if (e < 0 && e != -ENOENT)
		note_problem(r, &err);
	else if (strcmp(main, r->hive->meta_head) != 0)
		add_stray(list, META_NAME, "main", r->hive->meta_head, main);
}

/* Each name's rows go by themselves, so that each keeps its time. */
static void settle_strays(struct reconcile *r, json_t *list)
{
	json_t *rows = json_array(), *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *name = json_string_value(json_object_get(item, "agent"));
		json_t *known = json_array(), *old;
		size_t k;

		json_array_foreach (r->strays, k, old)
			if (strcmp(json_string_value(json_object_get(old, "agent")), name) == 0)
				json_array_append(known, old);
		drift_found(r->hive, name, &known, json_pack("[O]", item));
		json_array_extend(rows, known);
		json_decref(known);
	}
	json_array_foreach (r->strays, i, item) {
		bool there = false;
		json_t *now;
		size_t k;

		json_array_foreach (rows, k, now)
			there |= json_equal(json_object_get(now, "agent"),
					    json_object_get(item, "agent"));
		if (!there)
			event_drift(r->hive, item, true);
	}
	json_decref(list);
	json_decref(r->strays);
	r->strays = rows;
}

/* ---- looks ---- */

static void finish(struct reconcile *r)
{
	json_t *list = json_array();

	find_strays(r, list);
	compare_meta(r, list);
	settle_strays(r, list);
	json_decref(r->entries);
	r->entries = NULL;
	r->looking = false;
	if (!r->problem.text[0])
		r->looked_at = r->hive->wall_s();
	if (r->again)
		reconcile_soon(r->hive);
	r->again = false;
}

static void on_turn(void *data)
{
	struct reconcile *r = data;
	struct agent *agent = agent_after(r->hive, r->last);
	const json_t *entry;

	r->turn = NULL;
	if (r->hive->stopping)
		return;
	if (!agent) {
		finish(r);
		return;
	}
	memcpy(r->last, agent->settings.name, sizeof(r->last));
	entry = container_entry(r->entries, r->last);
	if (entry)
		agent->listed = true;
	if (is_busy(r, agent)) {
		next_turn(r);
		return;
	}
	/* one that is not listed may run all the same: its specification is what lists it */
	if (!entry)
		ask_detail(r, agent);
	else if (judge(r, agent, entry, false))
		next_turn(r);
}

static void next_turn(struct reconcile *r)
{
	r->turn = loop_timer(r->hive->loop, 0, on_turn, r);
}

/* Directories of git that skepd alone writes; whoever else does is found out. */
static void watch_files(struct reconcile *r)
{
	_cleanup_free_ char *meta =
		str_format("%s/meta/.git/refs/heads", r->hive->config->state_dir);

	if (!r->files)
		return;
	(void)dirwatch_add(r->files, meta, NULL);
	for (size_t i = 0; i < r->hive->n_agents; i++) {
		_cleanup_free_ char *dir =
			hive_applied_dir(r->hive, r->hive->agents[i]->settings.name);
		_cleanup_free_ char *heads = str_format("%s/.git/refs/heads", dir);

		(void)dirwatch_add(r->files, heads, NULL);
	}
}

static void on_looked(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct reconcile *r = data;

	(void)fds;
	(void)n_fds;
	if (r->hive->stopping || (err && err->err == -EPIPE))
		return;
	if (!answer) {
		note_problem(r, err);
		r->looking = r->again = false; /* the next tick asks again */
		return;
	}
	r->problem = (struct error){};
	r->entries = json_incref((json_t *)answer);
	r->last[0] = '\0';
	watch_files(r);
	next_turn(r);
}

static void look(struct reconcile *r)
{
	if (r->looking) {
		r->again = true;
		return;
	}
	r->looking = true;
	r->asked = r->hive->ended_ops;
	(void)executor_call(r->hive->executor, "inspect", json_pack("{s:b}", "compare", 1),
			    NULL, 0, on_looked, r);
}

static void on_soon(void *data)
{
	struct reconcile *r = data;

	r->soon = NULL;
	if (!r->hive->stopping)
		look(r);
}

void reconcile_soon(struct hive *hive)
{
	struct reconcile *r = hive->reconcile;

	if (r && !r->soon && !hive->stopping)
		r->soon = loop_timer(hive->loop, SOON_MS, on_soon, r);
}

/* While an operation is under way files change by our own hand, and its end is a reason for a
 * look anyway. */
void reconcile_files(struct hive *hive)
{
	for (size_t i = 0; i < hive->n_agents; i++)
		if (hive->agents[i]->ops)
			return;
	reconcile_soon(hive);
}

static void on_tick(void *data)
{
	struct reconcile *r = data;

	r->tick = NULL;
	if (r->hive->stopping)
		return;
	r->tick = loop_timer(r->hive->loop, r->hive->config->reconcile_interval_s * 1000,
			     on_tick, r);
	look(r);
}

static void on_file(const char *dir, const char *name, void *data)
{
	struct reconcile *r = data;

	(void)dir;
	(void)name;
	reconcile_files(r->hive);
}

void reconcile_start(struct hive *hive)
{
	struct reconcile *r = mem_new(1, sizeof(*r));
	struct error err = {};

	r->hive = hive;
	hive->reconcile = r;
	/* without a watch the looks by the clock find it */
	if (dirwatch_new(hive->loop, on_file, r, &r->files, &err) < 0)
		log_line(LOG_WARNING, "%s", error_text(&err));
	on_tick(r);
}
