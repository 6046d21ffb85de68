/* Commands, shells and journals: skep-exec runs them in the container, the client's own
 * descriptors carry the bytes. */
#include "control/dispatch.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sock.h"
#include "control/audit.h"
#include "control/container.h"
#include "control/journal_stream.h"
#include "wire/answer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define ARGV_MAX 256
#define LINES_MAX 100000

/* Copies the optional keys of a request that skep-exec validates itself. */
static json_t *copy_keys(const json_t *request, const char *const *keys)
{
	json_t *copy = json_object();

	for (size_t i = 0; keys[i]; i++) {
		json_t *value = json_object_get(request, keys[i]);

		if (value)
			json_object_set(copy, keys[i], value);
	}
	return copy;
}

static int check_running(const struct agent *agent, struct error *err)
{
	if (agent->frozen) {
		error_set_code(err, ESTALE, "wrong_state", "'%s' is frozen",
			       agent->settings.name);
		error_hint(err, "skep thaw %s", agent->settings.name);
		return -ESTALE;
	}
	if (strcmp(agent->state, "running") == 0)
		return 0;
	error_set_code(err, ESTALE, "wrong_state", "'%s' is %s", agent->settings.name,
		       agent->state);
	error_hint(err, "skep start %s", agent->settings.name);
	return -ESTALE;
}

static int check_argv(const json_t *request, bool required, struct error *err)
{
	json_t *argv = NULL, *word;
	size_t i;
	int r = json_get_array(request, "argv", required, &argv, err);

	if (r < 0 || !argv)
		return r;
	if (json_array_size(argv) == 0 || json_array_size(argv) > ARGV_MAX)
		return error_set(err, EINVAL, "'argv' must have 1 to %d words", ARGV_MAX);
	json_array_foreach (argv, i, word)
		if (!json_is_string(word))
			return error_set(err, EINVAL, "'argv' must hold strings only");
	return 0;
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
}

/* The agent a request names, and exactly n descriptors that came with it. */
static int take_fds(struct session *s, const json_t *request, size_t n, struct agent **ret,
		    int *fds, struct error *err)
{
	size_t got = conn_take_fds(s->conn, fds);
	int r = dispatch_agent(s, request, "name", ret, err);

	if (r == 0 && got != n)
		r = error_set(err, EINVAL,
			      "%zu descriptors must come with this request, not %zu", n, got);
	if (r < 0)
		close_all(fds, got);
	return r;
}

static void on_end(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		   void *data)
{
	bool partial = answer && json_is_true(json_object_get(answer, "partial"));
	struct session *s = partial ? session_peek(data) : session_found(data);
	json_t *line, *value;

	if (!s)
		return;
	if (partial) {
		_cleanup_free_ char *text = NULL;

		line = answer_with("pty", json_true());
		text = json_line(line);
		json_decref(line);
		conn_send(s->conn, text, fds, n_fds);
		return;
	}
	s->call = 0;
	s->mode = SESSION_REQUESTS;
	if (!answer) {
		session_fail(s, err);
		return;
	}
	line = answer_ok();
	if ((value = json_object_get(answer, "exit_status")))
		json_object_set(line, "exit_status", value);
	if ((value = json_object_get(answer, "signal")))
		json_object_set(line, "signal", value);
	session_answer(s, line);
}

static void begin(struct session *s, struct agent *agent, const char *verb, json_t *arguments,
		  const int *fds, size_t n_fds)
{
	s->mode = SESSION_COMMAND;
	s->call = executor_call(s->hive->executor, verb, container_arguments(agent, arguments),
				fds, n_fds, on_end, session_ref(s));
	conn_hold(s->conn, false); /* signals may follow, and a client that leaves is noticed */
}

static void note(struct session *s, const struct agent *agent, const char *verb,
		 const json_t *request)
{
	json_t *argv = json_object_get(request, "argv");
	_cleanup_free_ char *text = argv ? json_line(argv) : NULL;

	audit_add(s->hive->audit, &s->actor, verb, agent->settings.name, "ok", text);
}

int handle_exec(struct session *s, const json_t *request, struct error *err)
{
	static const char *const keys[] = {"argv", "env", "user", "cwd", NULL};
	struct agent *agent;
	int fds[SOCK_MAX_FDS], r;

	if ((r = take_fds(s, request, 3, &agent, fds, err)) < 0)
		return r;
	if ((r = check_argv(request, true, err)) == 0 && (r = check_running(agent, err)) == 0) {
		note(s, agent, "exec", request);
		begin(s, agent, "exec", copy_keys(request, keys), fds, 3);
		r = HANDLED_LATER;
	}
	close_all(fds, 3);
	return r;
}

