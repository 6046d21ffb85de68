#include "control/metering.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control/dispatch.h"
#include "wire/answer.h"
#include "wire/view_usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_MS 2000  /* between samples */
#define FRESH_MS 1000  /* one this old is good enough for an answer */
#define WATCH_MS 20000 /* after the last question nobody watches any more */
#define SAMPLES 60     /* kept of each agent */

struct usage_series {
	size_t count;
	struct usage_sample samples[SAMPLES]; /* oldest first */
};

/* A question that waits for the sample being taken. */
struct question {
	void *session;
	json_t *request;
	struct question *next;
};

struct metering {
	struct hive *hive;
	int64_t asked_ms, began_ms, sampled_ms;
	struct timer *timer; /* NULL: a sample is being taken */
	struct question *questions;
};

static void begin_sample(struct metering *m);

void metering_free(struct metering *m)
{
	if (!m)
		return;
	timer_cancel(m->timer);
	for (struct question *q = m->questions, *next; q; q = next) {
		next = q->next;
		(void)session_found(q->session);
		json_decref(q->request);
		free(q);
	}
	free(m);
}

/* ---- samples ---- */

static void add_sample(struct metering *m, struct agent *agent, const json_t *row)
{
	struct usage_series *series = agent->usage;

	if (!series)
		agent->usage = series = mem_new(1, sizeof(*series));
	if (series->count == SAMPLES)
		memmove(series->samples, series->samples + 1,
			--series->count * sizeof(series->samples[0]));
	series->samples[series->count] =
		(struct usage_sample){.wall_s = m->hive->wall_s(), .boot_ms = m->began_ms};
	usage_from_json(row, &series->samples[series->count++].usage);
}

static void take_rows(struct metering *m, const json_t *answer)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(answer, "usage"), i, row) {
		const char *name = json_string_value(json_object_get(row, "agent"));
		struct agent *agent = name ? hive_find(m->hive, name) : NULL;

		if (agent)
			add_sample(m, agent, row);
	}
}

static bool is_current(const struct metering *m, const struct agent *agent)
{
	const struct usage_series *series = agent->usage;

	return series && series->samples[series->count - 1].boot_ms == m->began_ms;
}

/* What does not run any more has no history. */
static void forget_others(struct metering *m)
{
	for (size_t i = 0; i < m->hive->n_agents; i++) {
		struct agent *agent = m->hive->agents[i];

		if (is_current(m, agent))
			continue;
		free(agent->usage);
		agent->usage = NULL;
	}
}

static void on_timer(void *data)
{
	struct metering *m = data;

	m->timer = NULL;
	if (clock_boot_ms() - m->asked_ms < WATCH_MS && !m->hive->stopping) {
		begin_sample(m);
		return;
	}
	m->began_ms = -1;
	forget_others(m);
	m->hive->metering = NULL;
	metering_free(m);
}

/* ---- answers ---- */

/* The names and labels a question is about; no list: all. */
static bool is_asked_for(const struct agent *agent, const json_t *request)
{
	const json_t *names = json_object_get(request, "names");
	const json_t *labels = json_object_get(request, "labels");

	return (!names || json_holds(names, agent->settings.name)) &&
	       (!labels || agent_has_label(agent, labels));
}

static void answer_question(struct session *s, const json_t *request)
{
	bool history = json_is_true(json_object_get(request, "history"));
	json_t *rows = json_array();

	for (size_t i = 0; i < s->hive->n_agents; i++) {
		const struct agent *a = s->hive->agents[i];

		if (!a->unborn && a->usage && is_asked_for(a, request))
			json_array_append_new(rows,
					      view_usage(a->settings.name, a->usage->samples,
							 a->usage->count, history));
	}
	session_answer(s, answer_with("usage", rows));
}

static void answer_all(struct metering *m, const struct error *err)
{
	struct question *list = m->questions;

	m->questions = NULL;
	for (struct question *q = list, *next; q; q = next) {
		struct session *s = session_found(q->session);

		next = q->next;
		if (s && err)
			session_fail(s, err);
		else if (s)
			answer_question(s, q->request);
		json_decref(q->request);
		free(q);
	}
}

static void on_sample(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct metering *m = ((struct hive *)data)->metering;

	(void)fds;
	(void)n_fds;
	if (answer)
		take_rows(m, answer);
	if (answer && json_is_true(json_object_get(answer, "partial")))
		return;
	if (answer)
		forget_others(m);
	else
		log_line(LOG_ERR, "what agents use cannot be read: %s", error_text(err));
	m->sampled_ms = answer ? m->began_ms : 0;
	m->timer = loop_timer(m->hive->loop, EVERY_MS, on_timer, m);
	answer_all(m, answer ? NULL : err);
}

static void begin_sample(struct metering *m)
{
	m->began_ms = clock_boot_ms();
	(void)executor_call(m->hive->executor, "observe", json_pack("{s:s}", "what", "usage"),
			    NULL, 0, on_sample, m->hive);
}

static int check_names(struct session *s, const json_t *request, struct error *err)
{
	json_t *names = NULL, *labels = NULL, *name;
	struct agent *agent;
	bool history = false;
	size_t i;
	int r;

	if ((r = json_get_bool(request, "history", false, &history, err)) < 0 ||
	    (r = json_get_array(request, "labels", false, &labels, err)) < 0 ||
	    (r = json_get_array(request, "names", false, &names, err)) < 0)
		return r;
	json_array_foreach (names, i, name) {
		if (!json_is_string(name))
			return error_set(err, EINVAL, "'names' must hold strings only");
		r = hive_get(s->hive, json_string_value(name), &agent, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int handle_usage(struct session *s, const json_t *request, struct error *err)
{
	struct metering *m = s->hive->metering;
	struct question *question;
	int r = check_names(s, request, err);

	if (r < 0)
		return r;
	if (m && m->timer && clock_boot_ms() - m->sampled_ms <= FRESH_MS) {
		m->asked_ms = clock_boot_ms();
		answer_question(s, request);
		return 0;
	}
	if (!m) {
		s->hive->metering = m = mem_new(1, sizeof(*m));
		m->hive = s->hive;
	}
	if (m->timer || m->began_ms == 0) {
		timer_cancel(m->timer);
		m->timer = NULL;
		begin_sample(m);
	}
	m->asked_ms = clock_boot_ms();
	question = mem_new(1, sizeof(*question));
	*question = (struct question){.session = session_ref(s),
				      .request = json_deep_copy(request),
				      .next = m->questions};
	m->questions = question;
	return HANDLED_LATER;
}
