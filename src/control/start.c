#include "control/start.h"

#include "base/buf.h"
#include "base/log.h"
#include "control/audit.h"
#include "control/container.h"
#include "control/event.h"
#include "control/lifecycle.h"
#include "control/op.h"
#include "control/recover.h"
#include "control/server.h"
#include "control/submit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRY_MS 3600000

static void on_expiry(void *data)
{
	struct hive *hive = data;

	submit_expire(hive);
	hive->expiry = loop_timer(hive->loop, EXPIRY_MS, on_expiry, hive);
}

int start_load(struct hive *hive, struct error *err)
{
	int r;

	hive->events = events_new();
	hive->server = server_new(hive);
	if ((r = audit_open(hive, &hive->audit, err)) < 0 || (r = recover_load(hive, err)) < 0)
		return r;
	on_expiry(hive);
	return 0;
}

struct serving {
	struct hive *hive;
	void (*ready)(struct hive *hive, const struct error *err);
};

static void on_hello(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		     void *data)
{
	struct serving *serving = data;
	struct hive *hive = serving->hive;
	json_t *limits;

	(void)fds;
	(void)n_fds;
	if (!answer) {
		serving->ready(hive, err);
		free(serving);
		return;
	}
	limits = json_object_get(answer, "limits");
	snprintf(hive->mode, sizeof(hive->mode), "%s",
		 json_string_value(json_object_get(answer, "mode")));
	hive->limits_enforced = limits ? json_incref(limits) : NULL;
	recover_resume(hive, serving->ready);
	free(serving);
}

void start_serve(struct hive *hive, void (*ready)(struct hive *hive, const struct error *err))
{
	struct serving *serving = mem_new(1, sizeof(*serving));

	*serving = (struct serving){.hive = hive, .ready = ready};
	(void)executor_call(hive->executor, "hello", json_object(), NULL, 0, on_hello, serving);
}

/* ---- down ---- */

struct stopping {
	struct hive *hive;
	size_t left;
	void (*done)(struct hive *hive);
};

static void one_less(struct stopping *stopping)
{
	if (--stopping->left > 0)
		return;
	stopping->done(stopping->hive);
	free(stopping);
}

static void on_stopped(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		       void *data)
{
	(void)fds;
	(void)n_fds;
	if (!answer)
		log_line(LOG_ERR, "a container could not be stopped: %s", error_text(err));
	one_less(data);
}

static void stop_containers(struct hive *hive)
{
	struct stopping *stopping = hive->stop_data;

	hive->on_quiet = NULL;
	stopping->left = 1;
	for (size_t i = 0; i < hive->n_agents && hive->stop_containers; i++) {
		stopping->left++;
		(void)executor_call(
			hive->executor, "stop",
			container_arguments(hive->agents[i],
					    json_pack("{s:i}", "timeout_s",
						      (int)(hive->config->stop_timeout_ms /
							    1000))),
			NULL, 0, on_stopped, stopping);
	}
	one_less(stopping);
}

void start_stop(struct hive *hive, bool stop_them, void (*done)(struct hive *hive))
{
	struct stopping *stopping = mem_new(1, sizeof(*stopping));

	*stopping = (struct stopping){.hive = hive, .done = done};
	hive->stopping = true;
	hive->stop_data = stopping;
	hive->stop_containers = stop_them;
	hive->on_quiet = stop_containers;
	server_stop(hive->server);
	hive_quiet(hive);
}

/* ---- what skep-exec says by itself ---- */

void start_on_event(const json_t *event, void *data)
{
	struct hive *hive = data;
	const char *kind = json_string_value(json_object_get(event, "event"));
	const char *name = json_string_value(json_object_get(event, "agent"));
	struct agent *agent = name ? hive_find(hive, name) : NULL;

	if (!kind || strcmp(kind, "container") != 0 || !agent)
		return;
	container_seen(hive, agent, event);
	if (strcmp(agent->state, "stopped") == 0 || strcmp(agent->state, "failed") == 0)
		lifecycle_ended(hive, agent);
}
