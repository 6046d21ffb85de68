/*
 * A mount's line names the device and the directory of it that is mounted. Our own mountinfo
 * tells which device and directory roots/<agent> is; a container runs one of our roots when its
 * "/" is exactly one below. Whatever it makes inside has a longer path.
 */
#include "host/readback.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "host/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOUNTINFO_MAX (4u << 20)

int readback_parse(const char *own, const char *roots, const char *leaders,
		   char ret[SYSTEM_SIZE])
{
	_cleanup_free_ char *copy = str_dup(leaders), *device = NULL, *dir = NULL;
	char *save = NULL;

	if (mount_locate(own, roots, &device, &dir) < 0)
		return -ESTALE;
	for (char *line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct mount_line m;
		size_t size = strlen(dir);

		if (!mount_line_split(line, &m) || strcmp(m.point, "/") != 0 ||
		    strcmp(m.device, device) != 0 || strncmp(m.root, dir, size) != 0 ||
		    m.root[size] != '/' || !system_from_name(m.root + size + 1, ret))
			continue;
		return 0;
	}
	return -ESTALE;
}

int readback_system(const struct place *place, const char *agent, pid_t leader,
		    char ret[SYSTEM_SIZE], struct error *err)
{
	_cleanup_buf_ struct buf own = {}, leaders = {};
	_cleanup_free_ char *state = realpath(place->state, NULL), *roots = NULL;
	char path[64];
	int r;

	if (!state)
		return error_set_errno(err, errno, "cannot find '%s'", place->state);
	roots = str_format("%s/roots/%s", state, agent);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)leader);
	r = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &own, err);
	if (r == 0)
		r = file_read(AT_FDCWD, path, MOUNTINFO_MAX, &leaders, err);
	if (r < 0)
		return r;
	r = readback_parse(buf_str(&own), roots, buf_str(&leaders), ret);
	return r < 0 ? error_set(err, ESTALE,
				 "the container of '%s' runs on a root that is none of its own",
				 agent)
		     : 0;
}

int readback_claimed(pid_t leader, char ret[SYSTEM_SIZE], struct error *err)
{
	_cleanup_close_ int root_fd = -1, run_fd = -1;
	char path[64], target[SYSTEM_SIZE + 1];
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)leader);
	root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return error_set_errno(err, errno, "cannot look into the container");
	run_fd = (int)syscall(SYS_openat2, root_fd, "run", &how, sizeof(how));
	size = run_fd < 0 ? -1
			  : readlinkat(run_fd, "current-system", target, sizeof(target) - 1);
	if (size < 0)
		return error_set(err, ENODATA, "the container has no current system");
	target[size] = '\0';
	if (!system_is_store(target))
		return error_set(err, ENODATA, "the container's current system is no system");
	memcpy(ret, target, (size_t)size + 1);
	return 0;
}
