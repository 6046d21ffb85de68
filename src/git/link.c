/* One repository's objects given to another, as `git clone --local` does it. */
#include "git/repo.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_MODE 02750

/* "ab" of loose objects, or "pack"; what else is there is no object. */
static bool holds_objects(const char *name)
{
	return strcmp(name, "pack") == 0 ||
	       (strlen(name) == 2 && strspn(name, "0123456789abcdef") == 2);
}

/* Half-written files have names of their own kind and are not taken along. */
static bool is_object(const char *name)
{
	size_t hex = strspn(name, "0123456789abcdef");

	return strncmp(name, "pack-", 5) == 0 || (hex == OID_HEX_SIZE - 3 && !name[hex]);
}

static int link_dir(int from, int to, const char *name, struct error *err)
{
	_cleanup_close_ int in =
		openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int out = -1;
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	int list_fd;

	if (mkdirat(to, name, DIR_MODE & 0777) < 0 && errno != EEXIST)
		return error_set_errno(err, errno, "cannot make 'objects/%s'", name);
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0 || out < 0 || fchmod(out, DIR_MODE) < 0)
		return error_set_errno(err, errno, "cannot open 'objects/%s'", name);
	list_fd = dup(in);
	dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	if (!dir)
		return error_set_errno(err, errno, "cannot list 'objects/%s'", name);
	while (errno = 0, (entry = readdir(dir)))
		if (is_object(entry->d_name) &&
		    linkat(in, entry->d_name, out, entry->d_name, 0) < 0 && errno != EEXIST)
			return error_set_errno(err, errno, "cannot link 'objects/%s/%s'", name,
					       entry->d_name);
	if (errno)
		return error_set_errno(err, errno, "cannot list 'objects/%s'", name);
	return fsync(out) < 0 ? error_set_errno(err, errno, "cannot sync 'objects/%s'", name)
			      : 0;
}

static int open_objects(const char *dir, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/.git/objects", dir);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? error_set_errno(err, errno, "cannot open '%s'", path) : fd;
}

int repo_link_objects(const char *from, const char *to, struct error *err)
{
	_cleanup_close_ int in = open_objects(from, err), out = -1;
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	int list_fd;

	if (in < 0)
		return in;
	out = open_objects(to, err);
	if (out < 0)
		return out;
	list_fd = dup(in);
	dir = list_fd < 0 ? NULL : fdopendir(list_fd);
	if (!dir)
		return error_set_errno(err, errno, "cannot list objects");
	while (errno = 0, (entry = readdir(dir))) {
		int r = holds_objects(entry->d_name) ? link_dir(in, out, entry->d_name, err)
						     : 0;

		if (r < 0)
			return r;
	}
	if (errno || fsync(out) < 0)
		return error_set_errno(err, errno, "cannot list objects");
	return 0;
}
