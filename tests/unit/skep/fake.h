/* A daemon that answers from a table, and runs of the real client against it. */
#pragma once

#include "base/buf.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sys/types.h>

/* cmocka.h needs the four headers before it */
#include <cmocka.h>

/* One kind of request. */
struct fake_rule {
	const char *cmd;
	const char *answer; /* the lines sent, without the last newline; NULL when fn answers */
	/* Runs in a process of its own; the descriptors are its own. */
	void (*fn)(int conn_fd, const json_t *request, const int *fds, size_t n_fds);
};

struct fake;

/* Starts it; rules end with a NULL cmd. A request without a rule is answered as unknown_cmd. */
struct fake *fake_start(const struct fake_rule *rules);
const char *fake_path(const struct fake *fake);

/* Adds a line to what fake_stop() returns, from within fn. */
void fake_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Sends a line from within fn, with an optional descriptor (-1: none). */
void fake_send(int conn_fd, const char *line, int fd);

/* From within fn: waits until the test calls fake_go(), so that what happens first is never a
 * matter of time. */
void fake_wait(void);
void fake_go(const struct fake *fake);

/*
 * Runs a shell command on three descriptors, which are closed here; its exit status, or minus
 * its signal. Then says so in the protocol's words.
 */
int fake_run_sh(const char *script, const int fds[3], bool controls_terminal);
void fake_send_end(int conn_fd, int status);

/* Ends it; returns the requests it got and the notes, a line each. The caller frees. */
char *fake_stop(struct fake *fake);

struct run {
	const char *input; /* for its standard input, or typed on its terminal; may be NULL */
	size_t input_size;
	bool on_terminal;     /* all three descriptors are one terminal of 24 by 80; everything
				 comes in out */
	bool no_reader;       /* its standard output is a pipe that nobody reads */
	bool unprivileged;    /* not as root, where root runs the test */
	const char *term;     /* TERM; "xterm" when NULL */
	const char *variable; /* one more environment variable, "NAME=value" */
	const char *cue;      /* once this is in out or err ... */
	void (*on_cue)(struct run *run); /* ... this is called, once */
	struct fake *fake;               /* for on_cue */
	struct buf out, err;
	pid_t pid;
	int terminal_fd; /* the terminal's other end while it runs */
	int status;      /* exit status, or 128 plus the signal that ended it */
};

/* Runs build/skep with the arguments (NULL-terminated) until it ends. */
void run_skep(struct run *run, const char *const *argv);
void run_release(struct run *run);

/* The arguments as an array, with --socket of the fake first. */
#define SKEP(fake, ...) \
	((const char *const[]){"skep", "--socket", fake_path(fake), __VA_ARGS__, NULL})
