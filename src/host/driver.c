/* The driver for any Linux: a root of its own per system, nspawn by skep-exec's own unit or
 * child. */
#include "host/driver.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "host/differ.h"
#include "host/gcroot.h"
#include "host/nixos_owner.h"
#include "host/nspawn.h"
#include "host/readback.h"
#include "host/roots.h"

#include <errno.h>
#include <string.h>

static int create(struct verb_request *request, const struct container_spec *spec,
		  struct error *err)
{
	if (nixos_owned(request->place, spec->agent))
		return error_set_code(err, EEXIST, "wrong_state",
				      "'%s' has a container of nixos-container; destroy it "
				      "before it gets another driver",
				      spec->agent);
	if (system_is_store(spec->system)) {
		int r = gcroot_has(request->place, spec->agent, spec->system, err);

		if (r < 0)
			return r;
	}
	return root_prepare(request->place, spec, NULL, err);
}

static int start(struct verb_request *request, const struct container_spec *spec,
		 int64_t timeout_ms, struct container_state *ret, struct error *err)
{
	int r = root_activate(request->place, spec->agent, spec->system, err);

	return r < 0 ? r
		     : request->supervisor->start(request->place, spec->agent, &spec->limits,
						  timeout_ms, ret, err);
}

static int stop(struct verb_request *request, const char *agent, int64_t timeout_ms,
		struct error *err)
{
	return request->supervisor->stop(request->place, agent, timeout_ms, err);
}

/* A system is the root it runs on, so another one takes a restart. */
static int switch_over(struct verb_request *request, const struct container_spec *spec,
		       const struct container_state *now, struct error *err)
{
	(void)request;
	(void)spec;
	(void)now;
	(void)err;
	return 0;
}

static int check_name(struct verb_request *request, const char *agent, struct error *err)
{
	(void)request;
	(void)agent;
	(void)err;
	return 0;
}

/* Roots are in the state directory. */
static int rename_container(struct verb_request *request, const char *from, const char *to,
			    struct error *err)
{
	(void)request;
	(void)from;
	(void)to;
	(void)err;
	return 0;
}

static int destroy(struct verb_request *request, const char *agent, struct error *err)
{
	_cleanup_close_ int fd = place_open(request->place->state, "roots", err);
	int r = fd < 0 ? fd : file_remove_tree(fd, agent, err);

	return r == -ENOENT ? 0 : r;
}

/* A root that is none of ours is told by the system being absent. */
static int inspect(struct verb_request *request, const char *agent, struct container_view *ret,
		   struct error *err)
{
	struct container_view view = {};
	int r = request->supervisor->inspect(request->place, agent, &view.state, err);

	if (r < 0)
		return r;
	if (view.state.leader > 0 &&
	    readback_system(request->place, agent, view.state.leader, view.system, NULL) < 0)
		view.system[0] = '\0';
	if (system_is_store(view.system)) {
		view.claimed = true;
		if (readback_claimed(view.state.leader, view.system, NULL) < 0)
			view.system[0] = '\0';
	}
	*ret = view;
	return 0;
}

static int differ(const struct place *place, const struct container_spec *spec,
		  const struct container_state *state, json_t *list, struct error *err)
{
	const struct nspawn_setup setup = {.root = "/", .usr = "/usr", .skep = "/skep"};
	_cleanup_free_ char *state_dir = NULL, *runtime_dir = NULL;
	struct place real;
	char **argv;
	int r = differ_real_place(place, &real, &state_dir, &runtime_dir, err);

	if (r < 0)
		return r;
	argv = nspawn_argv(&real, spec, &setup);
	r = differ_mounts(state->leader, argv, list, err);
	nspawn_free_argv(argv);
	return r;
}

const struct driver driver_nspawn = {
	.name = "nspawn",
	.create = create,
	.start = start,
	.stop = stop,
	.switch_over = switch_over,
	.check_name = check_name,
	.rename = rename_container,
	.destroy = destroy,
	.inspect = inspect,
	.differ = differ,
};

const struct driver *driver_get(enum driver_kind kind)
{
	switch (kind) {
	case DRIVER_NSPAWN:
		return &driver_nspawn;
	case DRIVER_NIXOS_CONTAINER:
		return &driver_nixos_container;
	}
	return &driver_nspawn;
}

const struct driver *driver_of(const struct place *place, const char *agent)
{
	return nixos_owned(place, agent) ? &driver_nixos_container : &driver_nspawn;
}
