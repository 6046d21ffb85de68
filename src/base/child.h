/* Child processes: spawned by argument vector, watched by pidfd, ended by deadline. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child_fd {
	int fd;     /* ours; stays ours */
	int target; /* its number in the child */
};

struct zygote;

struct child_spec {
	const char *path;        /* absolute file; never searched on PATH */
	const char *const *argv; /* NULL-terminated */
	/* NULL-terminated; NULL: an empty environment but for PATH and LANG */
	const char *const *env;
	const struct child_fd *fds;
	size_t n_fds;     /* 0 to 2 that are not named here are /dev/null */
	bool new_session; /* setsid(): outlives its parent's terminal */
	struct zygote
		*zygote; /* forks it, instead of path being run (base/zygote.h); NULL: none */
};

/* How a child ended. */
struct child_exit {
	bool signaled;
	int status;     /* exit status, or the signal's number */
	bool timed_out; /* it was killed at its deadline */
	bool too_much;  /* it was killed because of its output */
};

/*
 * Starts a child with default signal dispositions, an empty signal mask and no descriptor but
 * those named. On success *ret_pidfd is owned by the caller. Exec failures are reported here.
 */
int child_spawn(const struct child_spec *spec, pid_t *ret_pid, int *ret_pidfd,
		struct error *err);

/*
 * Waits up to timeout_ms (-1: for ever) for a child of ours and reaps it. -ETIMEDOUT: it still
 * runs. Blocks. Not for use inside a loop.
 */
int child_wait(int pidfd, int64_t timeout_ms, struct child_exit *ret);

/* SIGKILL through the descriptor, then reap. For children of ours only. */
void child_kill(int pidfd);

/*
 * "exited with status 3", "was killed by signal 9 (Killed)", "ran out of time", and for SIGSYS
 * what it means. out is returned.
 */
char *child_exit_text(char out[64], const struct child_exit *exit);

/* A child on a loop. */
struct child;
typedef void (*child_fn)(const struct child_exit *exit, const struct buf *output, void *data);

/*
 * Starts a child whose standard output is collected up to max_output bytes (more kills it; 0:
 * output is not collected) and calls fn once, when it has ended and its output is complete; at
 * the deadline (ms, 0: none) it is killed. The object frees itself after fn; child_free()
 * before that kills the child and calls nothing.
 */
int child_start(struct loop *loop, const struct child_spec *spec, int64_t deadline_ms,
		size_t max_output, child_fn fn, void *data, struct child **ret,
		struct error *err);
void child_free(struct child *child);
pid_t child_pid(const struct child *child);
