#include "skepd/options.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

const char options_usage[] =
	"Usage: skepd [OPTION]...\n"
	"The controller of a hive of agents.\n"
	"\n"
	"  --config FILE   read the configuration (JSON) from FILE\n"
	"  --state DIR     keep everything below DIR instead of /var/lib/skep\n"
	"  --runtime DIR   put the sockets below DIR instead of /run/skep\n"
	"  --standalone    started as root: bring up skep-exec as well; needs no systemd\n"
	"  --version       print the version and exit\n"
	"  --help          print this and exit\n"
	"\n"
	"Exit status: 0 after a clean stop, 1 after a failure, 2 for a wrong command line.\n"
	"See skepd(8) and skep.json(5).\n";

enum {
	OPT_CONFIG = 256,
	OPT_STATE,
	OPT_RUNTIME,
	OPT_STANDALONE,
	OPT_VERSION,
	OPT_HELP,
	OPT_CHANNEL_FD,
	OPT_OPERATOR_FD,
	OPT_READ_FD,
	OPT_WEB_FD,
	OPT_READY_FD,
};

static const struct option table[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"state", required_argument, NULL, OPT_STATE},
	{"runtime", required_argument, NULL, OPT_RUNTIME},
	{"standalone", no_argument, NULL, OPT_STANDALONE},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{"channel-fd", required_argument, NULL, OPT_CHANNEL_FD},
	{"operator-fd", required_argument, NULL, OPT_OPERATOR_FD},
	{"read-fd", required_argument, NULL, OPT_READ_FD},
	{"web-fd", required_argument, NULL, OPT_WEB_FD},
	{"ready-fd", required_argument, NULL, OPT_READY_FD},
	{},
};

static int read_file(const char *path, struct config *config, struct error *err)
{
	_cleanup_buf_ struct buf text = {};
	json_t *object = NULL;
	int r = file_read(AT_FDCWD, path, CONFIG_MAX_BYTES, &text, err);

	if (r < 0)
		return r;
	r = json_parse(buf_str(&text), text.size, &object, err);
	if (r == 0)
		r = config_load(config, object, err);
	json_decref(object);
	return r < 0 ? error_prefix(err, "%s", path) : 0;
}

static int set_path(struct config *config, const char *key, const char *value,
		    struct error *err)
{
	json_t *object = json_pack("{s:s}", key, value);
	int r = object ? config_load(config, object, err)
		       : error_set(err, EINVAL, "'%s' is not text", key);

	json_decref(object);
	return r;
}

static int parse_fd(const char *text, int *ret, struct error *err)
{
	int64_t fd;

	if (!text_to_number(text, 3, 1024, &fd))
		return error_set(err, EINVAL, "'%.20s' is not a descriptor's number", text);
	*ret = (int)fd;
	return 0;
}

static int take(int opt, const char *value, struct options *o, const char **state,
		const char **runtime, struct error *err)
{
	switch (opt) {
	case OPT_CONFIG:
		o->config_file = value;
		return 0;
	case OPT_STATE:
		*state = value;
		return 0;
	case OPT_RUNTIME:
		*runtime = value;
		return 0;
	case OPT_STANDALONE:
		o->standalone = true;
		return 0;
	case OPT_VERSION:
		o->version = true;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	case OPT_CHANNEL_FD:
		return parse_fd(value, &o->channel_fd, err);
	case OPT_OPERATOR_FD:
		return parse_fd(value, &o->operator_fd, err);
	case OPT_READ_FD:
		return parse_fd(value, &o->read_fd, err);
	case OPT_WEB_FD:
		return parse_fd(value, &o->web_fd, err);
	case OPT_READY_FD:
		return parse_fd(value, &o->ready_fd, err);
	}
	return error_set(err, EINVAL, "unknown option");
}

/* Templates lie beside a program that was built but not installed. */
static void find_templates(struct config *config)
{
	_cleanup_free_ char *dir = file_program_dir();
	_cleanup_free_ char *beside = str_format("%s/templates", dir);

	if (!config->templates_dir)
		config->templates_dir = str_dup(
			access(beside, R_OK | X_OK) == 0 ? beside : SKEP_DATADIR "/templates");
}

int options_parse(int argc, char **argv, struct options *ret, struct error *err)
{
	struct options o = {.channel_fd = -1,
			    .operator_fd = -1,
			    .read_fd = -1,
			    .web_fd = -1,
			    .ready_fd = -1,
			    .templates_fd = -1};
	const char *state = NULL, *runtime = NULL;
	int opt, r = 0;

	config_init(&o.config);
	while (r == 0 && (opt = getopt_long(argc, argv, "", table, NULL)) != -1)
		r = opt == '?' ? error_set(err, EINVAL, "see skepd --help")
			       : take(opt, optarg, &o, &state, &runtime, err);
	if (r == 0 && optind < argc)
		r = error_set(err, EINVAL, "there is no argument '%.60s'; see skepd --help",
			      argv[optind]);
	if (r == 0 && o.config_file)
		r = read_file(o.config_file, &o.config, err);
	if (r == 0 && state)
		r = set_path(&o.config, "state_dir", state, err);
	if (r == 0 && runtime)
		r = set_path(&o.config, "runtime_dir", runtime, err);
	if (r < 0) {
		config_release(&o.config);
		return r;
	}
	find_templates(&o.config);
	o.templates_fd = open(o.config.templates_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*ret = o;
	return 0;
}

void options_release(struct options *o)
{
	config_release(&o->config);
	closep(&o->templates_fd);
}
