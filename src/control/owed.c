#include "control/owed.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/deploy.h"
#include "control/drift.h"
#include "control/journal.h"
#include "control/lifecycle.h"
#include "control/reconcile.h"

#include <string.h>

#define PAUSE_FIRST_MS 1000
#define PAUSE_LAST_MS 300000
#define STEADY_MS 600000 /* after a run of this length the pauses begin anew */

/* The oldest approved proposal without an outcome. */
static struct proposal *find_owed(const struct agent *agent)
{
	const struct hive *hive = agent->hive;

	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		struct proposal *p = hive->proposals[i];

		if (!proposal_is_final(p) && !proposal_is_pending(p) &&
		    !proposal_is_of_hive(p) && strcmp(p->agent, agent->settings.name) == 0)
			return p;
	}
	return NULL;
}

bool owed_a_deploy(const struct agent *agent)
{
	return find_owed(agent) != NULL;
}

static bool is_down(const struct agent *agent)
{
	return strcmp(agent->state, "stopped") == 0 || strcmp(agent->state, "failed") == 0;
}

/* Whether what is deployed may be started without being asked for. */
static bool may_start(const struct agent *agent)
{
	return reconcile_applies(agent) && !drift_is_quarantined(agent);
}

/* After the machine was started nothing runs, which is no difference but a beginning. */
static bool may_begin(const struct agent *agent)
{
	return may_start(agent) || (!agent->listed && !drift_is_quarantined(agent));
}

void owed_resume(struct agent *agent)
{
	struct proposal *p = find_owed(agent);

	/*
	 * A container may run a system nobody recorded (a deploy was cut short): if that deploy
	 * is owed it is done again, else "start" puts the deployed system back.
	 */
	if (p)
		(void)deploy_add(agent->hive, p, NULL);
	else if (agent->settings.running && may_begin(agent))
		(void)deploy_again(agent, "start", NULL, false);
	else if (!agent->settings.running && strcmp(agent->state, "stopped") != 0 &&
		 reconcile_applies(agent))
		(void)lifecycle_stop(agent->hive, agent, NULL, 0, &(struct op *){NULL}, NULL);
}

static bool is_free(const struct agent *agent)
{
	return !agent->dying && !agent->unborn && !agent->ops && !agent->hive->stopping;
}

static void on_due(void *data)
{
	struct agent *agent = data;
	struct proposal *p = find_owed(agent);

	agent->owed_timer = NULL;
	if (!is_free(agent))
		return; /* the end of what is in line is another look */
	if (p)
		(void)deploy_add(agent->hive, p, NULL);
	else if (agent->settings.running && is_down(agent) && may_start(agent))
		(void)deploy_again(agent, "restart", NULL, false);
}

static int64_t next_pause(struct agent *agent)
{
	int64_t pause = PAUSE_FIRST_MS;

	if (agent->up_since_ms > 0 && clock_boot_ms() - agent->up_since_ms >= STEADY_MS)
		agent->attempts = 0;
	agent->up_since_ms = 0;
	for (unsigned i = 0; i < agent->attempts && pause < PAUSE_LAST_MS; i++)
		pause *= 2;
	agent->attempts++;
	return pause < PAUSE_LAST_MS ? pause : PAUSE_LAST_MS;
}

void owed_look(struct agent *agent)
{
	if (!is_free(agent) || agent->owed_timer)
		return;
	if (!find_owed(agent)) {
		if (!agent->settings.running || !is_down(agent) || !may_start(agent))
			return;
		log_event(LOG_WARNING, "a container is down and wanted running", "MESSAGE_ID",
			  JOURNAL_CONTAINER_ENDED, "SKEP_AGENT", agent->settings.name,
			  "SKEP_EXIT", agent->exit[0] ? agent->exit : NULL, NULL);
	}
	agent->owed_timer = loop_timer(agent->hive->loop, next_pause(agent), on_due, agent);
}

void owed_cancel(struct agent *agent)
{
	timer_cancel(agent->owed_timer);
	agent->owed_timer = NULL;
}
