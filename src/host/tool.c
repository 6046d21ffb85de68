#include "host/tool.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SAID_MAX 300 /* what a failure has room for */

static const char *const dirs[] = {"/run/current-system/sw/bin", "/usr/sbin", "/usr/bin"};
static const char environment[] =
	"PATH=/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin";

char *tool_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char *path = str_format("%s/%s", dirs[i], name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

/* The end of what it said, cleaned, on one line. */
static char *said(int fd)
{
	char text[2048];
	off_t size = lseek(fd, 0, SEEK_END);
	off_t from = size > (off_t)sizeof(text) - 1 ? size - (off_t)sizeof(text) + 1 : 0;
	ssize_t n = size < 0 ? 0 : pread(fd, text, sizeof(text) - 1, from);
	const char *start = text;

	if (n < 0)
		n = 0;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	if (n > SAID_MAX)
		start = text + n - SAID_MAX;
	return text_clean_dup(start, SAID_MAX * 4, false);
}

static int run_in(const char *path, const char *const *argv, int said_fd, int64_t timeout_ms,
		  struct child_exit *ret, struct error *err)
{
	const struct child_fd fds[] = {{.fd = said_fd, .target = STDERR_FILENO},
				       {.fd = said_fd, .target = STDOUT_FILENO}};
	const char *const env[] = {environment, "LANG=C.UTF-8", "HOME=/var/empty", NULL};
	const struct child_spec spec = {
		.path = path, .argv = argv, .env = env, .fds = fds, .n_fds = ARRAY_SIZE(fds)};
	_cleanup_close_ int pidfd = -1;
	pid_t pid;
	int r = child_spawn(&spec, &pid, &pidfd, err);

	if (r < 0)
		return r;
	r = child_wait(pidfd, timeout_ms, ret);
	if (r == -ETIMEDOUT) {
		child_kill(pidfd);
		*ret = (struct child_exit){.timed_out = true};
		return 0;
	}
	return r < 0 ? error_set_errno(err, r, "cannot wait for '%s'", path) : 0;
}

static int judge(const char *name, const char *const *arguments, const struct child_exit *exit,
		 int said_fd, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_buf_ struct buf words = {};
	char how[64];

	if (!exit->timed_out && !exit->signaled && exit->status == 0)
		return 0;
	text = said(said_fd);
	for (size_t i = 0; arguments[i] && i < 2; i++)
		buf_addf(&words, " %s", arguments[i]);
	return error_set(err, exit->timed_out ? ETIMEDOUT : EIO, "%s%s failed (%s): %s", name,
			 buf_str(&words), child_exit_text(how, exit), text);
}

int tool_run(const char *scratch, const char *name, const char *const *arguments,
	     int64_t timeout_ms, struct error *err)
{
	_cleanup_free_ char *path = tool_find(name), *dir = NULL;
	_cleanup_free_ const char **argv = NULL;
	_cleanup_close_ int said_fd = memfd_create("said", MFD_CLOEXEC), scratch_fd = -1;
	struct child_exit exit = {};
	size_t n = 0;
	int r;

	if (!path)
		return error_set(err, ENOENT, "this machine has no program '%s'", name);
	scratch_fd = open(scratch, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (said_fd < 0 || scratch_fd < 0)
		return error_set_errno(err, errno, "cannot run '%s'", path);
	while (arguments[n])
		n++;
	argv = mem_new(n + 2, sizeof(*argv));
	argv[0] = name;
	memcpy(argv + 1, arguments, n * sizeof(*argv));
	dir = str_format("tool-%d", (int)getpid());
	r = file_make_dir(scratch_fd, dir, 0700, geteuid(), getegid(), err);
	if (r == 0 && (fchdir(scratch_fd) < 0 || chdir(dir) < 0))
		r = error_set_errno(err, errno, "cannot enter '%s/%s'", scratch, dir);
	if (r == 0)
		r = run_in(path, argv, said_fd, timeout_ms, &exit, err);
	if (chdir("/") < 0 && r == 0)
		r = error_set_errno(err, errno, "cannot leave '%s/%s'", scratch, dir);
	(void)file_remove_tree(scratch_fd, dir, NULL);
	return r < 0 ? r : judge(name, arguments, &exit, said_fd, err);
}
