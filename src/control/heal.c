#include "control/heal.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/container.h"
#include "control/deploy.h"
#include "control/drift.h"
#include "control/journal.h"
#include "control/lifecycle.h"
#include "control/op.h"
#include "control/reconcile.h"
#include "control/server.h"
#include "git/refs.h"

#include <string.h>

#define PAUSE_FIRST_MS 2000
#define PAUSE_LAST_MS 300000
#define STEADY_MS 600000 /* after so long without a difference the pauses begin anew */

#define CONF_LINE "conf " /* of nixos-container's conf file, by its key */

/* From the mildest to the one that includes the others. */
enum remedy {
	REMEDY_NONE, /* somebody has to look: a foreign listener, a crash loop */
	REMEDY_MAIN,
	REMEDY_MARKER,
	REMEDY_SOCKET,
	REMEDY_LIMITS,
	REMEDY_FILES,
	REMEDY_RESTART,
	REMEDY_STOP,
};

static enum remedy remedy_of(const struct agent *agent, const char *field)
{
	static const struct {
		const char *field;
		enum remedy remedy;
	} known[] = {
		{"listener", REMEDY_NONE},     {"restarts", REMEDY_NONE},
		{"quarantine", REMEDY_NONE},   {"main", REMEDY_MAIN},
		{"paused", REMEDY_MARKER},     {"socket", REMEDY_SOCKET},
		{"memory_max", REMEDY_LIMITS}, {"cpu_quota", REMEDY_LIMITS},
		{"tasks_max", REMEDY_LIMITS},  {"drop-in", REMEDY_LIMITS},
		{"conf", REMEDY_FILES},        {"profile", REMEDY_FILES},
	};

	/*
	 * What is down and should not be is owed, which has its own pauses (control/owed.h).
	 * One that is only starting does not hear yet that it should stop.
	 */
	if (strcmp(field, "state") == 0)
		return !agent->settings.running && strcmp(agent->state, "running") == 0
			       ? REMEDY_STOP
			       : REMEDY_NONE;
	if (strncmp(field, CONF_LINE, strlen(CONF_LINE)) == 0)
		return REMEDY_FILES;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(field, known[i].field) == 0)
			return known[i].remedy;
	return REMEDY_RESTART;
}

static bool has(unsigned set, enum remedy remedy)
{
	return set & 1u << remedy;
}

static unsigned remedies(const struct agent *agent, struct buf *fields)
{
	unsigned set = 0;
	json_t *row;
	size_t i;

	json_array_foreach (agent->drift, i, row) {
		const char *field = json_string_value(json_object_get(row, "field"));
		enum remedy remedy = remedy_of(agent, field);

		if (remedy == REMEDY_NONE)
			continue;
		set |= 1u << remedy;
		buf_addf(fields, "%s%s", fields->size ? ", " : "", field);
	}
	return set;
}

/* ---- the remedies ---- */

static void on_told(struct hive *hive, const char *agent, const struct error *err, void *data)
{
	(void)agent;
	(void)err; /* it was logged; the next look sees whether it helped */
	(void)data;
	reconcile_soon(hive);
}

static void move_main(struct agent *agent)
{
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char now[OID_HEX_SIZE] = "";
	struct error err = {};
	int r = hive_open_applied(agent->hive, agent->settings.name, &repo, &err);

	if (r == 0) {
		(void)refs_read(repo, "refs/heads/main", now, NULL);
		r = refs_move(repo, "refs/heads/main", agent->settings.revision,
			      now[0] ? now : NULL, &err);
	}
	if (r < 0)
		log_event(LOG_ERR, error_text(&err), "SKEP_AGENT", agent->settings.name, NULL);
	reconcile_soon(agent->hive);
}

/* The old one leads nowhere any more. */
static void open_socket_again(struct agent *agent)
{
	server_forget_agent(agent);
	if (agent->hive->keep_socket)
		agent->hive->keep_socket(agent->hive, agent->settings.name, -1);
	lifecycle_open_socket(agent->hive, agent);
}

static void restart(struct agent *agent)
{
	struct op *op;

	/* another system is switched to while the old one runs; the same one has to stop first
	 */
	if (drift_names(agent, "system"))
		(void)deploy_again(agent, "heal", NULL, false);
	else
		(void)lifecycle_restart(agent->hive, agent, NULL, 0, &op, NULL);
}

static void tell_limits(struct agent *agent)
{
	struct limits limits = container_limits(agent->hive, agent, agent->settings.revision);

	lifecycle_tell_limits(agent->hive, agent, &limits, on_told, NULL);
}

/* What a start would put right as well, without one. */
static void mend_around(struct agent *agent, unsigned set)
{
	if (has(set, REMEDY_LIMITS))
		tell_limits(agent);
	if (has(set, REMEDY_FILES))
		lifecycle_tell_files(agent->hive, agent, on_told, NULL);
}

static void mend(struct agent *agent, unsigned set)
{
	struct hive *hive = agent->hive;
	struct op *op;

	if (has(set, REMEDY_MAIN))
		move_main(agent);
	if (has(set, REMEDY_MARKER))
		lifecycle_mark_pause(hive, agent, on_told, NULL);
	if (has(set, REMEDY_SOCKET))
		open_socket_again(agent);
	if (has(set, REMEDY_STOP))
		(void)lifecycle_stop(hive, agent, NULL, 0, &op, NULL);
	else if (has(set, REMEDY_RESTART) && !drift_is_quarantined(agent))
		restart(agent);
	else
		mend_around(agent, set);
}

/* ---- whether ---- */

static int64_t next_pause(const struct agent *agent)
{
	int64_t pause = PAUSE_FIRST_MS;

	for (unsigned i = 1; i < agent->heals && pause < PAUSE_LAST_MS; i++)
		pause *= 2;
	return pause < PAUSE_LAST_MS ? pause : PAUSE_LAST_MS;
}

static bool is_same(const struct agent *agent, const char *fields)
{
	return agent->healed && strcmp(agent->healed, fields) == 0;
}

/* Something else than the last time is not held up by how often that came back. */
static bool is_too_soon(const struct agent *agent, const char *fields, int64_t now)
{
	int64_t last = agent->heal_after_ms - next_pause(agent);

	return now < (is_same(agent, fields) ? agent->heal_after_ms : last + PAUSE_FIRST_MS) &&
	       agent->heals > 0;
}

static void remember(struct agent *agent, const char *fields)
{
	agent->heals = is_same(agent, fields) ? agent->heals + 1 : 1;
	free(agent->healed);
	agent->healed = str_dup(fields);
}

void heal_agent(struct agent *agent)
{
	int64_t now = clock_boot_ms();
	_cleanup_buf_ struct buf fields = {};
	_cleanup_free_ char *text = NULL;
	unsigned set = remedies(agent, &fields);

	if (set == 0) {
		if (now - agent->heal_after_ms >= STEADY_MS)
			agent->heals = 0;
		return;
	}
	/* one that is held still is so because somebody wants to look at it as it is */
	if (!reconcile_applies(agent) || agent->frozen || agent->ops || agent->owed_timer ||
	    agent->dying || agent->unborn || agent->hive->stopping ||
	    is_too_soon(agent, buf_str(&fields), now))
		return;
	remember(agent, buf_str(&fields));
	agent->heal_after_ms = now + next_pause(agent);
	text = str_format("'%s' is put right: %s", agent->settings.name, buf_str(&fields));
	log_event(LOG_NOTICE, text, "MESSAGE_ID", JOURNAL_HEAL, "SKEP_AGENT",
		  agent->settings.name, NULL);
	mend(agent, set);
}
