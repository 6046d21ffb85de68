#include "control/start.h"

#include "base/buf.h"
#include "base/log.h"
#include "control/audit.h"
#include "control/container.h"
#include "control/event.h"
#include "control/logins.h"
#include "control/metrics.h"
#include "control/op.h"
#include "control/owed.h"
#include "control/reconcile.h"
#include "control/recover.h"
#include "control/seen.h"
#include "control/server.h"
#include "control/submit.h"
#include "control/tidy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRY_MS 3600000
#define LOOK_AGAIN_MS 5000
#define STOPS_AT_ONCE 16 /* of containers, when the hive goes down */

static void on_expiry(void *data)
{
	struct hive *hive = data;

	submit_expire(hive);
	hive->expiry = loop_timer(hive->loop, EXPIRY_MS, on_expiry, hive);
}

int start_load(struct hive *hive, struct error *err)
{
	int r;

	/* a reader that comes back after a restart must not take new numbers for old ones */
	hive->events = events_new(hive->wall_s() * 1000);
	hive->server = server_new(hive);
	hive->metrics = metrics_new();
	hive->seen = seen_open(hive);
	if ((r = audit_open(hive, &hive->audit, err)) < 0 ||
	    (r = login_book_open(hive, &hive->logins, err)) < 0 ||
	    (r = recover_load(hive, err)) < 0)
		return r;
	on_expiry(hive);
	tidy_begin(hive);
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
	size_t next, running; /* the agent whose turn it is; stops that are under way */
	void (*done)(struct hive *hive);
};

static void stop_more(struct stopping *stopping);

static void on_stopped(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		       void *data)
{
	(void)fds;
	(void)n_fds;
	if (!answer)
		log_line(LOG_ERR, "a container could not be stopped: %s", error_text(err));
	((struct stopping *)data)->running--;
	stop_more(data);
}

/* No operation is left, so the list of agents does not change any more. */
static void stop_more(struct stopping *stopping)
{
	struct hive *hive = stopping->hive;

	while (hive->stop_containers && stopping->next < hive->n_agents &&
	       stopping->running < STOPS_AT_ONCE) {
		stopping->running++;
		(void)executor_call(hive->executor, "stop",
				    container_stop_arguments(hive->agents[stopping->next++], 0),
				    NULL, 0, on_stopped, stopping);
	}
	if (stopping->running > 0)
		return;
	stopping->done(hive);
	free(stopping);
}

static void stop_containers(struct hive *hive)
{
	hive->on_quiet = NULL;
	stop_more(hive->stop_data);
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
	op_interrupt_all(hive);
	hive_quiet(hive);
}

/* ---- what skep-exec says by itself ---- */

static void look_again(void *data);

static void on_looked(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct hive *hive = data;

	(void)fds;
	(void)n_fds;
	if (hive->stopping || (err && err->err == -EPIPE))
		return;
	if (!answer) {
		log_line(LOG_ERR, "the containers cannot be looked at: %s", error_text(err));
		(void)loop_timer(hive->loop, LOOK_AGAIN_MS, look_again, hive);
		return;
	}
	container_seen_all(hive, answer);
	for (size_t i = 0; i < hive->n_agents; i++)
		owed_look(hive->agents[i]);
	reconcile_soon(hive);
}

/* Something may have changed unseen. */
static void look_again(void *data)
{
	struct hive *hive = data;

	(void)executor_call(hive->executor, "inspect", json_object(), NULL, 0, on_looked, hive);
}

void start_on_event(const json_t *event, void *data)
{
	struct hive *hive = data;
	const char *kind = json_string_value(json_object_get(event, "event"));
	const char *name = json_string_value(json_object_get(event, "agent"));
	struct agent *agent = name ? hive_find(hive, name) : NULL;

	if (kind && strcmp(kind, "resync") == 0) {
		look_again(hive);
	} else if (kind && strcmp(kind, "container") == 0 && agent) {
		container_seen(hive, agent, event);
		owed_look(agent);
		reconcile_soon(hive);
	} else if (kind && strcmp(kind, "files") == 0) {
		reconcile_files(hive);
	}
}
