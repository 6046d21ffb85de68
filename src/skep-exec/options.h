/* The command line of skep-exec, the same for the daemon, `run` and a verb's process. */
#pragma once

#include "base/error.h"
#include "host/place.h"
#include "host/supervisor.h"

#include <stdbool.h>

enum mode {
	MODE_DAEMON,
	MODE_RUN,    /* become the nspawn of an agent */
	MODE_VERB,   /* do one request */
	MODE_CHECKS, /* tell what the machine has for a hive; the place may be half made */
	MODE_HELP,
	MODE_VERSION,
};

struct options {
	enum mode mode;
	const char *subject; /* the agent or the verb */
	bool standalone;
	bool no_account; /* MODE_CHECKS alone: skep's accounts are not made yet */
	int channel_fd;  /* -1: sockets are handed over by systemd */
	struct place place;
	char *program_dir;
};

/* Reads argv; what is wrong is named. options_release() frees. */
int options_parse(int argc, char **argv, struct options *ret, struct error *err);
void options_release(struct options *options);

extern const char options_help[];

/* The options as arguments for a process of the same program, after argv0 and up to three
 * words; NULL-terminated. */
#define OPTIONS_ARGV_MAX 16
struct options_argv {
	const char *items[OPTIONS_ARGV_MAX];
	char skep_uid[16], build_uid[16];
};
void options_to_argv(const struct options *options, const char *word, const char *subject,
		     struct options_argv *ret);

const struct supervisor *options_supervisor(const struct options *options);
