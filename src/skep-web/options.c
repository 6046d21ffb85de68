#include "skep-web/options.h"

#include "base/text.h"

#include <errno.h>
#include <getopt.h>

const char options_usage[] =
	"Usage: skep-web [OPTION]...\n"
	"The dashboard's server: pages, JSON API, event streams, metrics. It listens on "
	"sockets that\n"
	"are handed to it, and knows nothing but skepd's socket.\n"
	"\n"
	"  --socket PATH          skepd's socket for it (/run/skep/web.sock)\n"
	"  --files DIR            the dashboard's files, with their manifest.json\n"
	"  --origin ORIGIN        also be called this, as a browser writes it: "
	"https://hive.example;\n"
	"                         may come more than once\n"
	"  --metrics-token FILE   who shows the word in FILE may read /metrics without a "
	"login\n"
	"  --listen-fd N          a listening socket, besides those of systemd; may come more "
	"than once\n"
	"  --uid N --gid N        started as root: be these from the first moment on\n"
	"  --version              print the version and exit\n"
	"  --help                 print this and exit\n"
	"\n"
	"Exit status: 0 after a clean stop, 1 after a failure, 2 for a wrong command line.\n"
	"See skep-web(8).\n";

enum {
	OPT_SOCKET = 256,
	OPT_FILES,
	OPT_ORIGIN,
	OPT_METRICS_TOKEN,
	OPT_LISTEN_FD,
	OPT_UID,
	OPT_GID,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option table[] = {
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"files", required_argument, NULL, OPT_FILES},
	{"origin", required_argument, NULL, OPT_ORIGIN},
	{"metrics-token", required_argument, NULL, OPT_METRICS_TOKEN},
	{"listen-fd", required_argument, NULL, OPT_LISTEN_FD},
	{"uid", required_argument, NULL, OPT_UID},
	{"gid", required_argument, NULL, OPT_GID},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{},
};

static int parse_number(const char *option, const char *text, long min, long max, int64_t *ret,
			struct error *err)
{
	if (!text_to_number(text, min, max, ret))
		return error_set(err, EINVAL,
				 "--%s takes a number from %ld to %ld, not '%.20s'", option,
				 min, max, text);
	return 0;
}

static int add_listener(struct options *o, const char *text, struct error *err)
{
	int64_t fd = -1;
	int r = parse_number("listen-fd", text, 3, 1024, &fd, err);

	if (r == 0 && o->n_listeners == WEB_LISTENERS_MAX)
		r = error_set(err, E2BIG, "more than %d sockets", WEB_LISTENERS_MAX);
	if (r == 0)
		o->listeners[o->n_listeners++] = (int)fd;
	return r;
}

static int take(int opt, const char *value, struct options *o, struct error *err)
{
	switch (opt) {
	case OPT_SOCKET:
		o->socket = value;
		return 0;
	case OPT_FILES:
		o->files = value;
		return 0;
	case OPT_ORIGIN:
		return site_add_origin(&o->site, value, err);
	case OPT_METRICS_TOKEN:
		o->metrics_token_file = value;
		return 0;
	case OPT_LISTEN_FD:
		return add_listener(o, value, err);
	case OPT_UID:
		return parse_number("uid", value, 1, 0x7fffffff, &o->uid, err);
	case OPT_GID:
		return parse_number("gid", value, 1, 0x7fffffff, &o->gid, err);
	case OPT_VERSION:
		o->version = true;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	}
	return error_set(err, EINVAL, "unknown option");
}

int options_parse(int argc, char **argv, struct options *ret, struct error *err)
{
	int opt, r = 0;

	*ret = (struct options){.socket = "/run/skep/web.sock", .uid = -1, .gid = -1};
	while (r == 0 && (opt = getopt_long(argc, argv, "", table, NULL)) != -1)
		r = opt == '?' ? error_set(err, EINVAL, "see skep-web --help")
			       : take(opt, optarg, ret, err);
	if (r == 0 && optind < argc)
		r = error_set(err, EINVAL, "there is no argument '%.60s'; see skep-web --help",
			      argv[optind]);
	if (r == 0 && (ret->uid < 0) != (ret->gid < 0))
		r = error_set(err, EINVAL, "--uid and --gid go together");
	return r;
}
