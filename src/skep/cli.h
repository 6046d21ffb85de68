/* One run of the client: what was asked for, where it speaks and where it prints. */
#pragma once

#include "base/error.h"
#include "skep/answer.h"
#include "skep/args.h"
#include "skep/client.h"
#include "skep/out.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct cli {
	struct args args;
	const char *socket;
	struct out out;  /* results */
	struct out talk; /* everything said about them */
	bool json, plain, quiet, no_input;
	json_t *refusal; /* the last answer that said no, for what it shows beside the error;
			    may be NULL */
	int exit_status; /* counts when a command succeeded: a check that failed, a command run
			    in a container */
};

/* Reads the options every command takes. The arguments become the cli's. */
void cli_init(struct cli *cli, struct args *args);
void cli_release(struct cli *cli);

/* How long an answer may take that waits for nothing but the daemon: longer than its own
 * deadlines. */
#define CLI_TIMEOUT_MS 150000

/* A request with "cmd" set. The caller adds to it and owns it. */
json_t *cli_request(const char *cmd);

/*
 * One request, one answer, on a connection of its own. The request is consumed. A refusal is an
 * error, and its answer stays in cli->refusal. On success the caller owns *ret.
 */
int cli_call(struct cli *cli, json_t *request, json_t **ret, struct error *err);

/* The same check for an answer that came another way. */
int cli_check(struct cli *cli, const json_t *answer, struct error *err);

/* With --json: prints the result and is true, so that the caller is done. */
bool cli_print_json(struct cli *cli, const json_t *answer, const char *key);

/* Says something on stderr unless --quiet: what was done, and what can be done next. */
void cli_say(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_hint(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether a person sits there to be asked. */
bool cli_can_ask(const struct cli *cli);

/* Whether progress is worth showing: stderr is a terminal and --quiet was not given. */
bool cli_shows_progress(const struct cli *cli);

/* Prints a question on stderr and reads a line from stdin, without its newline; the caller
 * frees. NULL at end of input. */
char *cli_ask(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether the answer to a question is y or yes. */
bool cli_ask_yes(struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints the error the one time it is told. */
void cli_print_error(struct cli *cli, const struct error *err);

/* Prints what is pending on stdout, through the pager when it does not fit on the terminal. */
int cli_finish_page(struct cli *cli, struct error *err);
