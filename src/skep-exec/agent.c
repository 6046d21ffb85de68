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

int agent_each(const struct place *place,
	       int (*fn)(const char *agent, void *data, struct error *err), void *data,
	       struct error *err)
{
	static const char ending[] = ".json";
	int fd = place_open(place->runtime, "spec", err);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return fd < 0 ? fd : error_set_errno(err, errno, "cannot list containers");
	while (errno = 0, (entry = readdir(dir))) {
		size_t size = strlen(entry->d_name);
		int r;

		if (size <= strlen(ending) ||
		    strcmp(entry->d_name + size - strlen(ending), ending) != 0)
			continue;
		entry->d_name[size - strlen(ending)] = '\0';
		if (name_check(entry->d_name, NULL) < 0)
			continue;
		r = fn(entry->d_name, data, err);
		if (r < 0)
			return r;
	}
	return errno ? error_set_errno(err, errno, "cannot list containers") : 0;
}

struct range_check {
	const struct place *place;
	const struct container_spec *spec;
};

static int check_range(const char *agent, void *data, struct error *err)
{
	const struct range_check *check = data;
	struct container_spec other = {};
	int r;

	if (strcmp(agent, check->spec->agent) == 0)
		return 0;
	r = agent_read_spec(check->place, agent, &other, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (other.uid_base == check->spec->uid_base)
		r = error_set(err, EEXIST, "'uid_base' %u is that of '%s'",
			      (unsigned)other.uid_base, agent);
	spec_release(&other);
	return r;
}

int agent_check_range(const struct place *place, const struct container_spec *spec,
		      struct error *err)
{
	struct range_check check = {place, spec};

	return agent_each(place, check_range, &check, err);
}
