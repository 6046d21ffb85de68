#include "control/metrics.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "control/logins.h"
#include "control/metrics_text.h"
#include "control/reconcile.h"
#include "control/server.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_MAX 10

/* What is timed. */
enum timed {
	TIMED_REVIEW_WAIT,
	TIMED_REVIEW_VIEW,
	TIMED_BUILD,
	TIMED_DEPLOY_OK,
	TIMED_DEPLOY_FAILED,
	TIMED_FSYNC,
	TIMED_COUNT,
};

/* Upper bounds in microseconds, ascending; 0 ends them. */
static const int64_t minutes_to_days[BUCKETS_MAX] = {10000000,    60000000,    300000000,
						     900000000,   3600000000,  14400000000,
						     86400000000, 604800000000};
static const int64_t seconds_to_minutes[BUCKETS_MAX] = {5000000,   15000000,  30000000,
							60000000,  120000000, 300000000,
							900000000, 3600000000};
static const int64_t tenths_to_minutes[BUCKETS_MAX] = {100000,    500000,   1000000,  2000000,
						       5000000,   10000000, 30000000, 60000000,
						       120000000, 300000000};
static const int64_t milliseconds[BUCKETS_MAX] = {1000,  2000,   5000,   10000,  20000,
						  50000, 100000, 500000, 1000000};

static const struct {
	const char *name, *help;
	const char *label, *value; /* NULL: none */
	const int64_t *bounds;
} timed[TIMED_COUNT] = {
	[TIMED_REVIEW_WAIT] = {"skep_review_wait_seconds",
			       "From a proposal to the verdict on it.", NULL, NULL,
			       minutes_to_days},
	[TIMED_REVIEW_VIEW] = {"skep_review_view_seconds",
			       "From the first look at a proposal in a browser to the verdict.",
			       NULL, NULL, seconds_to_minutes},
	[TIMED_BUILD] = {"skep_build_duration_seconds", "Builds of what was then deployed.",
			 NULL, NULL, tenths_to_minutes},
	[TIMED_DEPLOY_OK] = {"skep_deploy_duration_seconds",
			     "From the begin of a build to its outcome.", "result", "deployed",
			     tenths_to_minutes},
	[TIMED_DEPLOY_FAILED] = {"skep_deploy_duration_seconds", NULL, "result", "failed",
				 tenths_to_minutes},
	[TIMED_FSYNC] = {"skep_record_fsync_seconds",
			 "Writing one reference of the record to the disk.", NULL, NULL,
			 milliseconds},
};

struct timing {
	int64_t count, sum_usec, buckets[BUCKETS_MAX];
};

/* Channels that verdicts come by. */
static const char *const channels[] = {"operator", "web", "controller"};

struct metrics {
	int64_t proposed;
	int64_t moved[PROPOSAL_STATE_COUNT][PROPOSAL_STATE_COUNT]; /* from, to */
	int64_t verdicts[2][ARRAY_SIZE(channels)];                 /* approved, denied */
	int64_t flags[FLAG_KIND_COUNT];
	struct timing timings[TIMED_COUNT];
};

struct metrics *metrics_new(void)
{
	return mem_new(1, sizeof(struct metrics));
}

void metrics_free(struct metrics *metrics)
{
	free(metrics);
}

/* ---- as it happens ---- */

static void time_took(struct metrics *m, enum timed what, int64_t usec)
{
	struct timing *t = &m->timings[what];

	if (usec < 0)
		return; /* the clock on the wall was set back */
	t->count++;
	t->sum_usec += usec;
	for (size_t i = 0; i < BUCKETS_MAX && timed[what].bounds[i]; i++)
		t->buckets[i] += usec <= timed[what].bounds[i];
}

void metrics_proposed(struct hive *hive, const struct proposal *p)
{
	if (!hive->metrics)
		return;
	hive->metrics->proposed++;
	for (size_t i = 0; i < p->flags.count; i++)
		hive->metrics->flags[p->flags.items[i].kind]++;
}

