/* log: the journal of an agent, the build log of a proposal. */

#include "base/cleanup.h"
#include "base/json.h"
#include "skep/handlers.h"
#include "skep/journal_lines.h"
#include "skep/relay.h"
#include "skep/rows.h"
#include "skep/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LINES 100
#define MAX_LINES 100000

static int lines_wanted(const struct args *args, int64_t otherwise, int64_t *ret,
			struct error *err)
{
	const char *text = args_get(args, "lines");

	*ret = otherwise;
	if (!text)
		return 0;
	if (args_parse_number(text, "lines", 1, ret, err) < 0 || *ret > MAX_LINES)
		return error_set(err, EINVAL, "--lines takes a number from 1 to %d, not '%s'",
				 MAX_LINES, text);
	return 0;
}

/* What is asked for. output is JSON where cursors are wanted. */
static json_t *journal_request(const struct args *args, const char *agent, int64_t lines,
			       bool as_json)
{
	static const char *const texts[][2] = {{"since", "since"},
					       {"until", "until"},
					       {"priority", "priority"},
					       {"after-cursor", "after_cursor"}};
	json_t *request = cli_request("logs");

	json_put_str(request, "name", agent);
	json_object_set_new(request, "lines", json_integer(lines));
	json_object_set_new(request, "follow", json_boolean(args_has(args, "follow")));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		json_put_str(request, texts[i][1], args_get(args, texts[i][0]));
	json_put_str(request, "output", as_json ? "json" : NULL);
	if (args_has(args, "system"))
		json_object_set_new(request, "system", json_true());
	return request;
}

/* Whoever stops following wants to know where. */
static int on_interrupt(int signum, void *data, struct error *err)
{
	(void)data;
	return error_set_code(err, EINTR, signum == SIGINT ? "interrupted" : "terminated",
			      "stopped following");
}

/* The journal comes through a pipe of ours and is cleaned on its way. */
static int agent_log(struct cli *cli, const char *agent, struct error *err)
{
	bool shows_cursor = args_has(&cli->args, "show-cursor");
	bool as_json = cli->json || shows_cursor;
	json_auto_t *request = NULL, *answer = NULL;
	_cleanup_close_ int near_fd = -1, far_fd = -1;
	_cleanup_client_ struct client client = CLIENT_NONE;
	__attribute__((cleanup(journal_lines_release))) struct journal_lines entries = {
		.json = cli->json};
	struct filter_text text = {};
	struct relay relay = {.client = &client,
			      .n_flows = 1,
			      .stops_on_broken_sink = true,
			      .on_signal = on_interrupt};
	int64_t lines;
	int fds[2], r = lines_wanted(&cli->args, DEFAULT_LINES, &lines, err);

	if (r < 0)
		return r;
	/* what came after a cursor is wanted whole */
	if (args_has(&cli->args, "after-cursor") && !args_has(&cli->args, "lines"))
		lines = MAX_LINES;
	request = journal_request(&cli->args, agent, lines, as_json);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "cannot make a pipe");
	near_fd = fds[0];
	far_fd = fds[1];
	(void)fcntl(near_fd, F_SETFL, O_NONBLOCK);
	r = client_open(cli->socket, &client, err);
	if (r < 0)
		return r;
	r = client_send(&client, request, &far_fd, 1, err);
	if (r < 0)
		return r;
	(void)close(TAKE_FD(far_fd));
	sigemptyset(&relay.signals);
	if (shows_cursor) {
		sigaddset(&relay.signals, SIGINT);
		sigaddset(&relay.signals, SIGTERM);
	}
	relay.flows[0] = (struct flow){
		.from = near_fd,
		.to = STDOUT_FILENO,
		.is_result = true,
		.filter = as_json ? journal_lines_filter : filter_text,
		.filter_state = as_json ? (void *)&entries : &text,
	};
	r = relay_run(&relay, &answer, err);
	if (r == -EPIPE)
		out_broken_pipe();
	if (shows_cursor && entries.cursor[0] && !cli->json)
		out_line(&cli->out, STYLE_PLAIN, "-- cursor: %s", entries.cursor);
	return r < 0 ? r : cli_check(cli, answer, err);
}

/* Where the last lines of a text begin. */
static const char *last_lines(const char *text, size_t size, int64_t lines)
{
	const char *p = text + size;

	if (p > text && p[-1] == '\n')
		p--;
	for (; p > text; p--)
		if (p[-1] == '\n' && --lines == 0)
			break;
	return p;
}

static void print_piece(struct cli *cli, const char *text, void *data)
{
	(void)data;
	out_lines(&cli->out, STYLE_PLAIN, "", text);
	(void)out_flush(&cli->out);
}

static void keep_piece(struct cli *cli, const char *text, void *data)
{
	(void)cli;
	buf_add_str(data, text);
	if (text[0] && text[strlen(text) - 1] != '\n')
		buf_add_char(data, '\n');
}

static int refuse_journal_options(const struct args *args, struct error *err)
{
	static const char *const options[] = {"since",        "until",       "priority",
					      "after-cursor", "show-cursor", "system"};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (args_has(args, options[i]))
			return error_set(err, EINVAL,
					 "--%s is for an agent's journal, not for a build log",
					 options[i]);
	return 0;
}

static int build_log(struct cli *cli, int64_t id, struct error *err)
{
	json_auto_t *request = cli_request("build_log"), *row = NULL;
	_cleanup_buf_ struct buf whole = {};
	bool follow = args_has(&cli->args, "follow");
	int64_t lines;
	int r = lines_wanted(&cli->args, INT64_MAX, &lines, err);

	if (r < 0)
		return r;
	r = refuse_journal_options(&cli->args, err);
	if (r < 0)
		return r;
	if (follow && lines < INT64_MAX)
		return error_set(err, EINVAL,
				 "a build log is followed from its start: -f takes no -n");
	json_object_set_new(request, "id", json_integer(id));
	json_object_set_new(request, "follow", json_boolean(follow));
	r = wait_build_log(cli, TAKE_PTR(request), follow ? print_piece : keep_piece, &whole,
			   &row, err);
	if (r < 0)
		return r;
	out_lines(&cli->out, STYLE_PLAIN, "", last_lines(buf_str(&whole), whole.size, lines));
	if (row)
		cli_say(cli, "proposal %lld is %s", (long long)id, proposal_state(row));
	return 0;
}

int cmd_log(struct cli *cli, struct error *err)
{
	const char *target = cli->args.words[0];
	int64_t id;
	int r;

	if (target[0] >= '0' && target[0] <= '9') {
		r = args_parse_number(target, "a proposal", 1, &id, err);
		return r < 0 ? r : build_log(cli, id, err);
	}
	r = args_agent(&cli->args, &target, err);
	return r < 0 ? r : agent_log(cli, target, err);
}
