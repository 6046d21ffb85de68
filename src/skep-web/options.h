/* The command line of skep-web. */
#pragma once

#include "base/error.h"
#include "web/web.h"

#include <stdbool.h>
#include <sys/types.h>

struct options {
	const char *socket, *files;
	const char *metrics_token_file;
	struct site site;
	int listeners[WEB_LISTENERS_MAX]; /* of --listen-fd */
	size_t n_listeners;
	int64_t uid, gid; /* −1: stay who we are */
	bool help, version;
};

int options_parse(int argc, char **argv, struct options *ret, struct error *err);

extern const char options_usage[];
