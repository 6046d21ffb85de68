#include "skep/machine.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "model/config.h"
#include "skep/client.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

/* skep-exec, which lies beside this program, with its standard output into out. */
static int start(int out, pid_t *ret, struct error *err)
{
	_cleanup_free_ char *dir = file_program_dir(), *path = str_format("%s/skep-exec", dir),
			    *skep = NULL, *build = NULL;
	static char path_only[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const environment[] = {path_only, NULL};
	const char *argv[8] = {"skep-exec"};
	posix_spawn_file_actions_t actions;
	struct config config;
	size_t n = 1;
	int r;

	config_init(&config);
	skep = str_format("%u", (unsigned)config.skep_uid);
	build = str_format("%u", (unsigned)config.build_uid);
	config_release(&config);
	if (!client_has_systemd()) {
		argv[n++] = "--standalone";
		argv[n++] = "--skep-uid";
		argv[n++] = skep;
		argv[n++] = "--build-uid";
		argv[n++] = build;
	}
	argv[n] = "checks";
	(void)posix_spawn_file_actions_init(&actions);
	r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn(ret, path, &actions, NULL, (char *const *)argv, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r ? error_set_errno(err, r, "cannot start '%s'", path) : 0;
}

int machine_checks(json_t *checks, struct error *err)
{
	_cleanup_close_ int in = -1;
	json_auto_t *found = NULL;
	int pipe_fds[2], r;
	pid_t pid;

	if (geteuid() != 0)
		return error_set(err, EPERM, "only root can look at the rest of the machine");
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "cannot make a pipe");
	in = pipe_fds[0];
	r = start(pipe_fds[1], &pid, err);
	(void)close(pipe_fds[1]);
	if (r < 0)
		return r;
	found = json_loadfd(in, JSON_REJECT_DUPLICATES, NULL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (!json_is_array(found) || json_array_extend(checks, found) < 0)
		return error_set(err, EBADMSG, "skep-exec could not look at this machine");
	return 0;
}
