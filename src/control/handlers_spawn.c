/* Verbs that make agents, ask for one, or call one by another name. */
#include "control/waiting.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/sock.h"
#include "base/text.h"
#include "control/lifecycle.h"
#include "control/request.h"
#include "control/rows.h"
#include "control/takeover.h"
#include "wire/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_network(const char *network, int *ret_private, struct error *err)
{
	if (network && strcmp(network, "host") != 0 && strcmp(network, "private") != 0) {
		_cleanup_free_ char *shown = text_clean_dup(network, 60, false);

		return error_set(err, EINVAL,
				 "'network' must be \"host\" or \"private\", not '%s'", shown);
	}
	*ret_private = network ? strcmp(network, "private") == 0 : -1;
	return 0;
}

/* What both verbs say of the agent that is to be; it borrows from the request. */
static int read_wanted(const struct hive *hive, const json_t *request,
		       struct spawn_request *ret, struct error *err)
{
	const char *driver = NULL, *network = NULL, *builder = NULL;
	json_t *labels = NULL;
	int r;

	*ret = (struct spawn_request){.limits = LIMITS_UNSET,
				      .driver = hive->config->driver,
				      .builder = hive->config->builder};
	if ((r = json_get_str(request, "name", true, &ret->name, err)) < 0 ||
	    (r = name_check(ret->name, err)) < 0 ||
	    (r = json_get_str(request, "driver", false, &driver, err)) < 0 ||
	    (driver && (r = driver_kind_parse(driver, &ret->driver, err)) < 0) ||
	    (r = json_get_str(request, "builder", false, &builder, err)) < 0 ||
	    (builder && (r = builder_kind_parse(builder, &ret->builder, err)) < 0) ||
	    (r = json_get_str(request, "network", false, &network, err)) < 0 ||
	    (r = read_network(network, &ret->private_network, err)) < 0 ||
	    (r = json_get_object(request, "labels", false, &labels, err)) < 0 ||
	    (r = limits_from_json(request, &ret->limits, err)) < 0)
		return r;
	ret->labels = labels;
	return 0;
}

int handle_spawn(struct session *s, const json_t *request, struct error *err)
{
	struct spawn_request wanted;
	struct op *op = NULL;
	bool wait = false;
	int r;

	if ((r = read_wanted(s->hive, request, &wanted, err)) < 0 ||
	    (r = json_get_bool(request, "wait", false, &wait, err)) < 0 ||
	    (r = lifecycle_spawn(s->hive, &wanted, &s->actor, &op, err)) < 0)
		return r;
	return answer_for(s, op, wait, wanted.name, 0, false);
}

/* A spawn whose container is there already: nixos-container made it, by somebody's hand. */
int handle_adopt(struct session *s, const json_t *request, struct error *err)
{
	struct spawn_request wanted;
	struct op *op = NULL;
	bool wait = false;
	int r;

	if ((r = read_wanted(s->hive, request, &wanted, err)) < 0 ||
	    (r = json_get_bool(request, "wait", false, &wait, err)) < 0)
		return r;
	wanted.driver = DRIVER_NIXOS_CONTAINER;
	if (!json_object_get(request, "builder"))
		wanted.builder = BUILDER_NIX;
	wanted.adopts = true;
	r = lifecycle_spawn(s->hive, &wanted, &s->actor, &op, err);
	return r < 0 ? r : answer_for(s, op, wait, wanted.name, 0, false);
}

/* What every request is answered with. */
static int answer_request(struct session *s, const struct proposal *p)
{
	json_t *answer = answer_with("id", json_integer(p->id));

	json_object_set_new(answer, "proposal", row_proposal(s->hive, p));
	session_answer(s, answer);
	return 0;
}

