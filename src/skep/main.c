/* skep: the hive's command line, for operators and for agents inside their containers. */

#include "base/cleanup.h"
#include "skep/cli.h"
#include "skep/help.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* A program started without its standard descriptors must not take a socket for one of them. */
static void open_missing_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
}

static int run(struct cli *cli, struct error *err)
{
	int r;

	if (args_has(&cli->args, "version")) {
		out_line(&cli->out, STYLE_PLAIN, "skep %s", SKEP_VERSION);
	} else if (args_has(&cli->args, "help")) {
		help_print(&cli->out, cli->args.command);
	} else if (!cli->args.command) {
		help_print(&cli->talk, NULL);
		(void)out_flush(&cli->talk);
		cli->exit_status = 2;
	} else {
		r = cli->args.command->run(cli, err);
		if (r < 0)
			return r;
	}
	return cli_finish_page(cli, err);
}

int main(int argc, char **argv)
{
	__attribute__((cleanup(cli_release))) struct cli cli = {};
	struct args args = {};
	struct error err = {};
	int r;

	open_missing_descriptors();
	(void)signal(SIGPIPE, SIG_IGN);
	r = args_parse(argc, argv, &args, &err);
	cli_init(&cli, &args);
	if (r == 0)
		r = run(&cli, &err);
	if (r == 0)
		return cli.exit_status;
	(void)out_flush(&cli.out);
	cli_print_error(&cli, &err);
	return answer_exit_status(&err);
}
