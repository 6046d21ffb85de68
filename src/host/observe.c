/* observe: what skepd's own sandbox cannot see of this machine and of its containers. */
#include "host/verbs_inside.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "host/checks.h"
#include "host/checks_nix.h"
#include "host/checks_port.h"
#include "host/metering.h"
#include "host/outside.h"
#include "host/ports.h"
#include "host/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The agent whose id range holds uid, by the specifications of those that were started. */
static void find_agent(const struct place *place, uid_t uid, char ret[AGENT_NAME_MAX + 1])
{
	_cleanup_free_ char *path = str_format("%s/spec", place->runtime);
	_cleanup_closedir_ DIR *dir = opendir(path);
	struct dirent *entry;

	ret[0] = '\0';
	while (dir && (entry = readdir(dir)) && ret[0] == '\0') {
		struct container_spec spec = {};

		if (entry->d_name[0] == '.' ||
		    spec_read(dirfd(dir), entry->d_name, &spec, NULL) < 0)
			continue;
		if (uid >= spec.uid_base && uid - spec.uid_base < UID_RANGE)
			memcpy(ret, spec.agent, sizeof(spec.agent));
		spec_release(&spec);
	}
}

/* The first id of an agent that was started before; 0 when it was not. */
static int find_base(const struct place *place, const char *agent, uid_t *ret,
		     struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/spec/%s.json", place->runtime, agent);
	struct container_spec spec = {};
	int r = spec_read(AT_FDCWD, path, &spec, err);

	*ret = r == 0 ? spec.uid_base : 0;
	spec_release(&spec);
	return r == -ENOENT ? 0 : r;
}

/* Which port it is about, and whose programs are passed over. */
static int read_port(const struct verb_request *request, uint16_t *ret, uid_t *ret_except,
		     struct error *err)
{
	const char *agent = NULL;
	uid_t base = 0;
	int64_t port = 0;
	int r = json_get_int(request->arguments, "port", true, 1, 65535, &port, err);

	if (r >= 0)
		r = json_get_str(request->arguments, "agent", false, &agent, err);
	if (r >= 0 && agent)
		r = find_base(request->place, agent, &base, err);
	if (r < 0)
		return r;
	*ret = (uint16_t)port;
	*ret_except = base;
	return 0;
}

/* Who listens on it, the agent's own programs apart when one is named. */
static int observe_port(struct verb_request *request, json_t *answer, struct error *err)
{
	char agent[AGENT_NAME_MAX + 1];
	struct listener found;
	uid_t except_base;
	json_t *listener;
	uint16_t port;
	int r = read_port(request, &port, &except_base, err);

	if (r >= 0)
		r = port_find_listener(port, except_base, &found, err);
	if (r <= 0)
		return r;
	find_agent(request->place, found.uid, agent);
	listener = json_object();
	json_object_set_new(listener, "pid", json_integer(found.pid));
	json_object_set_new(listener, "name", json_string(found.name));
	json_put_str(listener, "agent", agent[0] ? agent : NULL);
	json_object_set_new(answer, "listener", listener);
	return 0;
}

static int observe_tcp(struct verb_request *request, json_t *answer, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct container_spec spec = {};
	const char *agent;
	int64_t port;
	bool open = false;
	pid_t leader;
	uid_t base;
	int r = json_get_str(request->arguments, "agent", true, &agent, err);

	if (r >= 0)
		r = json_get_int(request->arguments, "port", true, 1, 65535, &port, err);
	if (r >= 0)
		r = verb_find_leader(request, agent, &leader, err);
	if (r < 0)
		return r;
	path = str_format("%s/spec/%s.json", request->place->runtime, agent);
	r = spec_read(AT_FDCWD, path, &spec, err);
	if (r < 0)
		return r;
	base = spec.uid_base;
	spec_release(&spec);
	r = port_is_open(leader, (uint16_t)port, base, &open, err);
	if (r < 0)
		return r;
	json_object_set_new(answer, "open", json_boolean(open));
	return 0;
}

