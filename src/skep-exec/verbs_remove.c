/* destroy and purge: by descriptor, never following what a container left behind, and looked at
 * afterwards. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "host/driver.h"
#include "host/gcroot.h"
#include "host/lock.h"
#include "host/outside.h"
#include "host/verbs_inside.h"
#include "skep-exec/agent.h"
#include "skep-exec/table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define STOP_MS 30000

/* Removes dir/below/name and makes sure. */
static int remove_one(const char *dir, const char *below, const char *name, struct error *err)
{
	_cleanup_close_ int fd = place_open(dir, below, err);
	struct stat st;
	int r = fd < 0 ? fd : file_remove_tree(fd, name, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
		return error_set(err, EBUSY, "'%s/%s/%s' is still there", dir, below, name);
	return 0;
}

static int destroy(struct verb_request *request, const char *agent, struct error *err)
{
	const struct supervisor *s = request->supervisor;
	const struct place *place = request->place;
	const struct driver *driver = driver_of(place, agent);
	_cleanup_free_ char *spec = str_format("%s.json", agent);
	struct container_state state;
	struct error ignored = {};
	int r;

	(void)freeze_thaw(request, agent, &ignored);
	r = driver->stop(request, agent, STOP_MS, err);

	if (r == 0)
		r = s->forget(place, agent, err);
	if (r == 0)
		r = s->inspect(place, agent, &state, err);
	if (r == 0 && (state.nspawn_pid != 0 || state.leader != 0))
		r = error_set(err, EBUSY, "the container of '%s' is still running", agent);
	if (r == 0)
		r = driver->destroy(request, agent, err);
	if (r == 0)
		r = gcroot_keep(place, agent, NULL, err);
	if (r == 0)
		r = remove_one(place->runtime, "spec", spec, err);
	if (r == 0)
		r = remove_one(place->runtime, "agents", agent, err);
	return r;
}

/* What belongs to nixos-container is outside of this process's sandbox. */
static bool is_outside(const struct verb_request *request)
{
	return driver_of(request->place, agent_of(request)) != &driver_nspawn;
}

static int destroy_here(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request);
	_cleanup_close_ int lock = lock_agent(request->place, agent, err);

	(void)answer;
	return lock < 0 ? lock : destroy(request, agent, err);
}

static int purge_here(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request), *state = request->place->state;
	_cleanup_close_ int lock = lock_agent(request->place, agent, err);
	int r = lock < 0 ? lock : destroy(request, agent, err);

	(void)answer;
	if (r == 0)
		r = remove_one(state, "agents", agent, err);
	if (r == 0)
		r = remove_one(state, "proposed", agent, err);
	return r;
}

int verb_destroy(struct verb_request *request, json_t *answer, struct error *err)
{
	return is_outside(request) ? outside_run(request, "destroy", destroy_here, answer, err)
				   : destroy_here(request, answer, err);
}

int verb_purge(struct verb_request *request, json_t *answer, struct error *err)
{
	return is_outside(request) ? outside_run(request, "purge", purge_here, answer, err)
				   : purge_here(request, answer, err);
}