int handle_shell(struct session *s, const json_t *request, struct error *err)
{
	static const char *const keys[] = {"argv", "term", "rows", "cols", NULL};
	struct agent *agent;
	int64_t size = 0;
	int r;

	if ((r = dispatch_agent(s, request, "name", &agent, err)) < 0 ||
	    (r = check_argv(request, false, err)) < 0 ||
	    (r = json_get_int(request, "rows", true, 1, 10000, &size, err)) < 0 ||
	    (r = json_get_int(request, "cols", true, 1, 10000, &size, err)) < 0 ||
	    (r = check_running(agent, err)) < 0)
		return r;
	note(s, agent, "shell", request);
	begin(s, agent, "shell", copy_keys(request, keys), NULL, 0);
	return HANDLED_LATER;
}

/* What can be read of a container that stands still or is down is what it left on disk. */
static int check_readable(const struct agent *agent, bool follow, struct error *err)
{
	bool down = strcmp(agent->state, "stopped") == 0 || strcmp(agent->state, "failed") == 0;

	return down && !follow ? 0 : check_running(agent, err);
}

/* What skep-exec is asked for; the caller owns it. */
static int read_logs(const json_t *request, const struct agent *agent, json_t **ret,
		     struct error *err)
{
	static const char *const texts[] = {"since", "until", "priority", "after_cursor",
					    "output"};
	int64_t lines = 100;
	bool follow = false, system = false;
	const char *text;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if ((r = json_get_str(request, texts[i], false, &text, err)) < 0)
			return r;
	if ((r = json_get_int(request, "lines", false, 0, LINES_MAX, &lines, err)) < 0 ||
	    (r = json_get_bool(request, "follow", false, &follow, err)) < 0 ||
	    (r = json_get_bool(request, "system", false, &system, err)) < 0 ||
	    (r = check_readable(agent, follow, err)) < 0)
		return r;
	*ret = json_pack("{s:I,s:b,s:b}", "lines", (json_int_t)lines, "follow", follow, "mine",
			 !system);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		json_put_str(*ret, texts[i],
			     json_string_value(json_object_get(request, texts[i])));
	return 0;
}

/* No descriptors travel on web.sock: there the journal comes as lines. */
static int stream_logs(struct session *s, const json_t *request, struct error *err)
{
	json_t *arguments = NULL;
	struct agent *agent;
	int r;

	if ((r = dispatch_agent(s, request, "name", &agent, err)) < 0 ||
	    (r = read_logs(request, agent, &arguments, err)) < 0 ||
	    (r = journal_stream_begin(s, "logs", container_arguments(agent, arguments), NULL,
				      NULL, err)) < 0)
		return r;
	return HANDLED_LATER;
}

int handle_logs(struct session *s, const json_t *request, struct error *err)
{
	json_t *arguments = NULL;
	struct agent *agent;
	int fds[SOCK_MAX_FDS], r;

	if (s->who == PRINCIPAL_WEB)
		return stream_logs(s, request, err);
	if ((r = take_fds(s, request, 1, &agent, fds, err)) < 0)
		return r;
	r = read_logs(request, agent, &arguments, err);
	if (r == 0) {
		begin(s, agent, "logs", arguments, fds, 1);
		r = HANDLED_LATER;
	}
	(void)close(fds[0]);
	return r;
}

static void on_signaled(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
			void *data)
{
	(void)answer;
	(void)fds;
	(void)n_fds;
	(void)err;
	(void)data; /* the command's own end is what the client waits for */
}

int handle_signal(struct session *s, const json_t *request, struct error *err)
{
	int64_t signum = 0;
	int r = json_get_int(request, "signal", true, 1, SIGRTMAX, &signum, err);

	if (r < 0)
		return r;
	if (s->mode != SESSION_COMMAND)
		return error_set_code(err, ESTALE, "wrong_state",
				      "no command runs on this connection");
	(void)executor_call(s->hive->executor, "signal",
			    json_pack("{s:I,s:I}", "target", (json_int_t)s->call, "signal",
				      (json_int_t)signum),
			    NULL, 0, on_signaled, NULL);
	conn_hold(s->conn, false);
	return HANDLED_LATER;
}