void metrics_decided(struct hive *hive, const struct proposal *p, enum proposal_state from,
		     const struct verdict *v)
{
	bool approved = p->state == PROPOSAL_APPROVED, denied = p->state == PROPOSAL_DENIED;
	const char *channel = v->actor ? v->actor->channel : "controller";
	struct metrics *m = hive->metrics;

	if (!m)
		return;
	m->moved[from][p->state]++;
	if (approved || denied)
		time_took(m, TIMED_REVIEW_WAIT, (hive->wall_s() - p->requested_at) * 1000000);
	for (size_t i = 0; i < ARRAY_SIZE(channels) && (approved || denied); i++)
		m->verdicts[denied][i] += strcmp(channels[i], channel) == 0;
	if (p->state == PROPOSAL_DEPLOYED && v->build_ms >= 0)
		time_took(m, TIMED_BUILD, v->build_ms * 1000);
	if (p->building_ms > 0 &&
	    (p->state == PROPOSAL_DEPLOYED || p->state == PROPOSAL_FAILED))
		time_took(m,
			  p->state == PROPOSAL_DEPLOYED ? TIMED_DEPLOY_OK : TIMED_DEPLOY_FAILED,
			  (hive->boot_ms() - p->building_ms) * 1000);
}

void metrics_viewed(struct hive *hive, int64_t seconds)
{
	if (hive->metrics)
		time_took(hive->metrics, TIMED_REVIEW_VIEW, seconds * 1000000);
}

void metrics_fsync(struct hive *hive, int64_t usec)
{
	if (hive->metrics)
		time_took(hive->metrics, TIMED_FSYNC, usec);
}

/* ---- when somebody asks ---- */

static void add_timings(const struct metrics *m, json_t *list)
{
	json_t *family = NULL;

	for (size_t k = 0; k < TIMED_COUNT; k++) {
		const struct timing *t = &m->timings[k];
		double bounds[BUCKETS_MAX];
		size_t n = 0;

		while (n < BUCKETS_MAX && timed[k].bounds[n]) {
			bounds[n] = (double)timed[k].bounds[n] / 1e6;
			n++;
		}
		if (timed[k].help)
			family = metric_family(list, timed[k].name, "histogram", timed[k].help);
		metric_histogram(family, timed[k].label, timed[k].value, bounds, t->buckets, n,
				 (double)t->sum_usec / 1e6, t->count);
	}
}

static const char *state_word(enum proposal_state state)
{
	return proposal_state_name(&(struct proposal){.state = state});
}

static void add_proposals(const struct hive *hive, json_t *list)
{
	int64_t counts[PROPOSAL_STATE_COUNT] = {};
	json_t *family =
		metric_family(list, "skep_proposals", "gauge", "Proposals by their state.");

	for (size_t i = 0; i < hive->n_proposals; i++)
		counts[hive->proposals[i]->state]++;
	for (int s = 0; s < PROPOSAL_STATE_COUNT; s++)
		metric_sample(family, (double)counts[s], "state",
			      state_word((enum proposal_state)s), NULL);
}

static void add_moves(const struct metrics *m, json_t *list)
{
	json_t *family = metric_family(list, "skep_proposal_transitions_total", "counter",
				       "Steps of proposals from one state to the next.");

	metric_sample(family, (double)m->proposed, "from", "none", "to",
		      state_word(PROPOSAL_REVIEW), NULL);
	for (int from = 0; from < PROPOSAL_STATE_COUNT; from++)
		for (int to = 0; to < PROPOSAL_STATE_COUNT; to++)
			if (m->moved[from][to] > 0)
				metric_sample(family, (double)m->moved[from][to], "from",
					      state_word((enum proposal_state)from), "to",
					      state_word((enum proposal_state)to), NULL);
	family = metric_family(list, "skep_verdicts_total", "counter",
			       "Verdicts by the way they came.");
	for (size_t i = 0; i < 2 * ARRAY_SIZE(channels); i++)
		metric_sample(family, (double)m->verdicts[i % 2][i / 2], "verdict",
			      i % 2 ? "denied" : "approved", "channel", channels[i / 2], NULL);
	family = metric_family(list, "skep_risk_flags_total", "counter",
			       "Risk flags of new proposals.");
	for (int i = 0; i < FLAG_KIND_COUNT; i++)
		metric_sample(family, (double)m->flags[i], "flag", flag_name((enum flag_kind)i),
			      NULL);
}

