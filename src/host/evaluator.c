#include "host/evaluator.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "host/standalone.h"
#include "host/transient.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 40
#define TASKS_MAX 256

static int as_child(const char *const *argv, const struct evaluator *e, int lifeline,
		    struct error *err)
{
	const struct child_fd fds[] = {{.fd = lifeline, .target = STDIN_FILENO},
				       {.fd = e->log_fd, .target = STDOUT_FILENO}};
	const struct child_spec spec = {.path = argv[0], .argv = argv, .fds = fds, .n_fds = 2};
	_cleanup_close_ int pidfd = -1;
	struct child_exit exit = {};
	char how[64];
	pid_t pid;
	int r = child_spawn(&spec, &pid, &pidfd, err);

	if (r < 0)
		return r;
	r = child_wait(pidfd, e->timeout_ms, &exit);
	if (r == -ETIMEDOUT) {
		child_kill(pidfd);
		return error_set(err, EIO, "skep-build does not end");
	}
	if (r < 0)
		return error_set_errno(err, r, "cannot wait for skep-build");
	return exit.signaled ? error_set(err, EIO, "skep-build %s", child_exit_text(how, &exit))
			     : exit.status;
}

static int as_unit(const char *const *argv, const struct place *place,
		   const struct evaluator *e, int lifeline, struct error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	_cleanup_free_ char *user = str_format("%u", (unsigned)place->build_uid);
	_cleanup_free_ char *group = str_format("%u", (unsigned)place->build_gid);
	const int stdio[] = {lifeline, e->log_fd, -1};
	struct transient_end end = {};
	char unit[64], how[64];
	const struct transient t = {
		.unit = transient_name(unit, "skep-nix"),
		.description = "skep: an evaluation by Nix",
		.path = argv[0],
		.argv = argv,
		.user = user,
		.group = group,
		.stdio = stdio,
		.memory_max_bytes = e->memory_max_bytes,
		.tasks_max = TASKS_MAX,
		.writable = e->writable,
	};
	int r = bus_open_host(&bus, err);

	if (r >= 0)
		r = transient_run(bus, &t, -1, e->timeout_ms, &end, err);
	if (r < 0)
		return r;
	if (end.timed_out)
		return error_set(err, EIO, "skep-build does not end");
	if (end.signaled || !end.started)
		return error_set(err, EIO, "skep-build %s",
				 child_exit_text(how,
						 &(struct child_exit){.signaled = end.signaled,
								      .status = end.status}));
	return end.status;
}

int evaluator_run(const struct supervisor *supervisor, const struct place *place,
		  const struct evaluator *e, struct error *err)
{
	_cleanup_free_ char *program = str_format("%s/skep-build", place->program_dir);
	_cleanup_close_ int lifeline = -1, held = -1;
	const char *argv[ARGS_MAX + 2] = {program};
	int pipe_fds[2];

	for (size_t i = 0; e->args[i] && i < ARGS_MAX; i++)
		argv[i + 1] = e->args[i];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "cannot make a pipe");
	lifeline = pipe_fds[0];
	held = pipe_fds[1];
	return supervisor == &supervisor_standalone ? as_child(argv, e, lifeline, err)
						    : as_unit(argv, place, e, lifeline, err);
}
