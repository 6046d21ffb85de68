#include "host/place.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int make_below(const char *parent, const char *const *names, const mode_t *modes,
		      size_t n, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = file_make_path(parent, 0755, err);

	if (r < 0)
		return r;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", parent);
	for (size_t i = 0; i < n && r == 0; i++)
		r = file_make_dir(fd, names[i], modes[i], 0, 0, err);
	return r;
}

int place_make(const struct place *place, struct error *err)
{
	static const char *const state[] = {"agents", "proposed", "systems", "roots"};
	static const mode_t state_modes[] = {0755, 0755, 0755, 0700};
	static const char *const runtime[] = {"agents", "spec", "exec"};
	static const mode_t runtime_modes[] = {0755, 0700, 0700};
	int r = make_below(place->state, state, state_modes, ARRAY_SIZE(state), err);

	return r < 0 ? r
		     : make_below(place->runtime, runtime, runtime_modes, ARRAY_SIZE(runtime),
				  err);
}

int place_open(const char *dir, const char *name, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/%s", dir, name);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? error_set_errno(err, errno, "cannot open '%s'", path) : fd;
}

int place_sweep(const char *dir, const char *name, const char *prefix, struct error *err)
{
	_cleanup_close_ int fd = place_open(dir, name, err);
	_cleanup_closedir_ DIR *list = NULL;
	struct dirent *entry;
	int list_fd;

	if (fd < 0)
		return fd;
	list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list = list_fd < 0 ? NULL : fdopendir(list_fd);
	if (!list)
		return error_set_errno(err, errno, "cannot list '%s/%s'", dir, name);
	while (errno = 0, (entry = readdir(list))) {
		int r = 0;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			r = file_remove_tree(fd, entry->d_name, err);
		if (r < 0)
			return r;
	}
	return errno ? error_set_errno(err, errno, "cannot list '%s/%s'", dir, name) : 0;
}
