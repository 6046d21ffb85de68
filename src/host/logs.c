#include "host/logs.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/isolate.h"
#include "base/json.h"
#include "base/log.h"
#include "host/inside.h"
#include "host/outside.h"
#include "host/roots.h"
#include "host/tool.h"
#include "host/verbs_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_MAX 100000
#define TIME_MAX 64
#define CURSOR_MAX 256
#define MEMORY_MAX (1ULL << 30)
#define JOURNAL_DIR "var/log/journal"
#define DIR_FD 3

/* ---- the command line ---- */

static void add(struct logs_command *c, const char *word)
{
	c->argv[c->count++] = word;
	c->argv[c->count] = NULL;
}

static void add_owned(struct logs_command *c, char *word)
{
	c->owned[c->n_owned++] = word;
	add(c, word);
}

static int add_text(struct logs_command *c, const json_t *arguments, const char *key,
		    const char *option, size_t max, const char *allowed, struct error *err)
{
	const char *text = NULL;
	int r = json_get_str(arguments, key, false, &text, err);

	if (r < 0 || !text)
		return r;
	if (strlen(text) > max || (allowed && text[strspn(text, allowed)] != '\0'))
		return error_set(err, EINVAL, "'%s' is not what journalctl takes there", key);
	add_owned(c, str_format("--%s=%s", option, text));
	return 0;
}

/*
 * What programs print and log, and what anything says that is a warning or worse: the system
 * inside tells of every unit it starts, and nobody wants to read that.
 */
static void add_mine(struct logs_command *c)
{
	static const char *const matches[] = {"_TRANSPORT=stdout",
					      "+",
					      "_TRANSPORT=syslog",
					      "+",
					      "PRIORITY=0",
					      "PRIORITY=1",
					      "PRIORITY=2",
					      "PRIORITY=3",
					      "PRIORITY=4",
					      "+",
					      "_SYSTEMD_UNIT=agent.service"};

	for (size_t i = 0; i < ARRAY_SIZE(matches); i++)
		add(c, matches[i]);
}

static int add_output(struct logs_command *c, const json_t *arguments, struct error *err)
{
	const char *output = "text";
	int r = json_get_str(arguments, "output", false, &output, err);

	if (r < 0)
		return r;
	if (!strcmp(output, "json"))
		add(c, "--output=json");
	else if (!strcmp(output, "text"))
		add(c, "--output=short-iso");
	else
		return error_set(err, EINVAL, "'output' is text or json");
	return 0;
}

