#include "control/preview.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "control/candidate.h"
#include "control/container.h"
#include "control/systems.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 300
#define KEPT 32 /* newest results; an older one is made again when it is asked for */

enum preview_state { PREVIEW_BUILDING, PREVIEW_READY, PREVIEW_FAILED };

struct preview {
	int64_t id;                     /* of the proposal */
	char agent[AGENT_NAME_MAX + 1]; /* as it was called when this was begun */
	enum preview_state state;
	char system[SYSTEM_SIZE], against[SYSTEM_SIZE];
	char *error;
	json_t *effect;
	struct op *op; /* what the build is asked for; in nobody's line */
	bool outdated; /* made of what has changed since */
	bool released; /* decided, and its system let go */
	struct preview *next;
};

struct previews {
	struct preview *first; /* newest first */
	struct timer *timer;
	bool busy;
	bool swept; /* what an earlier run of the controller left was let go */
};

static void preview_free(struct preview *p)
{
	if (p->op)
		json_decref(p->op->answer);
	free(p->op);
	free(p->error);
	json_decref(p->effect);
	free(p);
}

void previews_free(struct hive *hive)
{
	struct preview *next;

	if (!hive->previews)
		return;
	timer_cancel(hive->previews->timer);
	for (struct preview *p = hive->previews->first; p; p = next) {
		next = p->next;
		preview_free(p);
	}
	free(hive->previews);
	hive->previews = NULL;
}

static struct preview *find(const struct hive *hive, int64_t id)
{
	struct preview *p = hive->previews ? hive->previews->first : NULL;

	while (p && p->id != id)
		p = p->next;
	return p;
}

static void forget_oldest(struct previews *all)
{
	struct preview **at = &all->first;

	for (int i = 0; *at && i < KEPT; i++)
		at = &(*at)->next;
	while (*at && (*at)->state != PREVIEW_BUILDING) {
		struct preview *old = *at;

		*at = old->next;
		preview_free(old);
	}
}

/* Takes it out, and frees it. */
static void drop(struct previews *all, struct preview *p)
{
	struct preview **at = &all->first;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	preview_free(p);
}

static void settle(struct hive *hive, struct preview *p, const struct error *err)
{
	p->state = err ? PREVIEW_FAILED : PREVIEW_READY;
	p->error = err ? str_dup(error_text(err)) : NULL;
	free(TAKE_PTR(p->op));
	hive->previews->busy = false;
	if (p->outdated)
		drop(hive->previews, p);
	forget_oldest(hive->previews);
	preview_look(hive);
}

/* ---- comparing ---- */

static void on_compared(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
			void *data)
{
	struct preview *p = data;
	const char *text = json_string_value(json_object_get(answer, "effect"));
	struct error why = {};

	(void)fds;
	(void)n_fds;
	if (answer && (!text || json_parse(text, strlen(text), &p->effect, &why) < 0)) {
		error_prefix(&why, "what differs is not known");
		err = &why;
	}
	settle(p->op->hive, p, answer && p->effect ? NULL : err);
}

static void compare(struct preview *p, const struct agent *agent)
{
	struct hive *hive = p->op->hive;
	json_t *arguments = json_pack("{s:s}", "system", p->system);
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)systems_of(hive, agent, agent->settings.deployed, p->against, NULL);
	if (system_is_store(p->against))
		json_object_set_new(arguments, "against", json_string(p->against));
	(void)executor_call(hive->executor, "effect", container_arguments(agent, arguments),
			    &null_fd, 1, on_compared, p);
	(void)close(null_fd);
}

/* ---- building ---- */

static void on_forgotten(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
			 void *data)
{
	(void)fds;
	(void)n_fds;
	(void)data;
	if (!answer)
		log_line(LOG_WARNING, "a preview's system was not let go: %s", error_text(err));
}

/* Its agent was renamed or is gone: what was built for that name keeps nobody's system. */
static void forget_roots(struct hive *hive, const char *agent)
{
	if (!hive_find(hive, agent))
		(void)executor_call(hive->executor, "gcroots",
				    json_pack("{s:s,s:[]}", "agent", agent, "keep"), NULL, 0,
				    on_forgotten, NULL);
}

static void on_built(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		     void *data)
{
	struct preview *p = data;
	struct op *op = p->op;
	const struct proposal *proposal = hive_find_proposal(op->hive, p->id);
	const char *system = json_string_value(json_object_get(answer, "system"));
	struct agent *agent = proposal ? hive_find(op->hive, proposal->agent) : NULL;
	struct error gone = {};

	(void)fds;
	(void)n_fds;
	candidate_forget(op->hive, p->agent);
	if (answer)
		forget_roots(op->hive, p->agent);
	if (answer && (!agent || !system || !system_is_store(system))) {
		error_set(&gone, ENOENT, "there is nothing to compare any more");
		err = &gone;
	}
	if (err && (!answer || gone.err)) {
		settle(op->hive, p, err);
		return;
	}
	snprintf(p->system, sizeof(p->system), "%s", system);
	compare(p, agent);
}

