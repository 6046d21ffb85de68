/*
 * inside LEADER boot | run [-u USER] [-t MS] [-e NAME=VALUE] PROGRAM... | pty PROGRAM...
 *
 * Calls the functions of host/inside.h on a container, so that shell tests can look at what
 * they do. Descriptor 9, when open, is handed over as stop_fd. Failures print "error: ERRNO
 * TEXT" and end with 125; a signal N ends with 128 + N.
 */
#include "host/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_FD 9

static int failed(const struct error *err)
{
	fprintf(stderr, "error: %d %s\n", err->err, error_text(err));
	return 125;
}

static int ended(const struct inside_exit *exit)
{
	return exit->exit_status >= 0 ? exit->exit_status : 128 + exit->signum;
}

static int boot(pid_t leader)
{
	struct error err = {};
	char state[24], *text;
	json_t *units = NULL;

	if (inside_boot_state(leader, state, &units, &err) < 0)
		return failed(&err);
	text = json_dumps(units, 0);
	printf("%s %s\n", state, text);
	free(text);
	json_decref(units);
	return 0;
}

static int run(pid_t leader, int argc, char **argv)
{
	const char *env[17] = {};
	struct inside_command command = {.env = env};
	struct inside_exit end;
	struct error err = {};
	const int stdio[3] = {0, 1, 2};
	size_t n_env = 0;
	int o;

	while ((o = getopt(argc, argv, "+u:c:t:e:")) != -1)
		switch (o) {
		case 'u':
			command.user = optarg;
			break;
		case 'c':
			command.cwd = optarg;
			break;
		case 't':
			command.timeout_ms = atoll(optarg);
			break;
		case 'e':
			if (n_env < 16)
				env[n_env++] = optarg;
			break;
		default:
			return 2;
		}
	command.argv = (const char *const *)argv + optind;
	if (inside_run(leader, &command, stdio, fcntl(STOP_FD, F_GETFD) < 0 ? -1 : STOP_FD,
		       &end, &err) < 0)
		return failed(&err);
	return ended(&end);
}

/* Prints what the terminal says; standard input is typed into it. */
static void pump(int master)
{
	struct pollfd p[2] = {{.fd = master, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	char bytes[4096];

	for (;;) {
		ssize_t n;

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents) {
			n = read(master, bytes, sizeof(bytes));
			if (n <= 0)
				return;
			(void)!write(1, bytes, (size_t)n);
		}
		if (p[1].revents) {
			n = read(0, bytes, sizeof(bytes));
			if (n > 0)
				(void)!write(master, bytes, (size_t)n);
			else
				p[1].fd = -1;
		}
	}
}

static int pty(pid_t leader, char **argv)
{
	struct inside_command command = {.argv = (const char *const *)argv + 1};
	struct inside_exit end;
	struct error err = {};
	int master, terminal;
	char name[32];
	pid_t child;

	if (inside_open_pty(leader, 33, 77, &master, name, &err) < 0)
		return failed(&err);
	terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	child = fork();
	if (child == 0) {
		close(terminal);
		pump(master);
		_exit(0);
	}
	close(master);
	if (inside_run_on_pty(leader, &command, name, -1, &end, &err) < 0)
		return failed(&err);
	close(terminal);
	waitpid(child, NULL, 0);
	return ended(&end);
}

int main(int argc, char **argv)
{
	pid_t leader;

	if (argc < 3)
		return 2;
	leader = atoi(argv[1]);
	if (!strcmp(argv[2], "boot"))
		return boot(leader);
	if (!strcmp(argv[2], "run"))
		return run(leader, argc - 2, argv + 2);
	if (!strcmp(argv[2], "pty"))
		return pty(leader, argv + 2);
	return 2;
}