int logs_command_init(struct logs_command *c, const json_t *arguments, struct error *err)
{
	static const char cursor[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
		"=;_-";
	int64_t lines = 100;
	bool mine = false;
	int r;

	*c = (struct logs_command){};
	add(c, "journalctl");
	add(c, "--quiet");
	add(c, "--no-pager");
	if ((r = json_get_int(arguments, "lines", false, 0, LINES_MAX, &lines, err)) < 0 ||
	    (r = json_get_bool(arguments, "follow", false, &c->follow, err)) < 0 ||
	    (r = json_get_bool(arguments, "mine", false, &mine, err)) < 0 ||
	    (r = add_output(c, arguments, err)) < 0 ||
	    (r = add_text(c, arguments, "since", "since", TIME_MAX, NULL, err)) < 0 ||
	    (r = add_text(c, arguments, "until", "until", TIME_MAX, NULL, err)) < 0 ||
	    (r = add_text(c, arguments, "priority", "priority", 20,
			  "abcdefghijklmnopqrstuvwxyz01234567.", err)) < 0 ||
	    (r = add_text(c, arguments, "after_cursor", "after-cursor", CURSOR_MAX, cursor,
			  err)) < 0)
		return r;
	add_owned(c, str_format("--lines=%lld", (long long)lines));
	if (c->follow)
		add(c, "--follow");
	if (mine)
		add_mine(c);
	return 0;
}

void logs_command_release(struct logs_command *c)
{
	for (size_t i = 0; i < c->n_owned; i++)
		free(c->owned[i]);
	*c = (struct logs_command){};
}

/* ---- a container that runs ---- */

static int read_running(struct verb_request *request, const char *agent, pid_t leader,
			const struct logs_command *c, struct error *err)
{
	const int stdio[3] = {-1, request->fds[0], request->fds[0]};
	struct inside_command command = {.argv = c->argv};
	struct inside_exit end;
	struct rlimit limit = {ISOLATE_MEMORY(MEMORY_MAX), ISOLATE_MEMORY(MEMORY_MAX)};
	int r;

	/* The container's bus may send what it likes; this is what it can make us hold. */
	(void)setrlimit(RLIMIT_AS, &limit);
	r = inside_run(leader, &command, stdio, request->stop_fd, &end, err);
	if (r < 0)
		return r;
	/* A reader that has seen enough closes its end. */
	if (end.exit_status > 0 && end.signum != SIGPIPE)
		return error_set(err, EIO, "journalctl in the container of '%s' ended with %d",
				 agent, end.exit_status);
	return 0;
}

/* ---- one that is stopped ---- */

static int become(uid_t uid, gid_t gid)
{
	static const struct {
		int resource;
		rlim_t value;
	} limits[] = {{RLIMIT_AS, ISOLATE_MEMORY(MEMORY_MAX)},
		      {RLIMIT_CPU, 60},
		      {RLIMIT_FSIZE, 0},
		      {RLIMIT_CORE, 0}};

	/* The files are the container's, and may be anything at all. */
	if (isolate(CLONE_NEWNET | CLONE_NEWIPC, NULL) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit value = {limits[i].value, limits[i].value};

		if (setrlimit(limits[i].resource, &value) < 0)
			return -errno;
	}
	return 0;
}

int logs_main(int argc, char **argv)
{
	static const char *const env[] = {"LANG=C.UTF-8", "SYSTEMD_COLORS=0", NULL};
	_cleanup_free_ char *journalctl = tool_find("journalctl");
	const char *words[LOGS_WORDS + 2];
	size_t n = 0;
	uid_t uid = argc > 2 ? (uid_t)strtoul(argv[0], NULL, 10) : 0;
	gid_t gid = argc > 2 ? (gid_t)strtoul(argv[1], NULL, 10) : 0;
	int r;

	if (uid == 0 || gid == 0 || (size_t)argc > LOGS_WORDS)
		return EXIT_FAILURE;
	if (!journalctl) {
		log_line(LOG_ERR, "this machine has no program 'journalctl'");
		return EXIT_FAILURE;
	}
	r = become(uid, gid);
	if (r < 0) {
		log_line(LOG_ERR, "cannot give up root to read a journal: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	words[n++] = "journalctl";
	words[n++] = "--directory=/proc/self/fd/3";
	for (int i = 3; i < argc; i++)
		words[n++] = argv[i];
	words[n] = NULL;
	(void)execve(journalctl, (char *const *)words, (char *const *)env);
	log_line(LOG_ERR, "cannot run '%s': %s", journalctl, strerror(errno));
	return EXIT_FAILURE;
}

static int no_journal(const char *agent, struct error *err)
{
	error_set_code(err, ENOTCONN, "wrong_state",
		       "the container of '%s' does not run, and left no journal that can be "
		       "read safely",
		       agent);
	error_hint(err, "skep start %s", agent);
	return -ENOTCONN;
}

/* The journal's directory, and whose it is by the root above it, which is ours. */
static int open_journal(const struct place *place, const char *agent, uid_t *ret_uid,
			struct error *err)
{
	_cleanup_close_ int root_fd = root_open_current(place, agent, err);
	struct stat st;
	int fd;

	if (root_fd < 0)
		return root_fd == -ENOENT ? no_journal(agent, err) : root_fd;
	if (fstat(root_fd, &st) < 0)
		return error_set_errno(err, errno, "cannot look at the root of '%s'", agent);
	if (uid_base_check("the root's owner", st.st_uid, err) < 0)
		return -EINVAL;
	fd = file_open_beneath(root_fd, JOURNAL_DIR, O_RDONLY | O_DIRECTORY, err);
	if (fd < 0)
		return no_journal(agent, err);
	*ret_uid = st.st_uid;
	return fd;
}

/* Until the child has ended; who asked may end it early. */
static int wait_child(int pidfd, int stop_fd, struct child_exit *ret)
{
	struct pollfd p[] = {{.fd = pidfd, .events = POLLIN},
			     {.fd = stop_fd, .events = POLLIN}};

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (!p[0].revents) {
		child_kill(pidfd);
		return -ECANCELED;
	}
	return child_wait(pidfd, -1, ret);
}

static int read_stopped(struct verb_request *request, const char *agent,
			const struct logs_command *c, struct error *err)
{
	_cleanup_free_ char *program = str_format("%s/skep-exec", request->place->program_dir);
	_cleanup_free_ char *id = NULL;
	const char *argv[LOGS_WORDS + 5];
	uid_t uid = 0;
	_cleanup_close_ int dir_fd = open_journal(request->place, agent, &uid, err);
	_cleanup_close_ int pidfd = -1;
	struct child_fd fds[] = {{request->fds[0], 1}, {request->fds[0], 2}, {dir_fd, DIR_FD}};
	struct child_spec spec = {.path = program,
				  .argv = argv,
				  .fds = fds,
				  .n_fds = ARRAY_SIZE(fds)};
	struct child_exit end;
	size_t n = 0;
	pid_t pid;
	int r;

	if (dir_fd < 0)
		return dir_fd;
	if (c->follow)
		return error_set_code(err, ENOTCONN, "wrong_state",
				      "the container of '%s' does not run: there is nothing to "
				      "follow",
				      agent);
	id = str_format("%u", (unsigned)uid);
	argv[n++] = program;
	argv[n++] = "journal";
	argv[n++] = id;
	argv[n++] = id;
	for (size_t i = 0; i < c->count; i++)
		argv[n++] = c->argv[i];
	argv[n] = NULL;
	r = child_spawn(&spec, &pid, &pidfd, err);
	if (r == 0)
		r = wait_child(pidfd, request->stop_fd, &end);
	if (r == -ECANCELED || (r == 0 && end.signaled && end.status == SIGPIPE))
		return 0;
	if (r == 0 && (end.signaled || end.status != 0))
		return error_set(err, EIO, "the journal of '%s' cannot be read", agent);
	return r;
}

static int logs_here(struct verb_request *request, json_t *answer, struct error *err)
{
	struct container_state state;
	struct logs_command command = {};
	const char *agent;
	int r = json_get_str(request->arguments, "agent", true, &agent, err);

	(void)answer;
	if (r == 0)
		r = logs_command_init(&command, request->arguments, err);
	if (r == 0 && request->n_fds != 1)
		r = error_set(err, EINVAL, "logs needs one descriptor");
	if (r == 0)
		r = request->supervisor->inspect(request->place, agent, &state, err);
	if (r == 0 && state.leader > 0)
		r = read_running(request, agent, state.leader, &command, err);
	else if (r == 0)
		r = read_stopped(request, agent, &command, err);
	logs_command_release(&command);
	return r;
}

int verb_logs(struct verb_request *request, json_t *answer, struct error *err)
{
	return outside_run(request, "logs", logs_here, answer, err);
}
