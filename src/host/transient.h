/* Commands as transient services of a systemd (this machine's or a container's): start one,
 * wait for its end. */
#pragma once

#include "host/bus.h"

#include <stdbool.h>
#include <stdint.h>

struct transient {
	const char *unit;        /* its name, ending in .service */
	const char *description; /* one line; foreign text is fine */
	const char *path;        /* of the program; NULL: the manager looks argv[0] up */
	const char *const *argv;
	/* NULL-terminated: where argv[0] is looked for, and PATH; NULL: the manager knows */
	const char *const *search;
	const char *const *env;              /* may be NULL */
	const char *user, *group, *cwd;      /* may be NULL */
	int64_t memory_max_bytes, tasks_max; /* 0: no limit of its own */
	/* NULL-terminated: it may write there, below its own /tmp, and nowhere else, and gains
	 * no privileges; NULL: no such sandbox */
	const char *const *writable;
	const int *stdio; /* three descriptors, -1 for the manager's default; may be NULL */
	const char
		*tty_path; /* instead of stdio: a terminal, which becomes the controlling one */
	int64_t runtime_max_ms; /* systemd itself ends it after this; 0: never */
};

/* How a transient service ended. */
struct transient_end {
	/*
	 * False: the command was not run, or ended at once with one of the statuses that say so
	 * (200 to 243, man systemd.exec, "Process exit codes").
	 */
	bool started;
	bool signaled;
	bool timed_out;
	int status; /* exit status or signal number */
};

#define TRANSIENT_STOP_MS 5000 /* from SIGTERM to SIGKILL */

/*
 * Starts it and returns once the manager has taken the job. keep: after its end it stays loaded
 * until this connection is closed, so that its state can be read.
 */
int transient_start(sd_bus *bus, const struct transient *transient, bool keep,
		    struct error *err);

/*
 * Starts it and waits for its end. A byte read from stop_fd (-1: none) is a signal number for
 * it; end of file stops it (SIGTERM, then SIGKILL). After timeout_ms (0: none) it is killed and
 * timed_out is set. Blocks.
 */
int transient_run(sd_bus *bus, const struct transient *transient, int stop_fd,
		  int64_t timeout_ms, struct transient_end *ret, struct error *err);

/* A fresh unit name "<prefix>-<random>.service". out is returned. */
char *transient_name(char out[64], const char *prefix);
