/*
 * exec-own VERB JSON PROGRAM ARGUMENT...
 *
 * Starts skep-exec as a skepd without systemd does: with one end of a socket pair as
 * descriptor 3. Asks it one thing, prints the answer, closes the connection, and prints how it
 * ended. Ends with 0 when both went well.
 */
#include "base/child.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sock.h"
#include "host/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNEL_FD 3
#define END_MS 30000

static int fail(const char *what)
{
	fprintf(stderr, "exec-own: %s\n", what);
	return 125;
}

int main(int argc, char **argv)
{
	json_auto_t *request = NULL, *answer = NULL;
	struct child_exit end;
	struct error err = {};
	int pair[2], fds[SOCK_MAX_FDS], pidfd = -1, r;
	size_t n = 0;
	pid_t pid;
	char text[64];

	if (argc < 4)
		return 2;
	if (json_parse(argv[2], strlen(argv[2]), &request, &err) < 0 ||
	    sock_pair(SOCK_SEQPACKET, pair, &err) < 0)
		return fail(error_text(&err));
	json_object_set_new(request, "id", json_integer(1));
	json_object_set_new(request, "verb", json_string(argv[1]));
	const struct child_fd given[] = {{.fd = pair[1], .target = CHANNEL_FD},
					 {.fd = STDERR_FILENO, .target = STDERR_FILENO}};
	const struct child_spec spec = {
		.path = argv[3],
		.argv = (const char *const *)argv + 3,
		.fds = given,
		.n_fds = ARRAY_SIZE(given),
	};

	if (child_spawn(&spec, &pid, &pidfd, &err) < 0)
		return fail(error_text(&err));
	(void)close(pair[1]);
	if (message_send(pair[0], request, NULL, 0) < 0)
		return fail("it does not listen");
	r = message_receive(pair[0], &answer, fds, &n, &err);
	if (r <= 0)
		return fail("no answer");
	json_dumpf(answer, stdout, 0);
	putchar('\n');
	(void)close(pair[0]);
	if (child_wait(pidfd, END_MS, &end) < 0)
		return fail("it does not end");
	printf("it %s\n", child_exit_text(text, &end));
	return end.signaled || end.status != 0 || !json_is_true(json_object_get(answer, "ok"));
}
