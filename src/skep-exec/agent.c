#include "skep-exec/agent.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

const char *agent_of(const struct verb_request *request)
{
	return json_string_value(json_object_get(request->arguments, "agent"));
}

/* parent/agent, root's, with the given directories in it; returns its descriptor. */
static int make_home(const char *dir, const char *agent, struct error *err)
{
	_cleanup_close_ int parent = place_open(dir, "agents", err);
	int fd, r;

	if (parent < 0)
		return parent;
	r = file_make_dir(parent, agent, 0755, 0, 0, err);
	if (r < 0)
		return r;
	fd = openat(parent, agent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_set_errno(err, errno, "cannot open '%s/agents/%s'", dir, agent)
		      : fd;
}

int agent_make(const struct place *place, const char *agent, uid_t uid_base, struct error *err)
{
	_cleanup_close_ int state = make_home(place->state, agent, err);
	_cleanup_close_ int runtime = -1, client = -1;
	int r;

	if (state < 0)
		return state;
	r = file_make_dir(state, "state", 0700, uid_base, uid_base, err);
	if (r == 0)
		r = file_make_dir(state, "claude", 0700, uid_base, uid_base, err);
	if (r < 0)
		return r;
	runtime = make_home(place->runtime, agent, err);
	if (runtime < 0)
		return runtime;
	r = file_make_dir(runtime, "bin", 0755, 0, 0, err);
	if (r < 0)
		return r;
	/* The client is mounted over an empty file: the directory is read-only inside. */
	client = openat(runtime, "bin/skep", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	return client < 0
		       ? error_set_errno(err, errno, "cannot make a mount point for the client")
		       : 0;
}

static char *spec_path(const struct place *place, const char *agent)
{
	return str_format("%s/spec/%s.json", place->runtime, agent);
}

int agent_read_spec(const struct place *place, const char *agent, struct container_spec *ret,
		    struct error *err)
{
	_cleanup_free_ char *path = spec_path(place, agent);

	return spec_read(AT_FDCWD, path, ret, err);
}

int agent_write_spec(const struct place *place, const struct container_spec *spec,
		     struct error *err)
{
	_cleanup_free_ char *path = spec_path(place, spec->agent), *line = NULL;
	json_t *object = spec_to_json(spec);

	line = json_line(object);
	json_decref(object);
	return file_write_atomic(AT_FDCWD, path, line, strlen(line), 0600, err);
}
