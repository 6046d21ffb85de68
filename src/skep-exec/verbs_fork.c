/* copy-state: what one agent keeps, given to another that does not run yet. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "host/copy_state.h"
#include "host/lock.h"
#include "skep-exec/agent.h"
#include "skep-exec/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_MAX_FILES 1000000
#define STATE_MAX_BYTES (64ull << 30)

/* agents/<agent> below the state directory, root's. */
static int open_home(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_close_ int agents = place_open(place->state, "agents", err);
	int fd;

	if (agents < 0)
		return agents;
	fd = openat(agents, agent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_set_errno(err, errno, "cannot open what '%s' keeps", agent) : fd;
}

/* A directory directly below one of root's, which belongs to the given range's root. */
static int open_owned(int home, const char *name, uid_t base, struct error *err)
{
	_cleanup_close_ int fd =
		openat(home, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, errno, "cannot open '%s'", name);
	if (st.st_uid != base)
		return error_set(err, EPERM, "'%s' belongs to uid %u, not %u", name,
				 (unsigned)st.st_uid, (unsigned)base);
	return TAKE_FD(fd);
}

/*
 * The copy is made beside its place and takes it when it is whole, so that one that was cut
 * short is simply made again.
 */
static int copy_one(int from_home, int home, const char *name, const char *what,
		    struct copy_state *state, struct error *err)
{
	_cleanup_free_ char *temp = str_format(".new-%s", name);
	_cleanup_close_ int from = open_owned(from_home, name, state->from_base, err),
			    into = -1;
	int r;

	if (from < 0)
		return from;
	if ((r = file_remove_tree(home, temp, err)) < 0 ||
	    (r = file_make_dir(home, temp, 0700, state->to_base, state->to_base, err)) < 0)
		return r;
	into = openat(home, temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (into < 0)
		return error_set_errno(err, errno, "cannot open '%s'", temp);
	r = copy_state(from, into, what, state, err);
	if (r == 0 && syncfs(into) < 0)
		r = error_set_errno(err, errno, "cannot sync '%s'", temp);
	if (r == 0 && renameat2(home, temp, home, name, RENAME_EXCHANGE) < 0)
		r = error_set_errno(err, errno, "cannot put '%s' in its place", name);
	(void)file_remove_tree(home, temp, r == 0 ? err : NULL);
	return r;
}

static uid_t id_of(const struct verb_request *request, const char *key)
{
	return (uid_t)json_integer_value(json_object_get(request->arguments, key));
}

static int refuse_running(const struct verb_request *request, const char *agent,
			  struct error *err)
{
	struct container_state state;
	int r = request->supervisor->inspect(request->place, agent, &state, err);

	if (r == 0 && (state.nspawn_pid != 0 || state.leader != 0))
		return error_set(err, EBUSY, "the container of '%s' is running", agent);
	return r;
}

int verb_copy_state(struct verb_request *request, json_t *answer, struct error *err)
{
	static const char *const parts[] = {"state", "claude"};
	const char *agent = agent_of(request),
		   *from = json_string_value(json_object_get(request->arguments, "from"));
	_cleanup_free_ char *what = str_format("what '%s' keeps", from);
	_cleanup_close_ int lock = -1, home = -1, from_home = -1;
	struct copy_state state = {
		.from_base = id_of(request, "from_base"),
		.to_base = id_of(request, "uid_base"),
		.max_files = STATE_MAX_FILES,
		.max_bytes = STATE_MAX_BYTES,
	};
	int r;

	if (strcmp(agent, from) == 0 || state.from_base == state.to_base)
		return error_set(err, EINVAL, "'from' must be another agent");
	if ((lock = lock_agent(request->place, agent, err)) < 0)
		return lock;
	if ((r = refuse_running(request, agent, err)) < 0)
		return r;
	if ((from_home = open_home(request->place, from, err)) < 0)
		return from_home;
	if ((home = open_home(request->place, agent, err)) < 0)
		return home;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && r == 0; i++)
		r = copy_one(from_home, home, parts[i], what, &state, err);
	if (r == 0 && fsync(home) < 0)
		r = error_set_errno(err, errno, "cannot sync what '%s' keeps", agent);
	if (r < 0)
		return r;
	json_object_set_new(answer, "files", json_integer((json_int_t)state.files));
	json_object_set_new(answer, "bytes", json_integer((json_int_t)state.bytes));
	json_object_set_new(answer, "shared_bytes",
			    json_integer((json_int_t)state.shared_bytes));
	json_object_set_new(answer, "left_out", json_integer((json_int_t)state.left_out));
	return 0;
}
