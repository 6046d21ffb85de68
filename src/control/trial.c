#include "control/trial.h"

#include "base/buf.h"
#include "control/container.h"
#include "control/event.h"

#include <stdlib.h>
#include <string.h>

void trial_swap(struct agent *agent, struct settings *settings)
{
	struct settings now = agent->settings;

	settings->deployed = now.deployed;
	memcpy(settings->revision, now.revision, sizeof(now.revision));
	agent->settings = *settings;
	*settings = now;
}

void trial_begin(struct agent *agent, const struct settings *recorded)
{
	agent->recorded = mem_new(1, sizeof(*agent->recorded));
	settings_copy(agent->recorded, recorded);
}

void trial_end(struct agent *agent)
{
	if (agent->recorded)
		settings_release(agent->recorded);
	free(agent->recorded);
	agent->recorded = NULL;
}

static struct limits limits_by(struct hive *hive, struct agent *agent,
			       const struct settings *settings)
{
	struct settings now = agent->settings;
	struct limits limits;

	agent->settings = *settings;
	limits = container_limits(hive, agent, now.revision);
	agent->settings = now;
	return limits;
}

/* Power, or a network that it gets when it starts. */
static int tell_power(struct hive *hive, struct agent *agent, const struct settings *before,
		      const struct actor *actor, const struct trial_waiter *waiter)
{
	struct error err = {};
	struct op *op = NULL;
	int r;

	if (!agent->settings.running)
		r = lifecycle_stop(hive, agent, actor, 0, &op, &err);
	else if (before->running)
		r = lifecycle_restart(hive, agent, actor, 0, &op, &err);
	else
		r = lifecycle_start(hive, agent, actor, &op, &err);
	if (r < 0)
		waiter->on_told(hive, agent->settings.name, &err, waiter->data);
	else
		op_wait(op, waiter->on_op, waiter->data);
	return 1;
}

static int tell_limits(struct hive *hive, struct agent *agent, const struct settings *before,
		       const struct trial_waiter *waiter)
{
	struct limits old = limits_by(hive, agent, before),
		      limits = limits_by(hive, agent, &agent->settings);

	if (memcmp(&old, &limits, sizeof(old)) == 0 || strcmp(agent->state, "running") != 0)
		return 0;
	lifecycle_tell_limits(hive, agent, &limits, waiter->on_told, waiter->data);
	return 1;
}

int trial_tell(struct hive *hive, struct agent *agent, const struct settings *before,
	       const struct actor *actor, const struct trial_waiter *waiter, bool *ret_started)
{
	const struct settings *now = &agent->settings;
	bool network = before->private_network != now->private_network;
	int n;

	if (now->running != before->running || (now->running && network)) {
		*ret_started = now->running;
		n = tell_power(hive, agent, before, actor, waiter);
	} else {
		n = tell_limits(hive, agent, before, waiter);
	}
	if (now->paused != before->paused) {
		n++;
		lifecycle_mark_pause(hive, agent, waiter->on_told, waiter->data);
	}
	event_agent(hive, agent);
	return n;
}
