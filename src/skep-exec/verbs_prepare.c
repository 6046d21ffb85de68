/* hello, prepare, agent-socket: what skepd asks for before there is a container. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sock.h"
#include "host/cgroup.h"
#include "host/lock.h"
#include "skep-exec/agent.h"
#include "skep-exec/table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int verb_hello(struct verb_request *request, json_t *answer, struct error *err)
{
	unsigned mask = 0;
	char reason[160] = "";
	json_t *limits;
	int r = request->supervisor->enforced(request->place, &mask, reason, err);

	if (r < 0)
		return r;
	limits = json_pack("{s:b, s:b, s:b}", "memory", (mask & CGROUP_MEMORY) != 0, "cpu",
			   (mask & CGROUP_CPU) != 0, "tasks", (mask & CGROUP_TASKS) != 0);
	if (reason[0])
		json_put_str(limits, "reason", reason);
	json_put_str(answer, "mode", request->supervisor->name);
	json_put_str(answer, "version", SKEP_VERSION);
	json_object_set_new(answer, "limits", limits);
	return 0;
}

static int get_base(const struct verb_request *request, uid_t *ret, struct error *err)
{
	int64_t base = 0;
	int r = json_get_int(request->arguments, "uid_base", true, 0, UINT32_MAX, &base, err);

	if (r == 0)
		*ret = (uid_t)base;
	return r;
}

int verb_prepare(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request), *role = NULL;
	_cleanup_close_ int lock = -1;
	uid_t base = 0;
	int r = json_get_str(request->arguments, "role", true, &role, err);

	(void)answer;
	if (r == 0 && strcmp(role, name_is_manager(agent) ? "manager" : "agent") != 0)
		r = error_set(err, EINVAL, "'role' does not fit '%s': the manager is '%s'",
			      agent, MANAGER_NAME);
	if (r == 0)
		r = get_base(request, &base, err);
	if (r < 0)
		return r;
	lock = lock_agent(request->place, agent, err);
	if (lock < 0)
		return lock;
	r = place_make(request->place, err);
	return r < 0 ? r : agent_make(request->place, agent, base, err);
}

int verb_agent_socket(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *agent = agent_of(request);
	_cleanup_free_ char *path =
		str_format("%s/agents/%s/agent.sock", request->place->runtime, agent);
	uid_t base = 0;
	int r = get_base(request, &base, err), fd;

	(void)answer;
	if (r == 0)
		r = agent_make(request->place, agent, base, err);
	if (r < 0)
		return r;
	/* The directory is root's, so nothing can be planted there between binding and owning.
	 */
	fd = sock_listen(path, SOCK_STREAM, 0600, base, base, err);
	if (fd < 0)
		return fd;
	request->answer_fd = fd;
	return 0;
}

/* The marker is what the agent's harness in the container looks for: /run/hive/paused. */
int verb_pause(struct verb_request *request, json_t *answer, struct error *err)
{
	_cleanup_free_ char *path =
		str_format("%s/agents/%s/paused", request->place->runtime, agent_of(request));
	_cleanup_close_ int lock = lock_agent(request->place, agent_of(request), err);
	bool paused = json_is_true(json_object_get(request->arguments, "paused"));

	(void)answer;
	if (lock < 0)
		return lock;
	if (paused)
		return file_write_atomic(AT_FDCWD, path, "", 0, 0644, err);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "cannot remove '%s'", path);
	return 0;
}