static void add_agents(const struct hive *hive, json_t *list)
{
	static const char *const states[] = {"running", "starting", "stopped", "failed",
					     "unknown"};
	json_t *family = metric_family(list, "skep_agents", "gauge", "Agents by their state.");

	for (size_t s = 0; s < ARRAY_SIZE(states); s++) {
		int n = 0;

		for (size_t i = 0; i < hive->n_agents; i++)
			n += !hive->agents[i]->unborn &&
			     strcmp(hive->agents[i]->state, states[s]) == 0;
		metric_sample(family, n, "state", states[s], NULL);
	}
	family = metric_family(list, "skep_ratelimited_total", "counter",
			       "Requests of agents that were refused for their number.");
	for (size_t i = 0; i < hive->n_agents; i++) {
		const struct agent *a = hive->agents[i];

		if (!a->unborn)
			metric_sample(family,
				      (double)(a->refused + a->submits.refused +
					       a->daily_submits.refused + a->powers.refused),
				      "agent", a->settings.name, NULL);
	}
}

static void add_drift(const struct hive *hive, json_t *list)
{
	json_t *strays = reconcile_strays(hive);
	json_t *family =
		metric_family(list, "skep_agent_drift", "gauge",
			      "Differences between the record and what runs, by agent.");

	for (size_t i = 0; i < hive->n_agents; i++)
		if (!hive->agents[i]->unborn)
			metric_sample(family, (double)json_array_size(hive->agents[i]->drift),
				      "agent", hive->agents[i]->settings.name, NULL);
	family = metric_family(list, "skep_drift_strays", "gauge",
			       "Containers that nobody wants, and the record of the hive.");
	metric_sample(family, (double)json_array_size(strays), NULL);
	family = metric_family(list, "skep_drift_looked_timestamp_seconds", "gauge",
			       "When all was compared last without a failure.");
	metric_sample(family, (double)reconcile_looked_at(hive), NULL);
}

static void add_rest(const struct hive *hive, json_t *list)
{
	json_t *family;

	family = metric_family(list, "skep_record_refs", "gauge",
			       "Tags in the chain of the record.");
	metric_sample(family, (double)hive->chain_seq, NULL);
	family = metric_family(list, "skep_recoveries_total", "counter",
			       "Leftovers of an earlier run removed at the start.");
	metric_sample(family, hive->recovered, "outcome", "removed", NULL);
	family = metric_family(list, "skep_logins", "gauge", "Browsers that are logged in.");
	metric_sample(family, (double)login_count(hive), NULL);
	family = metric_family(list, "skep_auth_failures_total", "counter",
			       "Requests of browsers that were refused, by what was wrong.");
	for (int i = 0; i < LOGIN_FAILED_COUNT; i++)
		metric_sample(family, (double)login_failures(hive, (enum login_failure)i),
			      "reason", login_failure_names[i], NULL);
}

json_t *metrics_read(const struct hive *hive)
{
	json_t *list = json_array();
	json_t *family =
		metric_family(list, "skep_build_info", "gauge", "The version that runs.");

	metric_sample(family, 1, "version", SKEP_VERSION, "mode", hive->mode, NULL);
	add_agents(hive, list);
	add_drift(hive, list);
	add_proposals(hive, list);
	if (hive->metrics) {
		add_moves(hive->metrics, list);
		add_timings(hive->metrics, list);
	}
	add_rest(hive, list);
	metric_process(list);
	return list;
}
