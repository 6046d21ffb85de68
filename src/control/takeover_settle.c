/*
 * After the record: the copies that are still below <state>/import get their places, and what
 * an agent needs beside them is made. Every step can be repeated, and <state>/import goes last,
 * so that a start after a crash goes on with it.
 */
#include "control/takeover.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "control/container.h"
#include "control/lifecycle.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settle {
	struct hive *hive;
	json_t *names; /* of those that were copied */
	size_t i;
	void (*fn)(void *data);
	void *data;
};

static void next(struct settle *s);

static void complain(const struct settle *s, const struct error *err)
{
	const char *name = json_string_value(json_array_get(s->names, s->i));

	log_event(LOG_ERR, error_text(err), "SKEP_AGENT", name, NULL);
}

static void end(struct settle *s)
{
	s->fn(s->data);
	json_decref(s->names);
	free(s);
}

static void on_dropped(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		       void *data)
{
	struct settle *s = data;

	(void)fds;
	(void)n_fds;
	if (!answer)
		complain(s, err);
	end(s);
}

static struct agent *agent_of(const struct settle *s)
{
	return hive_find(s->hive, json_string_value(json_array_get(s->names, s->i)));
}

static void on_remote(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct settle *s = data;
	struct agent *agent = agent_of(s);

	(void)fds;
	(void)n_fds;
	if (!answer)
		complain(s, err);
	if (agent)
		lifecycle_open_socket(s->hive, agent);
	s->i++;
	next(s);
}

static json_t *with_url(const struct agent *agent, bool with_commit)
{
	_cleanup_free_ char *url = str_format("/applied/%s/.git", agent->settings.name);
	json_t *arguments =
		json_pack("{s:I,s:s}", "owner", (json_int_t)hive_manager_uid(), "url", url);

	if (with_commit)
		json_put_str(arguments, "commit", agent->settings.revision);
	return container_arguments(agent, arguments);
}

/* What was copied says "applied" of another place. */
static void on_seeded(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct settle *s = data;
	const struct agent *agent = agent_of(s);

	if (!answer || !agent) {
		on_remote(answer, fds, n_fds, err, data);
		return;
	}
	(void)executor_call(s->hive->executor, "remote", with_url(agent, false), NULL, 0,
			    on_remote, s);
}

/* One that was copied stays as it is; the others begin with what is deployed. */
static void on_prepared(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
			void *data)
{
	struct settle *s = data;
	const struct agent *agent = agent_of(s);

	if (!answer || !agent) {
		on_remote(answer, fds, n_fds, err, data);
		return;
	}
	(void)executor_call(s->hive->executor, "seed", with_url(agent, true), NULL, 0,
			    on_seeded, s);
}

static void next(struct settle *s)
{
	const struct agent *agent;

	while (s->i < json_array_size(s->names) && !agent_of(s))
		s->i++;
	if (s->i == json_array_size(s->names)) {
		(void)executor_call(s->hive->executor, "import-drop", json_object(), NULL, 0,
				    on_dropped, s);
		return;
	}
	agent = agent_of(s);
	(void)executor_call(
		s->hive->executor, "prepare",
		container_arguments(
			agent,
			json_pack("{s:s,s:I}", "role",
				  name_is_manager(agent->settings.name) ? "manager" : "agent",
				  "uid_base", (json_int_t)agent->settings.uid_base)),
		NULL, 0, on_prepared, s);
}

static void on_taken(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		     void *data)
{
	struct settle *s = data;
	json_t *taken = json_object_get(answer, "taken");

	(void)fds;
	(void)n_fds;
	if (!answer) {
		complain(s, err); /* it stays where it is until the next start */
		end(s);
		return;
	}
	s->names = json_is_array(taken) ? json_incref(taken) : json_array();
	next(s);
}

void takeover_resume(struct hive *hive, void (*fn)(void *data), void *data)
{
	_cleanup_free_ char *stage = str_format("%s/import", hive->config->state_dir);
	json_t *names = json_array();
	struct settle *s;

	if (access(stage, F_OK) < 0) {
		json_decref(names);
		fn(data);
		return;
	}
	s = mem_new(1, sizeof(*s));
	*s = (struct settle){.hive = hive, .fn = fn, .data = data};
	for (size_t i = 0; i < hive->n_agents; i++)
		if (!hive->agents[i]->unborn)
			json_array_append_new(names,
					      json_string(hive->agents[i]->settings.name));
	(void)executor_call(hive->executor, "import-take", json_pack("{s:o}", "agents", names),
			    NULL, 0, on_taken, s);
}
