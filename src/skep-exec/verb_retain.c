/* retain: built systems that nobody names any more are removed; what a container has or had as
 * its root stays, whatever is asked for. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "model/oid.h"
#include "skep-exec/table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define AGE_S 600 /* what is younger was just built for somebody */

/* An agent's roots are named by the systems they were made of. */
static bool is_used(int roots_fd, const char *system)
{
	int list_fd = openat(roots_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *list = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;
	struct stat st;

	if (!list)
		return true;
	while (errno = 0, (entry = readdir(list))) {
		_cleanup_free_ char *root = NULL;

		if (entry->d_name[0] == '.')
			continue;
		root = str_format("%s/%s", entry->d_name, system);
		if (fstatat(roots_fd, root, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
			return true;
	}
	return errno != 0;
}

static bool may_go(int systems_fd, int roots_fd, const char *name, const json_t *keep)
{
	struct stat st;

	return oid_is_valid(name) && !json_holds(keep, name) &&
	       fstatat(systems_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       clock_wall_s() - st.st_mtime > AGE_S && !is_used(roots_fd, name);
}

int verb_retain(struct verb_request *request, json_t *answer, struct error *err)
{
	const json_t *keep = json_object_get(request->arguments, "systems");
	_cleanup_close_ int systems_fd = place_open(request->place->state, "systems", err);
	_cleanup_close_ int roots_fd =
		systems_fd < 0 ? -1 : place_open(request->place->state, "roots", err);
	int list_fd =
		roots_fd < 0 ? -1 : openat(systems_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *list = list_fd < 0 ? NULL : fdopendir(list_fd);
	struct dirent *entry;
	int64_t removed = 0;
	int r = 0;

	if (roots_fd < 0)
		return systems_fd < 0 ? systems_fd : roots_fd;
	if (!list)
		return error_set_errno(err, errno, "cannot list the systems");
	while (r == 0 && (errno = 0, (entry = readdir(list)))) {
		if (!may_go(systems_fd, roots_fd, entry->d_name, keep))
			continue;
		r = file_remove_tree(systems_fd, entry->d_name, err);
		removed += r == 0;
	}
	if (r == 0 && errno)
		r = error_set_errno(err, errno, "cannot list the systems");
	json_object_set_new(answer, "removed", json_integer(removed));
	return r;
}
