#include "skep/pager.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Never found by a caller's PATH. */
static const char *const candidates[] = {"/usr/bin/less", "/bin/less",
					 "/run/current-system/sw/bin/less"};

static const char *find_pager(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		if (access(candidates[i], X_OK) == 0)
			return candidates[i];
	return NULL;
}

static bool fits(const struct out *out)
{
	size_t lines = 0;

	for (size_t i = 0; i < out->pending.size; i++)
		lines += out->pending.data[i] == '\n';
	return lines < out->rows;
}

static _Noreturn void run_pager(const char *path, int fd)
{
	const char *term = getenv("TERM");
	_cleanup_free_ char *term_entry = str_format("TERM=%s", term ? term : "dumb");
	const char *const argv[] = {"less", "-R", "-F", "-X", NULL};
	/* less can run programs and write files for its reader: not for text that came from a
	 * container */
	const char *const env[] = {term_entry, "LESSSECURE=1", "LESSCHARSET=utf-8",
				   "LESSHISTFILE=-", NULL};

	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(fd, STDIN_FILENO) >= 0)
		execve(path, (char *const *)argv, (char *const *)env);
	_exit(127);
}

bool pager_show(struct out *out)
{
	const char *path = out->tty && !fits(out) ? find_pager() : NULL;
	int fds[2];
	void (*old)(int);
	pid_t pid;

	if (!path || pipe2(fds, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return false;
	}
	if (pid == 0)
		run_pager(path, fds[0]);
	(void)close(fds[0]);
	old = signal(SIGINT, SIG_IGN); /* Ctrl-C is the pager's while it has the screen */
	(void)file_write_all(fds[1], out->pending.data, out->pending.size);
	(void)close(fds[1]);
	while (waitpid(pid, NULL, 0) < 0)
		;
	(void)signal(SIGINT, old);
	buf_truncate(&out->pending, 0);
	return true;
}
