#include "host/outside.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "host/boot_state.h"
#include "host/message.h"
#include "host/transient.h"
#include "host/verbs_inside.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IDS 4 /* numeric arguments of `skep-exec outside STATE RUNTIME ...` */
#define ATTEMPTS 3

static const struct outside_verb verbs[] = {
	{"exec", verb_exec},
	{"shell", verb_shell},
	{"logs", verb_logs},
	{"observe", verb_observe},
	{"boot-state", verb_boot_state},
	{"freeze", verb_freeze},
	{},
};

static int start_unit(const struct place *place, const char *verb, int socket_fd,
		      struct error *err)
{
	sd_bus *bus = NULL;
	_cleanup_free_ char *program = str_format("%s/skep-exec", place->program_dir);
	_cleanup_free_ char *about = str_format("skep: %s", verb);
	char unit[64], ids[IDS][16];
	const char *argv[] = {program, "outside", place->state, place->runtime, ids[0], ids[1],
			      ids[2],  ids[3],    NULL};
	const int stdio[3] = {socket_fd, -1, -1};
	const struct transient t = {.unit = transient_name(unit, "skep-verb"),
				    .description = about,
				    .argv = argv,
				    .stdio = stdio};
	int r = bus_host(&bus, err);

	if (r < 0)
		return r;
	snprintf(ids[0], sizeof(ids[0]), "%u", place->skep_uid);
	snprintf(ids[1], sizeof(ids[1]), "%u", place->skep_gid);
	snprintf(ids[2], sizeof(ids[2]), "%u", place->build_uid);
	snprintf(ids[3], sizeof(ids[3]), "%u", place->build_gid);
	return transient_start(bus, &t, false, err);
}

static int send_request(struct verb_request *request, const char *verb, int socket_fd,
			struct error *err)
{
	json_auto_t *message =
		json_pack("{s:s, s:I, s:O}", "verb", verb, "id", (json_int_t)request->id,
			  "arguments", (json_t *)request->arguments);
	int r = message_send(socket_fd, message, request->fds, request->n_fds);

	return r < 0 ? error_set_errno(err, r, "cannot hand '%s' to its unit", verb) : 0;
}

/* Passes signals on; at the end of file the unit is told by one. Returns false when nothing
 * more will come. */
static bool pass_stop(int stop_fd, int socket_fd)
{
	char bytes[16];
	ssize_t n = read(stop_fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) {
		(void)shutdown(socket_fd, SHUT_WR);
		return false;
	}
	for (ssize_t i = 0; i < n; i++)
		(void)send(socket_fd, &bytes[i], 1, MSG_NOSIGNAL);
	return true;
}

/* Takes one message of the unit: 1 when it was the final answer, 0 when more will come. */
static int take_message(struct verb_request *request, const char *verb, int socket_fd,
			json_t *answer, struct error *err)
{
	json_auto_t *message = NULL;
	int fds[SOCK_MAX_FDS];
	size_t n_fds = 0;
	int r = message_receive(socket_fd, &message, fds, &n_fds, err);

	if (r == 0)
		return error_set(err, EIO, "the unit for '%s' ended without an answer", verb);
	if (r < 0)
		return r == -EBADMSG ? r
				     : error_set_errno(err, r, "cannot hear from '%s'", verb);
	for (size_t i = 1; i < n_fds; i++)
		(void)close(fds[i]);
	json_object_del(message, "id");
	if (json_is_true(json_object_get(message, "partial"))) {
		_cleanup_close_ int fd = n_fds > 0 ? fds[0] : -1;

		return verb_send_partial(request, TAKE_PTR(message), fd, err);
	}
	if (n_fds > 0)
		request->answer_fd = fds[0];
	r = message_result(message, err);
	if (r < 0)
		return r;
	json_object_del(message, "ok");
	json_object_update(answer, message);
	return 1;
}

static int relay(struct verb_request *request, const char *verb, int socket_fd, json_t *answer,
		 struct error *err)
{
	struct pollfd p[2] = {{.fd = socket_fd, .events = POLLIN},
			      {.fd = request->stop_fd, .events = POLLIN}};