int handle_request_spawn(struct session *s, const json_t *request, struct error *err)
{
	struct spawn_request wanted;
	const char *description = NULL;
	struct proposal *p = NULL;
	int r;

	if ((r = read_wanted(s->hive, request, &wanted, err)) < 0 ||
	    (r = json_get_str(request, "description", false, &description, err)) < 0 ||
	    (r = request_spawn(s->hive, &wanted, description, &s->actor, &p, err)) < 0)
		return r;
	return answer_request(s, p);
}

int handle_fork(struct session *s, const json_t *request, struct error *err)
{
	const char *to = NULL, *description = NULL;
	struct proposal *p = NULL;
	struct agent *from;
	int64_t deployed = -1;
	bool state = true;
	int r;

	if ((r = dispatch_child(s, request, "name", &from, err)) < 0 ||
	    (r = json_get_str(request, "to", true, &to, err)) < 0 ||
	    (r = json_get_int(request, "deployed", false, 0, INT64_MAX, &deployed, err)) < 0 ||
	    (r = json_get_bool(request, "state", false, &state, err)) < 0 ||
	    (r = json_get_str(request, "description", false, &description, err)) < 0 ||
	    (r = request_fork(s->hive, from, to, deployed, state, description, &s->actor, &p,
			      err)) < 0)
		return r;
	return answer_request(s, p);
}

int handle_rename(struct session *s, const json_t *request, struct error *err)
{
	const char *to = NULL, *note = NULL;
	struct proposal *p = NULL;
	struct agent *agent;
	struct op *op = NULL;
	bool wait = false;
	int r;

	if ((r = dispatch_agent(s, request, "name", &agent, err)) < 0 ||
	    (r = json_get_str(request, "to", true, &to, err)) < 0 ||
	    (r = name_check(to, err)) < 0 ||
	    (r = json_get_str(request, "note", false, &note, err)) < 0 ||
	    (r = json_get_bool(request, "wait", false, &wait, err)) < 0)
		return r;
	if (note && strlen(note) > NOTE_MAX_BYTES)
		return error_set(err, E2BIG, "'note' has more than %d bytes", NOTE_MAX_BYTES);
	r = request_rename(s->hive, agent, to, note, &s->actor, &p, &op, err);
	return r < 0 ? r : answer_for(s, op, wait, to, p->id, false);
}

/* The directory comes as a descriptor: what its sender may not open is not read for it. */
static int take_directory(struct session *s, int *ret, struct error *err)
{
	int fds[SOCK_MAX_FDS];
	size_t n = conn_take_fds(s->conn, fds);

	for (size_t i = 1; i < n; i++)
		(void)close(fds[i]);
	if (n == 0)
		return error_set(err, EINVAL,
				 "the directory must come with this request, as a "
				 "descriptor");
	*ret = fds[0];
	return 0;
}

static int check_names(const json_t *names, struct error *err)
{
	json_t *name;
	size_t i;

	if (names && json_array_size(names) == 0)
		return error_set(err, EINVAL, "'names' is empty");
	json_array_foreach (names, i, name)
		if (!json_is_string(name))
			return error_set(err, EINVAL, "'names' must hold strings only");
	return 0;
}

int handle_import_hyperhive(struct session *s, const json_t *request, struct error *err)
{
	bool dry_run = false, start = false, state = true;
	_cleanup_close_ int dir_fd = -1;
	json_t *names = NULL;
	int r = take_directory(s, &dir_fd, err);

	if (r < 0 || (r = json_get_array(request, "names", false, &names, err)) < 0 ||
	    (r = check_names(names, err)) < 0 ||
	    (r = json_get_bool(request, "dry_run", false, &dry_run, err)) < 0 ||
	    (r = json_get_bool(request, "start", false, &start, err)) < 0 ||
	    (r = json_get_bool(request, "state", false, &state, err)) < 0)
		return r;
	if (s->uid != 0)
		return error_set(err, EACCES,
				 "it is root's files that are read: only root may "
				 "say so");
	r = takeover_begin(s, TAKE_FD(dir_fd), names, dry_run, start, state, err);
	return r < 0 ? r : HANDLED_LATER;
}
