/* A repository that goes is first called otherwise, and then removed: no start finds half of
 * it. */
#include "git/repo.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define GOING ".going-"

int repo_remove(const char *parent, const char *name, struct error *err)
{
	_cleanup_close_ int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *going = str_format(GOING "%s", name);
	int r;

	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", parent);
	r = file_remove_tree(fd, going, err);
	if (r < 0)
		return r;
	if (renameat(fd, name, fd, going) < 0)
		return errno == ENOENT ? 0
				       : error_set_errno(err, errno, "cannot remove '%s/%s'",
							 parent, name);
	if (fsync(fd) < 0)
		return error_set_errno(err, errno, "cannot sync '%s'", parent);
	crash_point("repository-going");
	return file_remove_tree(fd, going, err);
}

int repo_finish_removals(const char *parent, struct error *err)
{
	_cleanup_closedir_ DIR *dir = opendir(parent);
	struct dirent *entry;

	if (!dir)
		return error_set_errno(err, errno, "cannot list '%s'", parent);
	while (errno = 0, (entry = readdir(dir))) {
		int r = strncmp(entry->d_name, GOING, strlen(GOING)) == 0
				? file_remove_tree(dirfd(dir), entry->d_name, err)
				: 0;

		if (r < 0)
			return r;
	}
	return errno ? error_set_errno(err, errno, "cannot list '%s'", parent) : 0;
}