	for (;;) {
		int r;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return error_set_errno(err, errno, "cannot wait for '%s'", verb);
		if (p[1].revents && !pass_stop(request->stop_fd, socket_fd))
			p[1].fd = -1;
		if (!p[0].revents)
			continue;
		r = take_message(request, verb, socket_fd, answer, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

static int run_unit(struct verb_request *request, const char *verb, json_t *answer,
		    struct error *err)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int pair[2], r;

	r = sock_pair(SOCK_SEQPACKET, pair, err);
	if (r < 0)
		return r;
	ours = pair[0];
	theirs = pair[1];
	message_prepare(ours);
	message_prepare(theirs);
	r = start_unit(request->place, verb, theirs, err);
	if (r >= 0)
		r = send_request(request, verb, ours, err);
	if (r < 0)
		return r;
	/* Only the unit holds the other end now, so its death is the end of file. */
	(void)close(TAKE_FD(theirs));
	return relay(request, verb, ours, answer, err);
}

/*
 * A transient unit that is started while systemd reloads its units may be forgotten half read,
 * and refused. The kernel tells that from all other ends: the socket was closed with the
 * request still in it (unix(7): ECONNRESET), so nothing of it was begun.
 */
int outside_run(struct verb_request *request, const char *verb, verb_fn here, json_t *answer,
		struct error *err)
{
	int r = -ECONNRESET;

	if (request->supervisor != &supervisor_systemd)
		return here(request, answer, err);
	for (int i = 0; i < ATTEMPTS && r == -ECONNRESET; i++)
		r = run_unit(request, verb, answer, err);
	return r;
}

static verb_fn find(const struct outside_verb *list, const char *name)
{
	for (; list->verb; list++)
		if (!strcmp(list->verb, name))
			return list->fn;
	return NULL;
}

static int serve(struct verb_request *request, const json_t *message,
		 const struct outside_verb *more, json_t *answer, struct error *err)
{
	const char *name = "";
	json_t *arguments = NULL;
	verb_fn fn;
	int64_t id;
	int r = json_get_str(message, "verb", true, &name, err);

	if (r >= 0)
		r = json_get_int(message, "id", true, 0, INT64_MAX, &id, err);
	if (r >= 0)
		r = json_get_object(message, "arguments", true, &arguments, err);
	if (r < 0)
		return r;
	request->id = (uint64_t)id;
	request->arguments = arguments;
	fn = find(verbs, name);
	if (!fn)
		fn = find(more, name);
	if (fn)
		return fn(request, answer, err);
	return error_set(err, EINVAL, "'%s' does not run in a unit of its own", name);
}

int outside_main(int argc, char **argv, const struct outside_verb *more)
{
	_cleanup_free_ char *program_dir = file_program_dir();
	/* A copy is not the original: outside_run() sees that it has arrived. */
	const struct supervisor outside = supervisor_systemd;
	struct place place = {.program_dir = program_dir};
	struct verb_request request = {.place = &place,
				       .supervisor = &outside,
				       .stop_fd = STDIN_FILENO,
				       .answer_fd = -1,
				       .channel_fd = STDIN_FILENO};
	json_auto_t *message = NULL, *answer = json_object();
	struct error err = {};
	int r;

	if (argc != 2 + IDS)
		return EXIT_FAILURE;
	place.state = argv[0];
	place.runtime = argv[1];
	place.skep_uid = (uid_t)strtoul(argv[2], NULL, 10);
	place.skep_gid = (gid_t)strtoul(argv[3], NULL, 10);
	place.build_uid = (uid_t)strtoul(argv[4], NULL, 10);
	place.build_gid = (gid_t)strtoul(argv[5], NULL, 10);
	r = message_receive(STDIN_FILENO, &message, request.fds, &request.n_fds, &err);
	if (r <= 0) {
		log_line(LOG_ERR, "no request came: %s",
			 r < 0 ? error_text(&err) : "end of file");
		return EXIT_FAILURE;
	}
	r = serve(&request, message, more, answer, &err);
	return verb_send_final(&request, r, answer, &err) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
