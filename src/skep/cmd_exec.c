/* exec and shell: a command or a terminal inside a container. */

#include "base/cleanup.h"
#include "base/json.h"
#include "skep/handlers.h"
#include "skep/relay.h"
#include "skep/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The command's own end becomes ours: its status, or 128 plus the signal as shells have it. */
static int take_exit(struct cli *cli, const json_t *answer, struct error *err)
{
	int r = cli_check(cli, answer, err);

	if (r < 0)
		return r;
	if (json_is_integer(json_object_get(answer, "exit_status")))
		cli->exit_status = (int)(field_int(answer, "exit_status") & 0xff);
	else if (json_is_integer(json_object_get(answer, "signal")))
		cli->exit_status = (int)(128 + (field_int(answer, "signal") & 0x7f));
	else
		return error_set_code(err, EBADMSG, "internal",
				      "the daemon did not say how the command ended");
	return 0;
}

static void put_argv(json_t *request, const struct args *args)
{
	json_t *argv;

	if (!args->rest || args->n_rest == 0)
		return;
	argv = json_array();
	for (size_t i = 0; i < args->n_rest; i++)
		json_array_append_new(argv, json_string(args->rest[i]));
	json_object_set_new(request, "argv", argv);
}

static int put_environment(json_t *request, const struct args *args, struct error *err)
{
	json_t *env = NULL;
	const char *entry;

	for (size_t i = 0; (entry = args_get_nth(args, "env", i)); i++) {
		if (!strchr(entry, '=') || entry[0] == '=')
			return error_set(err, EINVAL, "--env takes KEY=VALUE");
		if (!env) {
			env = json_array();
			json_object_set_new(request, "env", env);
		}
		json_array_append_new(env, json_string(entry));
	}
	return 0;
}

/* The three pipes of a command; near ends are ours. */
struct pipes {
	int near[3], far[3];
};

static void pipes_close(struct pipes *pipes)
{
	for (int i = 0; i < 3; i++) {
		closep(&pipes->near[i]);
		closep(&pipes->far[i]);
	}
}

