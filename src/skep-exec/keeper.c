#include "skep-exec/keeper.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "host/proc.h"
#include "host/record.h"
#include "host/unit_events.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

struct kept {
	struct keeper *keeper;
	char agent[AGENT_NAME_MAX + 1];
	struct proc_id nspawn;
	int pidfd;
	struct watch *watch;
	LIST_ENTRY(kept) next;
};

struct keeper {
	struct loop *loop;
	const struct options *options;
	struct unit_events *events;
	LIST_HEAD(, kept) list;
	keeper_fn fn;
	void *data;
};

static void on_unit(const char *agent, enum container_run_state state, void *data)
{
	struct keeper *k = data;

	if (!agent || state != CONTAINER_STARTING)
		k->fn(agent, "", false, k->data);
}

int keeper_new(struct loop *loop, const struct options *options, keeper_fn fn, void *data,
	       struct keeper **ret, struct error *err)
{
	struct keeper *k = mem_new(1, sizeof(*k));
	int r = 0;

	k->loop = loop;
	k->options = options;
	k->fn = fn;
	k->data = data;
	LIST_INIT(&k->list);
	if (!options->standalone)
		r = unit_events_new(loop, options->place.state, on_unit, k, &k->events, err);
	if (r < 0) {
		keeper_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

static void kept_free(struct kept *kept)
{
	LIST_REMOVE(kept, next);
	watch_free(kept->watch);
	closep(&kept->pidfd);
	free(kept);
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	while (!LIST_EMPTY(&k->list))
		kept_free(LIST_FIRST(&k->list));
	unit_events_free(k->events);
	free(k);
}

/*
 * How a process ended, when it has become our child: its starter has ended and we are the
 * subreaper. One that another skep-exec started is not, and nobody can say.
 */
static void reap(int pidfd, char text[64], bool *clean)
{
	struct child_exit exit;

	text[0] = '\0';
	*clean = false;
	if (child_wait(pidfd, 0, &exit) < 0)
		return;
	child_exit_text(text, &exit);
	*clean = !exit.signaled && exit.status == 0;
}

static void on_ended(int fd, bool readable, bool writable, void *data)
{
	struct kept *kept = data;
	struct keeper *k = kept->keeper;
	char agent[AGENT_NAME_MAX + 1], text[64];
	bool clean;

	(void)readable;
	(void)writable;
	reap(fd, text, &clean);
	strcpy(agent, kept->agent);
	kept_free(kept);
	k->fn(agent, text, clean, k->data);
}

static struct kept *find(const struct keeper *k, const char *agent)
{
	struct kept *kept;

	for (kept = LIST_FIRST(&k->list); kept; kept = LIST_NEXT(kept, next))
		if (strcmp(kept->agent, agent) == 0)
			return kept;
	return NULL;
}

void keeper_look(struct keeper *k, const char *agent)
{
	_cleanup_record_ struct record record = {};
	struct kept *kept = find(k, agent);
	struct error err = {};
	int pidfd, r;

	if (!k->options->standalone)
		return;
	r = record_read(&k->options->place, agent, &record, &err);
	if (r < 0 && r != -ENOENT)
		log_line(LOG_ERR, "%s", error_text(&err));
	if (r < 0 || record.nspawn.pid == 0 || record.ended)
		return;
	if (kept && kept->nspawn.pid == record.nspawn.pid &&
	    kept->nspawn.start == record.nspawn.start)
		return;
	if (kept)
		kept_free(kept);
	pidfd = proc_open(&record.nspawn, NULL);
	if (pidfd < 0) {
		k->fn(agent, "", false, k->data);
		return;
	}
	kept = mem_new(1, sizeof(*kept));
	kept->keeper = k;
	kept->nspawn = record.nspawn;
	kept->pidfd = pidfd;
	strcpy(kept->agent, agent);
	LIST_INSERT_HEAD(&k->list, kept, next);
	kept->watch = loop_watch(k->loop, pidfd, true, false, on_ended, kept);
}

bool keeper_own(const struct keeper *k, pid_t pid)
{
	const struct kept *kept;

	for (kept = LIST_FIRST(&k->list); kept; kept = LIST_NEXT(kept, next))
		if (kept->nspawn.pid == pid)
			return true;
	return false;
}
