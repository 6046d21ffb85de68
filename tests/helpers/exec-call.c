/*
 * exec-call [-u UID] SOCKET VERB [JSON]
 * exec-call [-u UID] SOCKET watch [COUNT]: prints that many messages that come unasked
 *
 * Asks skep-exec one thing, as skepd does, and prints every answer as a line. JSON is the
 * object of the verb's arguments. A verb that takes descriptors gets this program's own: exec
 * 0, 1 and 2, logs 1. A terminal that comes back (shell) is typed into from standard input and
 * printed. A line "signal N" on descriptor 9, when that is open, is sent as a signal verb; its
 * end as cancel. The verb "listen" says hello, and prints the answer and then what comes by
 * itself, for ever. Ends with 0, or the exit status or 128 + the signal of what ran, or 125 for
 * a failure.
 */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sock.h"
#include "host/message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID 1
#define CONTROL_FD 9

static int fail(const char *what, int r)
{
	fprintf(stderr, "exec-call: %s: %s\n", what, strerror(-r));
	exit(125);
}

static size_t pick_fds(const char *verb, int fds[3])
{
	if (!strcmp(verb, "exec")) {
		for (int i = 0; i < 3; i++)
			fds[i] = i;
		return 3;
	}
	if (!strcmp(verb, "logs") || !strcmp(verb, "build") || !strcmp(verb, "export")) {
		fds[0] = STDOUT_FILENO;
		return 1;
	}
	return 0;
}

static void call(int fd, int id, const char *verb, json_t *arguments, const int *fds,
		 size_t n_fds)
{
	json_t *request = json_pack("{s:i, s:s}", "id", id, "verb", verb);
	int r;

	json_object_update(request, arguments);
	r = message_send(fd, request, fds, n_fds);
	json_decref(request);
	json_decref(arguments);
	if (r < 0)
		fail("cannot ask", r);
}

/* Returns false at the end of the descriptor. */
static bool control(int fd)
{
	char line[64] = "";
	ssize_t n = read(CONTROL_FD, line, sizeof(line) - 1);
	int signum;

	if (n <= 0) {
		call(fd, ID + 1, "cancel", json_pack("{s:i}", "target", ID), NULL, 0);
		return false;
	}
	if (sscanf(line, "signal %d", &signum) == 1)
		call(fd, ID + 1, "signal",
		     json_pack("{s:i, s:i}", "target", ID, "signal", signum), NULL, 0);
	return true;
}

/* Takes an answer: -1 when more will come, else how to end. */
static int take(int fd, int *terminal)
{
	json_auto_t *answer = NULL;
	struct error err = {};
	int64_t id = 0, status = 0;
	int fds[SOCK_MAX_FDS];
	const char *event;
	size_t n = 0;
	int r = message_receive(fd, &answer, fds, &n, &err);

	if (r <= 0)
		fail("no answer", r < 0 ? r : -EPIPE);
	/* comes after whatever is written for a container, sooner or later */
	event = json_string_value(json_object_get(answer, "event"));
	if (event && strcmp(event, "files") == 0)
		return -1;
	json_dumpf(answer, stdout, 0);
	putchar('\n');
	fflush(stdout);
	for (size_t i = 0; i < n; i++)
		if (i == 0 && *terminal < 0)
			*terminal = fds[0];
		else
			close(fds[i]);
	(void)json_get_int(answer, "id", false, 0, 1000, &id, NULL);
	if (id != ID || json_is_true(json_object_get(answer, "partial")))
		return -1;
	if (!json_is_true(json_object_get(answer, "ok")))
		return 125;
	if (json_get_int(answer, "signal", true, 1, 128, &status, NULL) == 0)
		return 128 + (int)status;
	if (json_get_int(answer, "exit_status", true, 0, 255, &status, NULL) == 0)
		return (int)status;
	return 0;
}

/* Returns false when the descriptor has nothing more to give. */
static bool copy(int from, int to)
{
	char bytes[4096];
	ssize_t n = read(from, bytes, sizeof(bytes));

	return n > 0 && write(to, bytes, (size_t)n) == n;
}

static int converse(int fd, bool typing)
{
	struct pollfd p[4] = {{.fd = fd, .events = POLLIN},
			      {.fd = fcntl(CONTROL_FD, F_GETFD) < 0 ? -1 : CONTROL_FD,
			       .events = POLLIN},
			      {.fd = -1, .events = POLLIN},
			      {.fd = -1, .events = POLLIN}};
	int terminal = -1, status = -1;

	for (;;) {
		if (poll(p, 4, status < 0 ? -1 : 0) == 0)
			return status;
		if (p[1].revents && !control(fd))
			p[1].fd = -1;
		if (p[2].revents && !copy(terminal, STDOUT_FILENO))
			p[2].fd = -1;
		if (p[3].revents && !copy(STDIN_FILENO, terminal))
			p[3].fd = -1;
		if (p[0].revents && status < 0) {
			status = take(fd, &terminal);
			if (terminal >= 0 && p[2].fd < 0 && typing) {
				p[2].fd = terminal;
				p[3].fd = STDIN_FILENO;
				typing = false;
			}
		}
		if (status >= 0)
			p[0].fd = p[1].fd = p[3].fd = -1;
	}
}

static int watch(int fd, int count)
{
	int none = 0;

	while (count-- > 0)
		(void)take(fd, &none);
	return 0;
}

int main(int argc, char **argv)
{
	json_t *arguments = NULL;
	struct error err = {};
	size_t n_fds;
	int fds[3], fd;

	if (argc > 3 && !strcmp(argv[1], "-u")) {
		if (setgid((gid_t)atoi(argv[2])) < 0 || setuid((uid_t)atoi(argv[2])) < 0)
			fail("cannot become that user", -errno);
		argv += 2;
		argc -= 2;
	}
	if (argc < 3)
		return 2;
	fd = sock_connect(argv[1], SOCK_SEQPACKET, &err);
	if (fd < 0)
		fail(error_text(&err), fd);
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	message_prepare(fd);
	if (!strcmp(argv[2], "watch"))
		return watch(fd, argc > 3 ? atoi(argv[3]) : 1);
	if (json_parse(argc > 3 ? argv[3] : "{}", strlen(argc > 3 ? argv[3] : "{}"), &arguments,
		       &err) < 0)
		fail(error_text(&err), -EINVAL);
	n_fds = pick_fds(argv[2], fds);
	if (strcmp(argv[2], "listen") == 0)
		call(fd, ID + 1, "hello", json_object(), NULL, 0);
	else
		call(fd, ID, argv[2], arguments, fds, n_fds);
	return converse(fd, !strcmp(argv[2], "shell"));
}
