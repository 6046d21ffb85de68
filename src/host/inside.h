/*
 * Work inside a running container, always through its own systemd, reached by the bus of its
 * leader's namespaces.
 */
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

struct inside_command {
	/* argv[0] is absolute, or found on the container's PATH by its systemd. */
	const char *const *argv;
	const char *const *env; /* may be NULL */
	const char *user, *cwd; /* may be NULL: root, / */
	int64_t timeout_ms;     /* 0: none */
};

struct inside_exit {
	int exit_status; /* −1 when signaled */
	int signum;
};

/*
 * Runs a command as a transient service of the container with the given stdio descriptors, so
 * that the container's limits hold for it, and waits for its end. stop_fd (−1: none) ends it
 * early when readable or hung up; a byte read from it is a signal number to send instead.
 */
int inside_run(pid_t leader, const struct inside_command *command, const int stdio[3],
	       int stop_fd, struct inside_exit *ret, struct error *err);

/*
 * Opens a PTY of the container's own devpts; ret_name is its path inside (/dev/pts/N). The
 * master is the caller's.
 */
int inside_open_pty(pid_t leader, int rows, int cols, int *ret_master, char ret_name[32],
		    struct error *err);

/*
 * Like inside_run() with standard input, output and error on that terminal as controlling
 * terminal.
 */
int inside_run_on_pty(pid_t leader, const struct inside_command *command, const char *pty_name,
		      int stop_fd, struct inside_exit *ret, struct error *err);

/*
 * "running", "degraded", "starting", …, and the names of failed units (a JSON array the caller
 * owns).
 */
int inside_boot_state(pid_t leader, char ret_state[24], json_t **ret_failed_units,
		      struct error *err);
