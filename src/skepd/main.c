/* skepd: the controller. One program, four ways in: the daemon, its standalone parent, its
 * workers, and the process that forks those. */
#include "base/log.h"
#include "base/zygote.h"
#include "control/worker.h"
#include "skepd/options.h"
#include "skepd/serve.h"
#include "skepd/standalone.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int run(const struct options *options, struct error *err)
{
	int r = 0;

	if (options->standalone)
		return standalone(options, err);
	if (options->channel_fd >= 0)
		r = standalone_drop(options, err);
	return r < 0 ? r : serve(options, err);
}

int main(int argc, char **argv)
{
	struct options options;
	struct error err = {};
	int r;

	if (argc == 2 && strcmp(argv[1], ZYGOTE_WORD) == 0) {
		worker_prepare();
		zygote_serve(&argc, &argv);
	}
	if (argc > 1 && worker_is_one(argv[1]))
		return worker_main(argc, argv);
	log_open("skepd");
	r = options_parse(argc, argv, &options, &err);
	if (r < 0) {
		log_line(LOG_ERR, "%s", error_text(&err));
		return 2;
	}
	if (options.help || options.version)
		(void)fputs(options.help ? options_usage : "skepd " SKEP_VERSION "\n", stdout);
	else
		r = run(&options, &err);
	if (r < 0)
		log_line(LOG_ERR, "%s%s%s", error_text(&err), err.hint[0] ? "; " : "",
			 err.hint);
	options_release(&options);
	return r < 0 ? 1 : 0;
}
