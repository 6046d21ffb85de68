#include "skep/wait.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "skep/rows.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* The second connection, which only ever informs: whatever goes wrong on it ends it and nothing
 * else. */
struct watcher {
	struct client client;
	const struct progress *progress;
	char **last; /* per agent the last state told */
};

static void watcher_release(struct watcher *watcher)
{
	client_close(&watcher->client);
	for (size_t i = 0; i < watcher->progress->n_agents && watcher->last; i++)
		free(watcher->last[i]);
	free(watcher->last);
	watcher->last = NULL;
}

static void watcher_open(struct cli *cli, struct watcher *watcher)
{
	const struct progress *progress = watcher->progress;
	json_auto_t *request = NULL;

	if (!cli_shows_progress(cli) || client_open(cli->socket, &watcher->client, NULL) < 0)
		return;
	watcher->last = mem_new(progress->n_agents, sizeof(char *));
	if (progress->proposal) {
		request = cli_request("build_log");
		json_object_set_new(request, "id", json_integer(progress->proposal));
		json_object_set_new(request, "follow", json_true());
	} else {
		request = cli_request("subscribe_agent_status");
	}
	if (client_send(&watcher->client, request, NULL, 0, NULL) < 0)
		client_close(&watcher->client);
}

static void tell_state(struct cli *cli, struct watcher *watcher, const json_t *row)
{
	const char *name = field_str(row, "name"), *word = agent_state(row);

	for (size_t i = 0; i < watcher->progress->n_agents; i++) {
		if (strcmp(watcher->progress->agents[i], name) != 0)
			continue;
		if (watcher->last[i] && strcmp(watcher->last[i], word) == 0)
			return;
		free(watcher->last[i]);
		watcher->last[i] = str_dup(word);
		out_line(&cli->talk, STYLE_DIM, "  %s: %s", name, word);
	}
}

/* False at its end. */
static bool watcher_tell(struct cli *cli, struct watcher *watcher)
{
	struct error ignored = {};
	json_t *line = NULL, *row;
	size_t i;
	int r;

	if (client_fill(&watcher->client, &ignored) <= 0)
		return false;
	while ((r = client_next(&watcher->client, &line, &ignored)) > 0) {
		json_auto_t *owned = line;

		if (answer_check(owned, &ignored) < 0)
			return false;
		out_lines(&cli->talk, STYLE_DIM, "  | ", field_str(owned, "log"));
		json_array_foreach (json_object_get(owned, "agent_statuses"), i, row)
			tell_state(cli, watcher, row);
		(void)out_flush(&cli->talk);
	}
	return r == 0;
}

static int interrupted(int signal_fd, const struct progress *progress, struct error *err)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	error_set_code(err, EINTR, info.ssi_signo == SIGINT ? "interrupted" : "terminated",
		       "stopped waiting; the work goes on");
	if (progress->hint)
		error_hint(err, "%s", progress->hint);
	return -EINTR;
}

static int wait_watching(struct cli *cli, struct client *client, struct watcher *watcher,
			 int signal_fd, json_t **ret, struct error *err)
{
	for (;;) {
		struct pollfd fds[] = {
			{.fd = client->fd, .events = POLLIN},
			{.fd = watcher->client.fd, .events = POLLIN},
			{.fd = signal_fd, .events = POLLIN},
		};
		int r;

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return error_set_errno(err, errno, "cannot wait for the daemon");
		if (fds[1].revents && !watcher_tell(cli, watcher))
			client_close(&watcher->client);
		if (fds[2].revents) {
			r = interrupted(signal_fd, watcher->progress, err);
			if (r < 0)
				return r;
		}
		if (!fds[0].revents)
			continue;
		/* the answer or the end is there: this does not block for longer than a line
		 * takes to arrive */
		return client_receive(client, CLI_TIMEOUT_MS, ret, err);
	}
}

static int wait_for_answer(struct cli *cli, struct client *client,
			   const struct progress *progress, json_t **ret, struct error *err)
{
	__attribute__((cleanup(watcher_release))) struct watcher watcher = {
		.client = CLIENT_NONE,
		.progress = progress,
	};
	_cleanup_close_ int signal_fd = -1;
	sigset_t signals, old;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &signals, &old);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (signal_fd < 0)
		return error_set_errno(err, errno, "cannot watch for signals");
	watcher_open(cli, &watcher);
	r = wait_watching(cli, client, &watcher, signal_fd, ret, err);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

int wait_call(struct cli *cli, json_t *request, const struct progress *progress, json_t **ret,
	      struct error *err)
{
	_cleanup_client_ struct client client = CLIENT_NONE;
	json_auto_t *owned = request, *answer = NULL;
	bool waits = !args_has(&cli->args, "no-wait");
	int r;

	if (waits)
		json_object_set_new(owned, "wait", json_true());
	r = client_open(cli->socket, &client, err);
	if (r < 0)
		return r;
	r = client_send(&client, owned, progress->fds, progress->n_fds, err);
	if (r < 0)
		return r;
	r = waits ? wait_for_answer(cli, &client, progress, &answer, err)
		  : client_receive(&client, CLI_TIMEOUT_MS, &answer, err);
	if (r < 0)
		return r;
	r = cli_check(cli, answer, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(answer);
	return 0;
}

int wait_build_log(struct cli *cli, json_t *request, wait_log_fn fn, void *data, json_t **ret,
		   struct error *err)
{
	_cleanup_client_ struct client client = CLIENT_NONE;
	json_auto_t *owned = request;
	int r = client_open(cli->socket, &client, err);

	if (r < 0)
		return r;
	r = client_send(&client, owned, NULL, 0, err);
	if (r < 0)
		return r;
	for (;;) {
		json_auto_t *line = NULL;

		r = client_receive(&client, -1, &line, err);
		if (r < 0)
			return r;
		r = cli_check(cli, line, err);
		if (r < 0)
			return r;
		if (field_str(line, "log")[0])
			fn(cli, field_str(line, "log"), data);
		if (!field_bool(line, "end"))
			continue;
		*ret = json_incref(json_object_get(line, "proposal"));
		return 0;
	}
}
