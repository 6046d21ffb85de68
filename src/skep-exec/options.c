#include "skep-exec/options.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
	"skep-exec: the part of skep that runs as root. skepd starts it, or systemd does.\n"
	"\n"
	"  skep-exec [OPTIONS]             serve requests\n"
	"  skep-exec [OPTIONS] run AGENT   become the systemd-nspawn of an agent's container\n"
	"  skep-exec [OPTIONS] checks      tell as JSON what this machine has for a hive\n"
	"\n"
	"  --channel-fd N     the connection to skepd; without it systemd hands over a socket\n"
	"  --standalone       keep containers without systemd as PID 1\n"
	"  --state DIR        where the hive is kept (/var/lib/skep)\n"
	"  --runtime DIR      where its sockets are (/run/skep)\n"
	"  --skep-uid USER    who skepd is, a number or a name (skep)\n"
	"  --build-uid USER   who builds, a number or a name (skep-build)\n"
	"  --version, --help\n";

enum {
	OPT_CHANNEL = 256,
	OPT_STANDALONE,
	OPT_STATE,
	OPT_RUNTIME,
	OPT_SKEP_UID,
	OPT_BUILD_UID,
};

static const struct option table[] = {
	{"channel-fd", required_argument, NULL, OPT_CHANNEL},
	{"standalone", no_argument, NULL, OPT_STANDALONE},
	{"state", required_argument, NULL, OPT_STATE},
	{"runtime", required_argument, NULL, OPT_RUNTIME},
	{"skep-uid", required_argument, NULL, OPT_SKEP_UID},
	{"build-uid", required_argument, NULL, OPT_BUILD_UID},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{},
};

/* An account without privileges, by number or name; a bare number is its own group. */
static int parse_account(const char *option, const char *text, uid_t *uid, gid_t *gid,
			 struct error *err)
{
	const struct passwd *account;
	int64_t number;

	if (text_to_number(text, 0, INT32_MAX, &number)) {
		account = getpwuid((uid_t)number);
		*uid = (uid_t)number;
		*gid = account ? account->pw_gid : (gid_t)number;
	} else {
		account = getpwnam(text);
		if (!account)
			return error_set(
				err, ENOENT,
				"%s: there is no user '%s' (systemd-sysusers makes it)", option,
				text);
		*uid = account->pw_uid;
		*gid = account->pw_gid;
	}
	if (*uid == 0 || *gid == 0)
		return error_set(err, EINVAL, "%s must not be root", option);
	return 0;
}

static int check_dir(const char *option, const char *path, struct error *err)
{
	size_t size = strlen(path);

	if (path[0] != '/' || path[size - 1] == '/' || strstr(path, "/../") ||
	    strchr(path, '\n'))
		return error_set(err, EINVAL,
				 "%s must be an absolute path without a final '/': '%s'",
				 option, path);
	return 0;
}

static int parse_words(int argc, char **argv, struct options *o, struct error *err)
{
	if (optind == argc)
		return 0;
	if (optind + 1 == argc && strcmp(argv[optind], "checks") == 0) {
		o->mode = MODE_CHECKS;
		return 0;
	}
	if (optind + 2 != argc)
		return error_set(err, EINVAL, "'%s' takes one word", argv[optind]);
	if (strcmp(argv[optind], "run") == 0)
		o->mode = MODE_RUN;
	else if (strcmp(argv[optind], "verb") == 0)
		o->mode = MODE_VERB;
	else
		return error_set(err, EINVAL, "there is no command '%s'", argv[optind]);
	o->subject = argv[optind + 1];
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct error *err)
{
	const char *skep = "skep", *build = "skep-build";
	struct options o = {
		.mode = MODE_DAEMON,
		.channel_fd = -1,
		.place = {.state = "/var/lib/skep", .runtime = "/run/skep"},
	};
	int64_t number;
	int c, r = 0;

	opterr = 0;
	while (r == 0 && (c = getopt_long(argc, argv, ":hV", table, NULL)) != -1) {
		switch (c) {
		case OPT_CHANNEL:
			if (!text_to_number(optarg, 0, 1024, &number))
				r = error_set(err, EINVAL,
					      "--channel-fd is not a descriptor: '%s'", optarg);
			else
				o.channel_fd = (int)number;
			break;
		case OPT_STANDALONE:
			o.standalone = true;
			break;
		case OPT_STATE:
			o.place.state = optarg;
			r = check_dir("--state", optarg, err);
			break;
		case OPT_RUNTIME:
			o.place.runtime = optarg;
			r = check_dir("--runtime", optarg, err);
			break;
		case OPT_SKEP_UID:
			skep = optarg;
			break;
		case OPT_BUILD_UID:
			build = optarg;
			break;
		case 'h':
			o.mode = MODE_HELP;
			*ret = o;
			return 0;
		case 'V':
			o.mode = MODE_VERSION;
			*ret = o;
			return 0;
		case ':':
			r = error_set(err, EINVAL, "'%s' needs a value", argv[optind - 1]);
			break;
		default:
			r = error_set(err, EINVAL, "there is no option '%s'", argv[optind - 1]);
		}
	}
	if (r == 0)
		r = parse_words(argc, argv, &o, err);
	if (r == 0)
		r = parse_account("--skep-uid", skep, &o.place.skep_uid, &o.place.skep_gid,
				  err);
	if (r == 0)
		r = parse_account("--build-uid", build, &o.place.build_uid, &o.place.build_gid,
				  err);
	if (r == -ENOENT && o.mode == MODE_CHECKS) {
		o.no_account = true;
		r = 0;
	}
	if (r < 0)
		return r;
	o.program_dir = file_program_dir();
	o.place.program_dir = o.program_dir;
	*ret = o;
	return 0;
}

void options_release(struct options *options)
{
	free(options->program_dir);
	options->program_dir = NULL;
}

void options_to_argv(const struct options *o, const char *word, const char *subject,
		     struct options_argv *ret)
{
	size_t n = 0;

	snprintf(ret->skep_uid, sizeof(ret->skep_uid), "%u", (unsigned)o->place.skep_uid);
	snprintf(ret->build_uid, sizeof(ret->build_uid), "%u", (unsigned)o->place.build_uid);
	ret->items[n++] = "skep-exec";
	ret->items[n++] = word;
	ret->items[n++] = subject;
	if (o->standalone)
		ret->items[n++] = "--standalone";
	ret->items[n++] = "--state";
	ret->items[n++] = o->place.state;
	ret->items[n++] = "--runtime";
	ret->items[n++] = o->place.runtime;
	ret->items[n++] = "--skep-uid";
	ret->items[n++] = ret->skep_uid;
	ret->items[n++] = "--build-uid";
	ret->items[n++] = ret->build_uid;
	ret->items[n] = NULL;
}

const struct supervisor *options_supervisor(const struct options *options)
{
	return options->standalone ? &supervisor_standalone : &supervisor_systemd;
}
