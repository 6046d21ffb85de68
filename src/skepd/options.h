/* The command line and the configuration file of skepd. */
#pragma once

#include "base/error.h"
#include "model/config.h"

#include <stdbool.h>

struct options {
	struct config config;
	bool standalone, help, version;
	/* of the process that a standalone start made: what it was handed */
	int channel_fd, operator_fd, read_fd, web_fd, ready_fd; /* −1: none */
	const char *config_file;
	/* config.templates_dir while we could still walk there; −1: it is not there */
	int templates_fd;
};

/* Reads options, then the file they name, then lays --state and --runtime over it. */
int options_parse(int argc, char **argv, struct options *ret, struct error *err);
void options_release(struct options *options);

extern const char options_usage[];
