#include "control/probe.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "control/container.h"
#include "control/joblog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 500
#define TRY_MAX_S 30

struct probe_run {
	struct hive *hive;
	struct agent *agent;
	struct joblog *log;
	enum probe_kind kind;
	json_t *argv;
	uint16_t port;
	int64_t grace_end_ms, soak_ms;
	json_t *baseline;
	bool soaking;
	struct timer *timer;
	uint64_t call;  /* the request to skep-exec that is under way; 0: none */
	bool abandoned; /* nobody wants its answer any more */
	struct error err;
	probe_fn fn;
	void *data;
};

static void try(void *data);

static void release(struct probe_run *p)
{
	timer_cancel(p->timer);
	json_decref(p->argv);
	json_decref(p->baseline);
	free(p);
}

void probe_free(struct probe_run *p)
{
	if (!p)
		return;
	if (p->call) {
		p->abandoned = true;
		executor_cancel(p->hive->executor, p->call);
		return;
	}
	release(p);
}

static void finish(struct probe_run *p, int r)
{
	p->fn(r, &p->err, p->data);
	release(p);
}

/* One attempt went well or not: wait for the soak, try again within the grace, or end. */
static void judge(struct probe_run *p, int r)
{
	if (r == 0 && (p->soaking || p->soak_ms == 0)) {
		joblog_line(p->log, "probe: good");
		finish(p, 0);
	} else if (r == 0) {
		p->soaking = true;
		joblog_line(p->log, "probe: came good, must stay so for %lld ms",
			    (long long)p->soak_ms);
		p->timer = loop_timer(p->hive->loop, p->soak_ms, try, p);
	} else if (p->soaking || clock_boot_ms() >= p->grace_end_ms) {
		joblog_line(p->log, "probe: %s", error_text(&p->err));
		finish(p, r);
	} else {
		p->timer = loop_timer(p->hive->loop, RETRY_MS, try, p);
	}
}

static int judge_units(struct probe_run *p, const json_t *entry)
{
	const char *state = json_string_value(json_object_get(entry, "state")), *unit;
	json_t *failed = json_object_get(entry, "failed_units"), *value;
	size_t i;

	if (!state || strcmp(state, "running") != 0)
		return error_set(&p->err, EIO, "the container is %s", state ? state : "gone");
	/* nobody could say which units failed: that is not the same as none */
	if (!json_is_array(failed))
		return error_set(&p->err, EIO, "the system inside does not answer");
	json_array_foreach (failed, i, value) {
		unit = json_string_value(value);
		if (unit && !json_holds(p->baseline, unit))
			return error_set(&p->err, EIO, "unit '%s' failed", unit);
	}
	return 0;
}

static int judge_answer(struct probe_run *p, const json_t *answer)
{
	const json_t *entry;
	int64_t status = -1;

	switch (p->kind) {
	case PROBE_NONE:
		return 0;
	case PROBE_DEFAULT:
		entry = container_entry(answer, p->agent->settings.name);
		if (!entry)
			return error_set(&p->err, EIO, "the container is gone");
		return judge_units(p, entry);
	case PROBE_TCP:
		if (json_is_true(json_object_get(answer, "open")))
			return 0;
		return error_set(&p->err, ECONNREFUSED, "nothing answers on port %u",
				 (unsigned)p->port);
	case PROBE_COMMAND:
		if (json_get_int(answer, "exit_status", false, 0, 255, &status, NULL) == 0 &&
		    status == 0)
			return 0;
		if (status > 0)
			return error_set(&p->err, EIO,
					 "the probe's command exited with status %d",
					 (int)status);
		return error_set(&p->err, EIO, "the probe's command was ended by a signal");
	}
	return -EINVAL;
}

static void on_answer(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct probe_run *p = data;

	(void)fds;
	(void)n_fds;
	p->call = 0;
	if (p->abandoned) {
		release(p);
		return;
	}
	if (!answer && err->err == -EPIPE) {
		p->err = *err;
		finish(p, -EPIPE);
		return;
	}
	if (!answer)
		p->err = *err;
	judge(p, answer ? judge_answer(p, answer) : -EIO);
}

static void try(void *data)
{
	struct probe_run *p = data;
	struct executor *executor = p->hive->executor;
	const char *name = p->agent->settings.name;
	_cleanup_close_ int null_fd = -1;

	p->timer = NULL;
	switch (p->kind) {
	case PROBE_NONE:
		judge(p, 0);
		break;
	case PROBE_DEFAULT:
		p->call = executor_call(executor, "inspect", json_pack("{s:s}", "agent", name),
					NULL, 0, on_answer, p);
		break;
	case PROBE_TCP:
		p->call = executor_call(executor, "observe",
					json_pack("{s:s,s:s,s:i}", "what", "tcp", "agent", name,
						  "port", (int)p->port),
					NULL, 0, on_answer, p);
		break;
	case PROBE_COMMAND:
		null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		p->call = executor_call(executor, "exec",
					json_pack("{s:s,s:O,s:i}", "agent", name, "argv",
						  p->argv, "timeout_s", TRY_MAX_S),
					(int[]){null_fd, null_fd, null_fd}, 3, on_answer, p);
		break;
	}
}

struct probe_run *probe_start(struct hive *hive, struct agent *agent, const struct probe *probe,
			      const json_t *baseline, struct joblog *log, probe_fn fn,
			      void *data)
{
	struct probe_run *p = mem_new(1, sizeof(*p));

	p->hive = hive;
	p->agent = agent;
	p->log = log;
	p->kind = probe->kind;
	p->port = probe->port ? probe->port : agent->settings.port;
	p->argv = json_array();
	for (char **arg = probe->argv; arg && *arg; arg++)
		json_array_append_new(p->argv, json_string(*arg));
	p->baseline = baseline ? json_deep_copy(baseline) : json_array();
	p->grace_end_ms = clock_boot_ms() + probe->grace_ms;
	p->soak_ms = probe->kind == PROBE_NONE ? 0 : probe->soak_ms;
	p->fn = fn;
	p->data = data;
	joblog_line(log, "probe: %s", probe_kind_name(probe->kind));
	p->timer = loop_timer(hive->loop, 0, try, p);
	return p;
}
