#include "control/tidy.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "control/op.h"
#include "control/worker.h"
#include "git/refs.h"
#include "git/repack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS 30000 /* at most, until the next look whether the hive is idle */
#define BETWEEN_MS 50 /* two repositories: requests go first */

struct tidying {
	struct hive *hive;
	struct timer *timer;  /* NULL: a child or skep-exec is at it */
	size_t next;          /* agents whose repositories were seen to; then meta */
	const char *repacked; /* the repository a child is at; NULL: none */
};

static void on_round(void *data);
static void on_repository(void *data);

bool tidy_repacks(const struct hive *hive, const char *dir)
{
	const struct tidying *t = hive->tidying;

	return t && t->repacked && strcmp(t->repacked, dir) == 0;
}

void tidying_free(struct tidying *t)
{
	if (!t)
		return;
	timer_cancel(t->timer);
	free(t);
}

static void wait_for(struct tidying *t, int64_t ms, timer_fn fn)
{
	t->timer = loop_timer(t->hive->loop, ms, fn, t);
}

/* One who tidies often looks as often. */
static void wait_until_idle(struct tidying *t, timer_fn fn)
{
	int64_t ms = t->hive->config->tidy_interval_ms;

	wait_for(t, ms < BUSY_MS ? ms : BUSY_MS, fn);
}

/* Who waits may well wait for room. */
static bool is_idle(const struct hive *hive)
{
	if (hive->imports > 0 || hive->builds.used > 0 || hive->starts.used > 0)
		return false;
	for (size_t i = 0; i < hive->n_agents; i++)
		if (hive->agents[i]->ops && !hive->agents[i]->ops->sleep)
			return false;
	return true;
}

/* ---- logs ---- */

/* Whether the log of this proposal is still of use: it is among the newest, or in work. */
static bool keeps_log(const struct hive *hive, int64_t id)
{
	const struct proposal *p = hive_find_proposal(hive, id);

	return id > hive->last_id - hive->config->keep_logs || (p && !proposal_is_final(p));
}

static void tidy_logs(const struct hive *hive)
{
	_cleanup_free_ char *path = str_format("%s/logs", hive->config->state_dir);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;
	int removed = 0;

	while (dir && (entry = readdir(dir))) {
		int64_t id;
		int end = 0;

		if (sscanf(entry->d_name, "%" SCNd64 ".log%n", &id, &end) == 1 && end > 0 &&
		    entry->d_name[end] == '\0' && !keeps_log(hive, id) &&
		    unlinkat(dirfd(dir), entry->d_name, 0) == 0)
			removed++;
	}
	if (removed > 0)
		log_line(LOG_INFO, "%d build logs were old enough to go", removed);
}

/* ---- systems ---- */

static void keep(json_t *list, const char *tree)
{
	if (oid_is_valid(tree) && !json_holds(list, tree))
		json_array_append_new(list, json_string(tree));
}

/* The trees of an agent that run, are in work, or were deployed last. */
static void keep_of_agent(const struct hive *hive, const struct agent *agent, json_t *list)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	int64_t left = hive->config->keep_systems;
	char tree[OID_HEX_SIZE];

	keep(list, agent->system);
	if (agent->settings.revision[0] &&
	    hive_open_applied(hive, agent->settings.name, &repo, NULL) == 0 &&
	    repo_commit_tree(repo, agent->settings.revision, tree, NULL) == 0)
		keep(list, tree);
	for (size_t i = hive->n_proposals; i > 0; i--) {
		const struct proposal *p = hive->proposals[i - 1];

		if (strcmp(p->agent, agent->settings.name) != 0)
			continue;
		if (!proposal_is_final(p) || (p->state == PROPOSAL_DEPLOYED && left-- > 0))
			keep(list, p->tree);
	}
}

static void on_retained(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
			void *data)
{
	struct tidying *t = ((struct hive *)data)->tidying;
	int64_t removed = answer ? json_integer_value(json_object_get(answer, "removed")) : 0;

	(void)fds;
	(void)n_fds;
	if (!answer)
		log_line(LOG_WARNING, "old systems were not removed: %s", error_text(err));
	else if (removed > 0)
		log_line(LOG_INFO, "%lld systems were old enough to go", (long long)removed);
	wait_for(t, BETWEEN_MS, on_repository);
}

static void tidy_systems(struct hive *hive)
{
	json_t *list = json_array();

	for (size_t i = 0; i < hive->n_agents; i++)
		keep_of_agent(hive, hive->agents[i], list);
	(void)executor_call(hive->executor, "retain", json_pack("{s:o}", "systems", list), NULL,
			    0, on_retained, hive);
}

/* ---- repositories ---- */

static void on_packed(struct tidying *t, const char *dir)
{
	struct error err = {};

	if (repack_drop_empty(dir, &err) < 0)
		log_line(LOG_WARNING, "empty directories were not removed: %s",
			 error_text(&err));
	wait_for(t, BETWEEN_MS, on_repository);
}

struct repacking {
	struct tidying *tidying;
	char *dir;
};

static void on_repacked(const json_t *result, const struct error *err, void *data)
{
	struct repacking *repacking = data;

	repacking->tidying->repacked = NULL;
	if (!result)
		log_line(LOG_WARNING, "%s", error_text(err));
	on_packed(repacking->tidying, repacking->dir);
	free(repacking->dir);
	free(repacking);
}

static void pack_references(const char *dir)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct error err = {};

	if (repo_open(dir, &repo, &err) < 0 || refs_pack(repo, &err) < 0)
		log_line(LOG_WARNING, "references were not packed: %s", error_text(&err));
}

static void on_repository(void *data)
{
	struct tidying *t = data;
	struct hive *hive = t->hive;
	_cleanup_free_ char *dir = NULL;
	struct repacking *repacking;
	bool due = false;

	t->timer = NULL;
	if (hive->stopping)
		return;
	if (!is_idle(hive)) {
		wait_until_idle(t, on_repository);
		return;
	}
	if (t->next > hive->n_agents) {
		wait_for(t, hive->config->tidy_interval_ms, on_round);
		return;
	}
	dir = t->next < hive->n_agents
		      ? hive_applied_dir(hive, hive->agents[t->next]->settings.name)
		      : hive_meta_dir(hive);
	t->next++;
	pack_references(dir);
	if (repack_is_due(dir, &due, NULL) < 0 || !due) {
		on_packed(t, dir);
		return;
	}
	repacking = mem_new(1, sizeof(*repacking));
	*repacking = (struct repacking){.tidying = t, .dir = TAKE_PTR(dir)};
	t->repacked = repacking->dir;
	worker_repack(hive, repacking->dir, on_repacked, repacking);
}

static void on_round(void *data)
{
	struct tidying *t = data;

	t->timer = NULL;
	if (t->hive->stopping)
		return;
	if (!is_idle(t->hive)) {
		wait_until_idle(t, on_round);
		return;
	}
	t->next = 0;
	tidy_logs(t->hive);
	tidy_systems(t->hive);
}

void tidy_begin(struct hive *hive)
{
	struct tidying *t = mem_new(1, sizeof(*t));

	t->hive = hive;
	hive->tidying = t;
	wait_for(t, hive->config->tidy_interval_ms, on_round);
}