static int pipes_open(struct pipes *pipes, struct error *err)
{
	for (int i = 0; i < 3; i++) {
		int fds[2];

		if (pipe2(fds, O_CLOEXEC) < 0)
			return error_set_errno(err, errno, "cannot make a pipe");
		pipes->far[i] = fds[i == STDIN_FILENO ? 0 : 1];
		pipes->near[i] = fds[i == STDIN_FILENO ? 1 : 0];
		(void)fcntl(pipes->near[i], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

static int forward_signal(int signum, void *data, struct error *err)
{
	json_auto_t *request = cli_request("signal");

	json_object_set_new(request, "signal", json_integer(signum));
	return client_send(data, request, NULL, 0, err);
}

static void add_flow(struct relay *relay, int from, int to, filter_fn filter,
		     void *filter_state)
{
	relay->flows[relay->n_flows++] = (struct flow){
		.from = from,
		.to = to,
		.filter = filter,
		.filter_state = filter_state,
	};
}

static int run_exec(struct cli *cli, struct client *client, struct pipes *pipes, json_t **ret,
		    struct error *err)
{
	struct filter_text text[3] = {};
	struct relay relay = {.client = client, .on_signal = forward_signal, .data = client};

	sigemptyset(&relay.signals);
	sigaddset(&relay.signals, SIGINT);
	sigaddset(&relay.signals, SIGTERM);
	sigaddset(&relay.signals, SIGHUP);
	add_flow(&relay, STDIN_FILENO, TAKE_FD(pipes->near[0]), NULL, NULL);
	relay.flows[0].owns_to = true;
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		bool is_tty = fd == STDOUT_FILENO ? cli->out.tty : cli->talk.tty;

		add_flow(&relay, TAKE_FD(pipes->near[fd]), fd, is_tty ? filter_text : NULL,
			 &text[fd]);
		relay.flows[fd].owns_from = true;
		relay.flows[fd].is_result = true;
	}
	return relay_run(&relay, ret, err);
}

int cmd_exec(struct cli *cli, struct error *err)
{
	__attribute__((cleanup(pipes_close))) struct pipes pipes = {{-1, -1, -1}, {-1, -1, -1}};
	json_auto_t *request = cli_request("exec"), *answer = NULL;
	_cleanup_client_ struct client client = CLIENT_NONE;
	const char *agent;
	int r = args_agent(&cli->args, &agent, err);

	if (r < 0)
		return r;
	json_put_str(request, "name", agent);
	put_argv(request, &cli->args);
	r = put_environment(request, &cli->args, err);
	if (r < 0)
		return r;
	json_put_str(request, "user", args_get(&cli->args, "user"));
	json_put_str(request, "cwd", args_get(&cli->args, "cwd"));
	r = pipes_open(&pipes, err);
	if (r < 0)
		return r;
	r = client_open(cli->socket, &client, err);
	if (r < 0)
		return r;
	r = client_send(&client, request, pipes.far, 3, err);
	if (r < 0)
		return r;
	for (int i = 0; i < 3; i++)
		(void)close(TAKE_FD(pipes.far[i]));
	r = run_exec(cli, &client, &pipes, &answer, err);
	if (r < 0)
		return r;
	return take_exit(cli, answer, err);
}

static int on_shell_signal(int signum, void *data, struct error *err)
{
	int *master_fd = data;
	struct winsize size;

	if (signum == SIGWINCH) {
		size = terminal_size(STDIN_FILENO);
		(void)ioctl(*master_fd, TIOCSWINSZ, &size);
		return 0;
	}
	return error_set_code(err, EINTR, signum == SIGINT ? "interrupted" : "terminated",
			      "ended by a signal; the shell inside is ended with it");
}

static int run_shell(struct client *client, int master_fd, json_t **ret, struct error *err)
{
	_cleanup_terminal_ struct terminal terminal = TERMINAL_NONE;
	struct filter_terminal screen = {};
	struct relay relay = {.client = client,
			      .on_signal = on_shell_signal,
			      .data = &master_fd};
	int r;

	sigemptyset(&relay.signals);
	sigaddset(&relay.signals, SIGWINCH);
	sigaddset(&relay.signals, SIGINT);
	sigaddset(&relay.signals, SIGTERM);
	sigaddset(&relay.signals, SIGHUP);
	sigaddset(&relay.signals, SIGQUIT);
	add_flow(&relay, STDIN_FILENO, master_fd, NULL, NULL);
	add_flow(&relay, master_fd, STDOUT_FILENO, filter_terminal, &screen);
	relay.flows[0].hangs_up = true;
	relay.flows[1].hangs_up = true;
	relay.flows[1].is_result = true;
	/* blocked from before the modes change, so that no signal finds the terminal raw and
	 * nobody to put it back */
	(void)sigprocmask(SIG_BLOCK, &relay.signals, NULL);
	r = terminal_raw(STDIN_FILENO, &terminal, err);
	if (r < 0)
		return r;
	return relay_run(&relay, ret, err);
}

/* What the container is told about the terminal: a plain word or nothing. */
static const char *terminal_type(void)
{
	const char *term = getenv("TERM");

	if (!term || !term[0] || strlen(term) > 40 ||
	    term[strspn(term,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+._")])
		return "dumb";
	return term;
}

int cmd_shell(struct cli *cli, struct error *err)
{
	json_auto_t *request = cli_request("shell"), *first = NULL, *last = NULL;
	_cleanup_client_ struct client client = CLIENT_NONE;
	struct winsize size = terminal_size(STDIN_FILENO);
	_cleanup_close_ int master_fd = -1;
	const char *agent;
	int r = args_agent(&cli->args, &agent, err);

	if (r < 0)
		return r;
	if (isatty(STDIN_FILENO) != 1 || !cli->out.tty) {
		error_set(err, EINVAL, "shell needs a terminal for its input and output");
		error_hint(err, "skep exec %s -- COMMAND... runs one command without", agent);
		return -EINVAL;
	}
	json_put_str(request, "name", agent);
	put_argv(request, &cli->args);
	json_put_str(request, "term", terminal_type());
	json_object_set_new(request, "rows", json_integer(size.ws_row));
	json_object_set_new(request, "cols", json_integer(size.ws_col));
	r = client_open(cli->socket, &client, err);
	if (r < 0)
		return r;
	r = client_send(&client, request, NULL, 0, err);
	if (r < 0)
		return r;
	r = client_receive(&client, CLI_TIMEOUT_MS, &first, err);
	if (r < 0)
		return r;
	r = cli_check(cli, first, err);
	if (r < 0)
		return r;
	master_fd = client_take_fd(&client);
	if (master_fd < 0 || isatty(master_fd) != 1)
		return error_set_code(err, EBADMSG, "internal",
				      "the daemon did not pass a terminal");
	(void)fcntl(master_fd, F_SETFL, O_NONBLOCK);
	r = run_shell(&client, master_fd, &last, err);
	if (r < 0)
		return r;
	return take_exit(cli, last, err);
}
