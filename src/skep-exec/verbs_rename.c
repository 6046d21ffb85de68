/* rename: what is called by an agent's name is called by another one. All of it or nothing. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "host/driver.h"
#include "host/gcroot.h"
#include "host/lock.h"
#include "host/outside.h"
#include "skep-exec/agent.h"
#include "skep-exec/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_MS 30000

/* Below the state directory. Roots go along, so that what the container made of its root stays.
 */
static const char *const moved[] = {"agents", "proposed", "roots"};
#define N_MOVED (sizeof(moved) / sizeof(moved[0]))

/* 1: it was moved; 0: that was done before, or there is nothing of that kind. */
static int move_one(const struct place *place, const char *below, const char *from,
		    const char *to, struct error *err)
{
	_cleanup_close_ int fd = place_open(place->state, below, err);

	if (fd < 0)
		return fd;
	if (renameat2(fd, from, fd, to, RENAME_NOREPLACE) < 0)
		return errno == ENOENT ? 0
				       : error_set_errno(err, errno, "cannot call '%s/%s' '%s'",
							 below, from, to);
	return fsync(fd) < 0 ? error_set_errno(err, errno, "cannot sync '%s'", below) : 1;
}

/* -EEXIST before anything is touched: somebody has the place already. */
static int check_place(struct verb_request *request, const struct driver *driver,
		       const char *from, const char *to, struct error *err)
{
	const struct place *place = request->place;

	for (size_t i = 0; i < N_MOVED; i++) {
		_cleanup_close_ int fd = place_open(place->state, moved[i], err);
		struct stat st;

		if (fd < 0)
			return fd;
		if (fstatat(fd, from, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    fstatat(fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return error_set(err, EEXIST, "there is something at '%s/%s' already",
					 moved[i], to);
	}
	return driver->check_name(request, to, err);
}

static int move_all(const struct place *place, const char *from, const char *to,
		    struct error *err)
{
	bool done[N_MOVED] = {};
	int r = 0;

	for (size_t i = 0; i < N_MOVED && r >= 0; i++) {
		r = move_one(place, moved[i], from, to, err);
		done[i] = r > 0;
	}
	if (r >= 0)
		r = gcroot_rename(place, from, to, err);
	for (size_t i = 0; i < N_MOVED && r < 0; i++)
		if (done[i])
			(void)move_one(place, moved[i], to, from, NULL);
	return r < 0 ? r : 0;
}

/* What the next start makes anew. */
static int forget(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_free_ char *spec = str_format("%s.json", agent);
	_cleanup_close_ int specs = place_open(place->runtime, "spec", err);
	_cleanup_close_ int agents = specs < 0 ? -1 : place_open(place->runtime, "agents", err);
	int r = specs < 0 ? specs : agents;

	if (r >= 0)
		r = file_remove_tree(specs, spec, err);
	return r < 0 ? r : file_remove_tree(agents, agent, err);
}

static int stop(struct verb_request *request, const struct driver *driver, const char *agent,
		struct error *err)
{
	struct container_state state;
	int r = driver->stop(request, agent, STOP_MS, err);

	if (r == 0)
		r = request->supervisor->forget(request->place, agent, err);
	if (r == 0)
		r = request->supervisor->inspect(request->place, agent, &state, err);
	if (r == 0 && (state.nspawn_pid != 0 || state.leader != 0))
		r = error_set(err, EBUSY, "the container of '%s' is still running", agent);
	return r;
}

static int rename_agent(struct verb_request *request, const char *from, const char *to,
			struct error *err)
{
	const struct driver *driver = driver_of(request->place, from);
	int r = check_place(request, driver, from, to, err);

	if (r == 0)
		r = stop(request, driver, from, err);
	if (r == 0)
		r = move_all(request->place, from, to, err);
	if (r < 0)
		return r;
	r = driver->rename(request, from, to, err);
	if (r == 0)
		r = forget(request->place, from, err);
	if (r == 0)
		return 0;
	(void)driver->rename(request, to, from, NULL);
	(void)move_all(request->place, to, from, NULL);
	return r;
}

static int rename_here(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *from = agent_of(request),
		   *to = json_string_value(json_object_get(request->arguments, "to"));
	bool from_first = strcmp(from, to) < 0;
	_cleanup_close_ int one = -1, other = -1;

	(void)answer;
	if (strcmp(from, to) == 0 || name_is_manager(from) || name_is_manager(to))
		return error_set(err, EINVAL, "'%s' cannot be called '%s'", from, to);
	one = lock_agent(request->place, from_first ? from : to, err);
	if (one < 0)
		return one;
	other = lock_agent(request->place, from_first ? to : from, err);
	return other < 0 ? other : rename_agent(request, from, to, err);
}

/* What belongs to nixos-container is outside of this process's sandbox. */
int verb_rename(struct verb_request *request, json_t *answer, struct error *err)
{
	return driver_of(request->place, agent_of(request)) == &driver_nspawn
		       ? rename_here(request, answer, err)
		       : outside_run(request, "rename", rename_here, answer, err);
}
