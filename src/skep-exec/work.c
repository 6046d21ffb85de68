#include "skep-exec/work.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "host/message.h"
#include "skep-exec/table.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CHANNEL_FD 3

/* Nobody waits for the answer any more: the daemon that wanted it is gone. */
static bool is_orphan(void)
{
	struct pollfd p = {.fd = CHANNEL_FD};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

static int receive(struct verb_request *request, json_t **ret_message, struct error *err)
{
	json_t *arguments = NULL;
	int64_t id = 0;
	int r = message_receive(CHANNEL_FD, ret_message, request->fds, &request->n_fds, err);

	if (r == 0)
		return error_set(err, EPIPE, "no request came");
	if (r < 0)
		return r == -EBADMSG ? r : error_set_errno(err, r, "no request came");
	r = json_get_int(*ret_message, "id", true, 0, INT64_MAX, &id, err);
	if (r == 0)
		r = json_get_object(*ret_message, "arguments", true, &arguments, err);
	if (r < 0)
		return r;
	request->id = (uint64_t)id;
	request->arguments = arguments;
	return 0;
}

int work_main(const struct options *options)
{
	const struct verb *verb = table_find(options->subject);
	struct verb_request request = {
		.place = &options->place,
		.supervisor = options_supervisor(options),
		.stop_fd = CHANNEL_FD,
		.answer_fd = -1,
		.channel_fd = CHANNEL_FD,
	};
	json_auto_t *message = NULL, *answer = json_object();
	struct error err = {};
	int r;

	/* A killed daemon takes its requests along; the container a start made stays. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	if (!verb || !verb->handler || fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    is_orphan())
		return EXIT_FAILURE;
	r = receive(&request, &message, &err);
	if (r < 0) {
		log_line(LOG_ERR, "%s: %s", verb->name, error_text(&err));
		return EXIT_FAILURE;
	}
	/* Checked again by the process that acts on it. */
	r = table_check(verb, request.arguments, request.n_fds, &err);
	if (r == 0)
		r = verb->handler(&request, answer, &err);
	return verb_send_final(&request, r, answer, &err) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