#define ROWS_AT_ONCE 200 /* one message holds that many */

/* Of every container that runs: {"usage":[{"agent",…}]}, in several answers when they are many.
 */
static int observe_all(struct verb_request *request, json_t *answer, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/spec", request->place->runtime);
	_cleanup_closedir_ DIR *dir = opendir(path);
	json_t *rows = json_array();
	struct dirent *entry;
	int r = dir || errno == ENOENT ? 0
				       : error_set_errno(err, errno, "cannot list '%s'", path);

	json_object_set_new(answer, "usage", rows);
	while (dir && r >= 0 && (entry = readdir(dir))) {
		_cleanup_free_ char *agent =
			str_dup_n(entry->d_name, strcspn(entry->d_name, "."));
		struct container_state state;
		struct usage usage;
		json_t *row;

		if (name_check(agent, NULL) < 0 ||
		    request->supervisor->inspect(request->place, agent, &state, NULL) < 0 ||
		    state.leader == 0 || metering_read(state.leader, &usage, NULL) < 0)
			continue; /* it ends meanwhile */
		row = json_pack("{s:s}", "agent", agent);
		usage_to_json(&usage, row);
		json_array_append_new(rows, row);
		if (json_array_size(rows) < ROWS_AT_ONCE)
			continue;
		r = verb_send_partial(request, json_pack("{s:O}", "usage", rows), -1, err);
		(void)json_array_clear(rows);
	}
	return r;
}

static int observe_usage(struct verb_request *request, json_t *answer, struct error *err)
{
	struct usage usage;
	const char *agent = NULL;
	pid_t leader;
	int r = json_get_str(request->arguments, "agent", false, &agent, err);

	if (r == 0 && !agent)
		return observe_all(request, answer, err);
	if (r >= 0)
		r = verb_find_leader(request, agent, &leader, err);
	if (r >= 0)
		r = metering_read(leader, &usage, err);
	if (r < 0)
		return r;
	usage_to_json(&usage, answer);
	return 0;
}

/* port: the dashboard's, where one is served */
static int observe_host(struct verb_request *request, json_t *answer, struct error *err)
{
	json_t *checks = checks_run(request->place, request->supervisor);
	int64_t port = 0;
	int r = json_get_int(request->arguments, "port", false, 1, UINT16_MAX, &port, err);

	if (port > 0)
		checks_port(checks, (uint16_t)port);
	if (json_is_true(json_object_get(request->arguments, "nix")))
		check_nix(checks);
	json_object_set_new(answer, "checks", checks);
	return r;
}

static int observe_here(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *what;
	int r = json_get_str(request->arguments, "what", true, &what, err);

	if (r < 0)
		return r;
	if (!strcmp(what, "port"))
		return observe_port(request, answer, err);
	if (!strcmp(what, "tcp"))
		return observe_tcp(request, answer, err);
	if (!strcmp(what, "usage"))
		return observe_usage(request, answer, err);
	if (!strcmp(what, "host"))
		return observe_host(request, answer, err);
	return error_set(err, EINVAL, "'what' is none of port, tcp, usage, host: '%.32s'",
			 what);
}

/* Of the network that the machine's systemd is in, whatever sandbox this is: the kernel tells
 * whether anybody listens, but not who. */
static bool is_free(const struct verb_request *request)
{
	uid_t except_base;
	uint16_t port;

	return read_port(request, &port, &except_base, NULL) >= 0 &&
	       port_is_taken(1, port, except_base, NULL) == 0;
}

int verb_observe(struct verb_request *request, json_t *answer, struct error *err)
{
	const char *what = "";

	/* The control groups of a container can be read from anywhere. */
	if (json_get_str(request->arguments, "what", false, &what, NULL) == 0 &&
	    !strcmp(what, "usage"))
		return observe_here(request, answer, err);
	/* Nobody is there to be named. */
	if (request->supervisor == &supervisor_systemd && !strcmp(what, "port") &&
	    is_free(request))
		return 0;
	return outside_run(request, "observe", observe_here, answer, err);
}
