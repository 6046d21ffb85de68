#include "skep-exec/files.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/dirwatch.h"
#include "base/log.h"
#include "host/dropins.h"
#include "host/nixos_owner.h"
#include "host/systemd.h"
#include "skep-exec/agent.h"

#include <stdlib.h>

#define PAUSE_MS 1000 /* ours are written in bursts */

struct files {
	struct loop *loop;
	const struct options *options;
	struct dirwatch *watch;
	struct timer *timer; /* NULL: nothing was told of lately */
	bool again;          /* something changed since */
	void (*fn)(void *data);
	void *data;
};

static void on_pause_over(void *data)
{
	struct files *f = data;

	f->timer = NULL;
	if (!f->again)
		return;
	f->again = false;
	f->timer = loop_timer(f->loop, PAUSE_MS, on_pause_over, f);
	f->fn(f->data);
}

static void on_change(const char *dir, const char *name, void *data)
{
	struct files *f = data;

	(void)dir;
	(void)name;
	f->again = true;
	/* what belongs together is written within moments */
	if (!f->timer)
		f->timer = loop_timer(f->loop, PAUSE_MS / 10, on_pause_over, f);
}

static int on_agent(const char *agent, void *data, struct error *err)
{
	(void)err;
	files_watch(data, agent);
	return 0;
}

struct files *files_new(struct loop *loop, const struct options *options,
			void (*fn)(void *data), void *data)
{
	struct files *f = mem_new(1, sizeof(*f));
	_cleanup_free_ char *specs = str_format("%s/spec", options->place.runtime);
	struct error err = {};

	*f = (struct files){.loop = loop, .options = options, .fn = fn, .data = data};
	if (dirwatch_new(loop, on_change, f, &f->watch, &err) < 0 ||
	    dirwatch_add(f->watch, specs, &err) < 0)
		log_line(LOG_WARNING, "%s", error_text(&err));
	(void)agent_each(&options->place, on_agent, f, NULL);
	return f;
}

void files_free(struct files *f)
{
	if (!f)
		return;
	dirwatch_free(f->watch);
	timer_cancel(f->timer);
	free(f);
}

static void watch_nixos(struct files *f, const char *agent)
{
	_cleanup_free_ char *profile = NULL;
	char container[CONTAINER_NAME_SIZE];

	name_container(container, agent);
	profile = str_format(NIXOS_PROFILES "/%s", container);
	(void)dirwatch_add(f->watch, NIXOS_CONF_DIR, NULL);
	(void)dirwatch_add(f->watch, profile, NULL);
}

void files_watch(struct files *f, const char *agent)
{
	const struct place *place = &f->options->place;
	_cleanup_free_ char *runtime = str_format("%s/agents/%s", place->runtime, agent);
	_cleanup_free_ char *state = str_format("%s/agents/%s", place->state, agent);
	_cleanup_free_ char *dropin = NULL;
	char unit[SYSTEMD_UNIT_NAME_SIZE];

	if (!f->watch)
		return;
	(void)dirwatch_add(f->watch, runtime, NULL);
	(void)dirwatch_add(f->watch, state, NULL);
	if (f->options->standalone)
		return;
	if (nixos_owned(place, agent))
		watch_nixos(f, agent);
	dropin = str_format(DROPIN_ROOT "/%s.d", systemd_unit_name(unit, place, agent));
	(void)dirwatch_add(f->watch, dropin, NULL);
}
