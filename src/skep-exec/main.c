/*
 * skep-exec: root's part of a hive. A closed table of verbs; nothing that others wrote is
 * parsed here.
 *
 *   skep-exec                 the daemon
 *     skep-exec verb start    one process per request
 *       skep-export, skep-build    children of those, under other uids
 *     skep-exec run alice     becomes the systemd-nspawn of a container
 */
#include "base/json.h"
#include "base/log.h"
#include "host/checks.h"
#include "host/logs.h"
#include "host/outside.h"
#include "host/run.h"
#include "skep-exec/daemon.h"
#include "skep-exec/options.h"
#include "skep-exec/table.h"
#include "skep-exec/work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_USAGE 2

static int print_checks(const struct options *o, struct error *err)
{
	json_auto_t *checks = checks_run(&o->place, options_supervisor(o));

	if (!o->standalone)
		checks_add(checks, "accounts", !o->no_account, "systemd-sysusers", "%s",
			   o->no_account ? "those of skep are not all there" : "all are there");
	if (json_dumpf(checks, stdout, JSON_COMPACT) < 0 || fflush(stdout) != 0)
		return error_set(err, EIO, "cannot print the checks");
	return 0;
}

static int run(const struct options *options, struct error *err)
{
	switch (options->mode) {
	case MODE_DAEMON:
		return daemon_run(options, err);
	case MODE_RUN:
		return run_container(&options->place, options->subject, options->standalone,
				     err);
	case MODE_CHECKS:
		return print_checks(options, err);
	case MODE_VERB:
	case MODE_HELP:
	case MODE_VERSION:
		break;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {};
	struct error err = {};
	int status = EXIT_SUCCESS;

	log_open("skep-exec");
	(void)umask(0022);
	/* The command line of a verb's own unit, which takes no options. */
	if (argc > 1 && strcmp(argv[1], "outside") == 0)
		return outside_main(argc - 2, argv + 2, table_outside);
	/* Gives up root at once, to read what a container left. */
	if (argc > 1 && strcmp(argv[1], "journal") == 0)
		return logs_main(argc - 2, argv + 2);
	if (options_parse(argc, argv, &options, &err) < 0) {
		log_line(LOG_ERR, "%s", error_text(&err));
		return EXIT_USAGE;
	}
	if (options.mode == MODE_HELP)
		fputs(options_help, stdout);
	else if (options.mode == MODE_VERSION)
		puts("skep-exec " SKEP_VERSION);
	else if (options.mode == MODE_VERB)
		status = work_main(&options);
	else if (run(&options, &err) < 0) {
		log_line(LOG_ERR, "%s", error_text(&err));
		status = EXIT_FAILURE;
	}
	options_release(&options);
	return status;
}
