#include "host/dropins.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "host/systemd.h"
#include "host/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Live changes leave drop-ins of systemd's own (50-MemoryMax.conf and such, in system.control);
 * files are read in the order of their names wherever they lie, and this one comes after those.
 */
#define FILE_NAME "50-limits.conf"
#define FILE_MAX_BYTES 4096

static bool is_foreign(const char *unit)
{
	return strncmp(unit, SYSTEMD_NIXOS_PREFIX, strlen(SYSTEMD_NIXOS_PREFIX)) == 0;
}

/*
 * A minute is short for a first start, and a reload is bound by it too. machined keeps the name
 * of a container whose nspawn was killed, and the next start would be refused for it.
 */
static void render_foreign(struct buf *out)
{
	_cleanup_free_ char *busctl = tool_find("busctl");

	buf_add_str(out, "TimeoutStartSec=90\nTimeoutStopSec=45\nOOMPolicy=continue\n"
			 "CPUAccounting=yes\nMemoryAccounting=yes\nTasksAccounting=yes\n");
	if (busctl)
		buf_addf(out,
			 "ExecStopPost=-%s call org.freedesktop.machine1 "
			 "/org/freedesktop/machine1 org.freedesktop.machine1.Manager "
			 "UnregisterMachine s %%i\n",
			 busctl);
}

void dropin_render(const char *unit, const struct limits *limits, struct buf *out)
{
	buf_add_str(out,
		    "# Written at every start; what is changed here is lost.\n[Service]\n");
	if (limits->memory_max_bytes != LIMIT_UNSET)
		buf_addf(out, "MemoryMax=%" PRId64 "\nMemorySwapMax=0\n",
			 limits->memory_max_bytes);
	if (limits->cpu_quota_percent != LIMIT_UNSET)
		buf_addf(out, "CPUQuota=%" PRId64 "%%\n", limits->cpu_quota_percent);
	if (limits->tasks_max != LIMIT_UNSET)
		buf_addf(out, "TasksMax=%" PRId64 "\n", limits->tasks_max);
	if (is_foreign(unit))
		render_foreign(out);
}

int dropin_check(const char *root, const char *unit, const struct limits *limits,
		 struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/%s.d/" FILE_NAME, root, unit);
	_cleanup_buf_ struct buf wanted = {}, present = {};
	int r = file_read(AT_FDCWD, path, FILE_MAX_BYTES, &present, err);

	if (r == -E2BIG)
		return 1;
	if (r < 0)
		return r;
	dropin_render(unit, limits, &wanted);
	return strcmp(buf_str(&present), buf_str(&wanted)) != 0;
}

int dropin_write(const char *root, const char *unit, const struct limits *limits,
		 struct error *err)
{
	_cleanup_free_ char *dir = str_format("%s/%s.d", root, unit);
	_cleanup_free_ char *path = str_format("%s/" FILE_NAME, dir);
	_cleanup_buf_ struct buf wanted = {}, present = {};
	int r;

	dropin_render(unit, limits, &wanted);
	if (file_read(AT_FDCWD, path, FILE_MAX_BYTES, &present, NULL) == 0 &&
	    !strcmp(buf_str(&present), buf_str(&wanted)))
		return 0;
	r = file_make_path(dir, 0755, err);
	return r < 0 ? r
		     : file_write_atomic(AT_FDCWD, path, wanted.data, wanted.size, 0644, err);
}

static int remove_file(int root_fd, const char *dir, struct error *err)
{
	_cleanup_free_ char *path = str_format("%s/" FILE_NAME, dir);

	if (unlinkat(root_fd, path, 0) < 0 && errno != ENOENT)
		return error_set_errno(err, errno, "cannot remove '%s'", path);
	if (unlinkat(root_fd, dir, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY &&
	    errno != EEXIST)
		return error_set_errno(err, errno, "cannot remove '%s'", dir);
	return 0;
}

int dropin_remove(const char *root, const char *unit, struct error *err)
{
	_cleanup_free_ char *name = str_format("%s.d", unit);
	_cleanup_close_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0
				       : error_set_errno(err, errno, "cannot open '%s'", root);
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return is_foreign(unit) ? remove_file(fd, name, err) : file_remove_tree(fd, name, err);
}