static void begin(struct hive *hive, struct agent *agent, const struct proposal *proposal)
{
	_cleanup_free_ char *message = str_format("preview %" PRId64, proposal->id);
	struct preview *p = mem_new(1, sizeof(*p));
	_cleanup_close_ int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	json_t *arguments = NULL;
	struct error err = {};

	p->id = proposal->id;
	snprintf(p->agent, sizeof(p->agent), "%s", proposal->agent);
	p->state = PREVIEW_BUILDING;
	p->op = mem_new(1, sizeof(*p->op));
	p->op->hive = hive;
	p->op->agent = agent;
	p->op->preview = true;
	memcpy(p->op->commit, proposal->commit, sizeof(p->op->commit));
	memcpy(p->op->tree, proposal->tree, sizeof(p->op->tree));
	p->next = hive->previews->first;
	hive->previews->first = p;
	hive->previews->busy = true;
	if (candidate_make(p->op, proposal->id, message, &arguments, &err) < 0) {
		settle(hive, p, &err);
		return;
	}
	p->op->agent = NULL; /* it may be gone when the answer comes */
	(void)executor_call(hive->executor, "build", arguments, &null_fd, 1, on_built, p);
}

static bool is_idle(const struct hive *hive)
{
	if (hive->stopping || hive->imports > 0 || hive->builds.used > 0 ||
	    hive->starts.used > 0)
		return false;
	for (size_t i = 0; i < hive->n_agents; i++)
		if (hive->agents[i]->ops)
			return false;
	return true;
}

/* ---- letting go ---- */

void previews_keep(const struct hive *hive, const struct agent *agent, json_t *list)
{
	const struct preview *p = hive->previews ? hive->previews->first : NULL;

	for (; p; p = p->next) {
		const struct proposal *proposal = hive_find_proposal(hive, p->id);

		if (p->system[0] && !p->outdated && proposal && proposal_is_pending(proposal) &&
		    strcmp(proposal->agent, agent->settings.name) == 0 &&
		    !json_holds(list, p->system))
			json_array_append_new(list, json_string(p->system));
	}
}

void previews_forget(struct hive *hive)
{
	struct preview *next;

	if (!hive->previews)
		return;
	for (struct preview *p = hive->previews->first; p; p = next) {
		next = p->next;
		if (p->state == PREVIEW_BUILDING)
			p->outdated = true;
		else
			drop(hive->previews, p);
	}
	preview_look(hive);
}

static void release(struct hive *hive, const char *name)
{
	struct agent *agent = hive_find(hive, name);

	if (agent && !agent->unborn && !agent->dying)
		systems_release(hive, agent);
}

/* Of what was turned down or withdrawn nobody needs the system. Nothing is being built now. */
static void release_decided(struct hive *hive)
{
	struct previews *all = hive->previews;

	for (size_t i = 0; i < hive->n_agents && !all->swept; i++)
		release(hive, hive->agents[i]->settings.name);
	all->swept = true;
	for (struct preview *p = all->first; p; p = p->next) {
		const struct proposal *proposal = hive_find_proposal(hive, p->id);

		if (p->released || (proposal && !proposal_is_final(proposal)))
			continue;
		p->released = true;
		if (proposal && p->system[0] && proposal->state != PROPOSAL_DEPLOYED)
			release(hive, proposal->agent);
	}
}

static void on_look(void *data)
{
	struct hive *hive = data;

	hive->previews->timer = NULL;
	if (hive->previews->busy || !is_idle(hive) || !hive->inputs)
		return; /* the end of what goes on is another look */
	release_decided(hive);
	for (size_t i = hive->first_open; i < hive->n_proposals; i++) {
		const struct proposal *p = hive->proposals[i];
		struct agent *agent = hive_find(hive, p->agent);

		if (!proposal_is_pending(p) || proposal_is_of_hive(p) || !agent ||
		    agent->unborn || agent->dying || agent->settings.builder != BUILDER_NIX ||
		    find(hive, p->id))
			continue;
		begin(hive, agent, p);
		return;
	}
}

void preview_look(struct hive *hive)
{
	if (!hive->executor || hive->stopping)
		return;
	if (!hive->previews)
		hive->previews = mem_new(1, sizeof(*hive->previews));
	if (!hive->previews->timer && !hive->previews->busy)
		hive->previews->timer = loop_timer(hive->loop, LOOK_MS, on_look, hive);
}

json_t *preview_of(const struct hive *hive, const struct proposal *proposal)
{
	static const char *const names[] = {
		[PREVIEW_BUILDING] = "building",
		[PREVIEW_READY] = "ready",
		[PREVIEW_FAILED] = "failed",
	};
	const struct preview *p = find(hive, proposal->id);
	json_t *row = p && p->effect ? json_deep_copy(p->effect) : json_object();

	json_object_set_new(row, "state", json_string(p ? names[p->state] : "none"));
	if (!p)
		return row;
	json_put_str(row, "error", p->error);
	json_put_str(row, "system", p->system[0] ? p->system : NULL);
	json_put_str(row, "against", p->against[0] ? p->against : NULL);
	return row;
}
