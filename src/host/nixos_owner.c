#include "host/nixos_owner.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DIR_NAME "nixos-containers"

bool nixos_owner(const char *state, const char *container, char ret_agent[AGENT_NAME_MAX + 1])
{
	_cleanup_free_ char *path = str_format("%s/" DIR_NAME "/%s", state, container);
	_cleanup_buf_ struct buf text = {};
	char name[CONTAINER_NAME_SIZE];

	if (file_read(AT_FDCWD, path, AGENT_NAME_MAX + 1, &text, NULL) < 0)
		return false;
	if (text.size > 0 && text.data[text.size - 1] == '\n')
		buf_truncate(&text, text.size - 1);
	if (name_check(buf_str(&text), NULL) < 0 ||
	    strcmp(name_container(name, buf_str(&text)), container) != 0)
		return false;
	snprintf(ret_agent, AGENT_NAME_MAX + 1, "%s", buf_str(&text));
	return true;
}

bool nixos_owned(const struct place *place, const char *agent)
{
	char container[CONTAINER_NAME_SIZE], owner[AGENT_NAME_MAX + 1];

	return nixos_owner(place->state, name_container(container, agent), owner) &&
	       strcmp(owner, agent) == 0;
}

static int open_dir(const struct place *place, struct error *err)
{
	_cleanup_close_ int fd = open(place->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", place->state);
	r = file_make_dir(fd, DIR_NAME, 0700, 0, 0, err);
	return r < 0 ? r : place_open(place->state, DIR_NAME, err);
}

int nixos_owner_write(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_close_ int fd = open_dir(place, err);
	_cleanup_free_ char *line = str_format("%s\n", agent);
	char container[CONTAINER_NAME_SIZE];

	return fd < 0 ? fd
		      : file_write_atomic(fd, name_container(container, agent), line,
					  strlen(line), 0600, err);
}

int nixos_owner_remove(const struct place *place, const char *agent, struct error *err)
{
	_cleanup_close_ int fd = open_dir(place, err);
	char container[CONTAINER_NAME_SIZE];

	if (fd < 0)
		return fd;
	if (unlinkat(fd, name_container(container, agent), 0) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "cannot forget the container '%s'",
				       container);
	return 0;
}
