/* exec and shell: what an operator does inside a running container. */
#include "host/verbs_inside.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/isolate.h"
#include "base/json.h"
#include "host/inside.h"
#include "host/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define TIMEOUT_MAX_S 600
#define TERMINAL_MAX 2000 /* rows or columns */
#define MEMORY_MAX (1ULL << 30)

int verb_find_leader(struct verb_request *request, const char *agent, pid_t *ret,
		     struct error *err)
{
	struct container_state state;
	int r = request->supervisor->inspect(request->place, agent, &state, err);

	if (r < 0)
		return r;
	if (state.leader == 0)
		return error_set_code(err, ENOTCONN, "wrong_state",
				      "the container of '%s' does not run", agent);
	*ret = state.leader;
	return 0;
}

/* The container's bus may send what it likes; this is what it can make us hold. */
static void bound_memory(void)
{
	struct rlimit limit = {ISOLATE_MEMORY(MEMORY_MAX), ISOLATE_MEMORY(MEMORY_MAX)};

	(void)setrlimit(RLIMIT_AS, &limit);
}

/* An array of strings as a NULL-terminated vector of borrowed ones; NULL when it is absent. */
static int get_strings(const json_t *arguments, const char *key, const char ***ret,
		       struct error *err)
{
	json_t *array = NULL, *item;
	const char **strings;
	size_t i;
	int r = json_get_array(arguments, key, false, &array, err);

	if (r < 0 || !array)
		return r;
	strings = mem_new(json_array_size(array) + 1, sizeof(*strings));
	json_array_foreach (array, i, item) {
		strings[i] = json_string_value(item);
		if (!strings[i]) {
			free(strings);
			return error_set(err, EINVAL, "'%s' holds something that is not text",
					 key);
		}
	}
	*ret = strings;
	return 0;
}

static void put_exit(json_t *answer, const struct inside_exit *end)
{
	if (end->exit_status >= 0)
		json_object_set_new(answer, "exit_status", json_integer(end->exit_status));
	else
		json_object_set_new(answer, "signal", json_integer(end->signum));
}

static int exec_here(struct verb_request *request, json_t *answer, struct error *err)
{
	_cleanup_free_ const char **argv = NULL, **env = NULL;
	struct inside_command command = {};
	struct inside_exit end;
	const char *agent;
	int64_t timeout_s = 0;
	pid_t leader;
	int r = json_get_str(request->arguments, "agent", true, &agent, err);

	if (r >= 0)
		r = json_get_int(request->arguments, "timeout_s", false, 1, TIMEOUT_MAX_S,
				 &timeout_s, err);
	if (r >= 0)
		r = get_strings(request->arguments, "argv", &argv, err);
	if (r >= 0)
		r = get_strings(request->arguments, "env", &env, err);
	if (r >= 0)
		r = json_get_str(request->arguments, "user", false, &command.user, err);
	if (r >= 0)
		r = json_get_str(request->arguments, "cwd", false, &command.cwd, err);
	if (r < 0)
		return r;
	if (!argv || !argv[0] || !argv[0][0])
		return error_set(err, EINVAL, "'argv' names no program");
	if (request->n_fds != 3)
		return error_set(err, EINVAL, "exec needs three descriptors");
	r = verb_find_leader(request, agent, &leader, err);
	if (r < 0)
		return r;
	bound_memory();
	command.argv = argv;
	command.env = env;
	command.timeout_ms = timeout_s * 1000;
	r = inside_run(leader, &command, request->fds, request->stop_fd, &end, err);
	if (r < 0)
		return r;
	put_exit(answer, &end);
	return 0;
}

static int check_term(const char *term, struct error *err)
{
	size_t n = strspn(term, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789+-._");

	if (n == 0 || n > 40 || term[n] != '\0')
		return error_set(err, EINVAL, "'term' is not the name of a terminal");
	return 0;
}

/*
 * Hands the terminal over. Ours to keep is its other end alone: it holds what is written last
 * until it was read, and does not keep the terminal alive when the reader goes.
 */
static int send_terminal(struct verb_request *request, int master, int *ret_terminal,
			 struct error *err)
{
	_cleanup_close_ int terminal =
		ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	int r;

	if (terminal < 0)
		return error_set_errno(err, errno, "cannot open the container's terminal");
	r = verb_send_partial(request, json_object(), master, err);
	if (r < 0)
		return r;
	*ret_terminal = TAKE_FD(terminal);
	return 0;
}

static int shell_on(struct verb_request *request, pid_t leader, const char *const *argv,
		    const char *term, int64_t rows, int64_t cols, struct inside_exit *ret,
		    struct error *err)
{
	static const char *const login[] = {"/bin/sh", "-c", "exec \"${SHELL:-/bin/sh}\" -l",
					    NULL};
	_cleanup_close_ int master = -1, terminal = -1;
	char name[32], variable[64];
	const char *env[] = {variable, NULL};
	struct inside_command command = {.argv = argv && argv[0] ? argv : login,
					 .env = env,
					 .cwd = "~"};
	int r = inside_open_pty(leader, (int)rows, (int)cols, &master, name, err);

	if (r >= 0)
		r = send_terminal(request, master, &terminal, err);
	if (r < 0)
		return r;
	(void)close(TAKE_FD(master));
	snprintf(variable, sizeof(variable), "TERM=%s", term);
	return inside_run_on_pty(leader, &command, name, request->stop_fd, ret, err);
}

static int shell_here(struct verb_request *request, json_t *answer, struct error *err)
{
	_cleanup_free_ const char **argv = NULL;
	const char *agent, *term = "dumb";
	int64_t rows = 24, cols = 80;
	struct inside_exit end;
	pid_t leader;
	int r = json_get_str(request->arguments, "agent", true, &agent, err);

	if (r >= 0)
		r = get_strings(request->arguments, "argv", &argv, err);
	if (r >= 0)
		r = json_get_str(request->arguments, "term", false, &term, err);
	if (r >= 0)
		r = check_term(term, err);
	if (r >= 0)
		r = json_get_int(request->arguments, "rows", false, 1, TERMINAL_MAX, &rows,
				 err);
	if (r >= 0)
		r = json_get_int(request->arguments, "cols", false, 1, TERMINAL_MAX, &cols,
				 err);
	if (r >= 0)
		r = verb_find_leader(request, agent, &leader, err);
	if (r < 0)
		return r;
	bound_memory();
	r = shell_on(request, leader, argv, term, rows, cols, &end, err);
	if (r < 0)
		return r;
	put_exit(answer, &end);
	return 0;
}

int verb_exec(struct verb_request *request, json_t *answer, struct error *err)
{
	return outside_run(request, "exec", exec_here, answer, err);
}

int verb_shell(struct verb_request *request, json_t *answer, struct error *err)
{
	return outside_run(request, "shell", shell_here, answer, err);
}
