#include "skep-exec/jobs.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/sock.h"
#include "base/zygote.h"
#include "host/message.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNEL_FD 3
#define READER_STREAM_FD 3
#define READER_DIR_FD 4
#define STOP_GRACE_MS 15000 /* a request told to end has this long */

struct job {
	struct jobs *jobs;
	const struct verb *verb;
	uint64_t id;
	char *agent; /* NULL when the request names none */
	struct child *child;
	int fd; /* of a reader: -1 */
	struct watch *watch;
	struct timer *timer; /* deadline, or grace after a stop */
	int64_t deadline_ms;
	bool answered, cancelled, late;
	job_fn fn;
	void *data;
	LIST_ENTRY(job) next;
};

struct jobs {
	struct loop *loop;
	const struct options *options;
	struct zygote *readers;
	LIST_HEAD(, job) list;
	size_t count;
};

struct jobs *jobs_new(struct loop *loop, const struct options *options)
{
	_cleanup_free_ char *reader = str_format("%s/skep-export", options->place.program_dir);
	struct jobs *jobs = mem_new(1, sizeof(*jobs));

	jobs->loop = loop;
	jobs->options = options;
	jobs->readers = zygote_new(reader, "skep-export");
	LIST_INIT(&jobs->list);
	return jobs;
}

static void job_free(struct job *job)
{
	LIST_REMOVE(job, next);
	job->jobs->count--;
	watch_free(job->watch);
	timer_cancel(job->timer);
	closep(&job->fd);
	free(job->agent);
	free(job);
}

/* The process leads a group of its own, which holds its helpers; containers are in other
 * sessions. One that was forked a moment ago may not have come to make its group. */
static void kill_group(const struct job *job)
{
	if (kill(-child_pid(job->child), SIGKILL) < 0)
		(void)kill(child_pid(job->child), SIGKILL);
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	while (!LIST_EMPTY(&jobs->list)) {
		struct job *job = LIST_FIRST(&jobs->list);

		kill_group(job);
		child_free(job->child);
		job_free(job);
	}
	zygote_free(jobs->readers);
	free(jobs);
}

static struct job *find(const struct jobs *jobs, uint64_t id)
{
	struct job *job;

	for (job = LIST_FIRST(&jobs->list); job; job = LIST_NEXT(job, next))
		if (job->id == id && id != 0 && !job->answered)
			return job;
	return NULL;
}

/* Passes on what the process says. Returns false at the end. */
static bool take_message(struct job *job)
{
	int fds[SOCK_MAX_FDS];
	json_t *message = NULL;
	size_t n_fds = 0;
	bool final;
	int r = message_receive(job->fd, &message, fds, &n_fds, NULL);

	if (r <= 0)
		return r == -EAGAIN;
	final = !json_is_true(json_object_get(message, "partial"));
	if (!job->answered) {
		job->answered = final;
		job->fn(message, fds, n_fds, final, job->data);
	}
	for (size_t i = 0; i < n_fds; i++)
		(void)close(fds[i]);
	json_decref(message);
	return true;
}

static void on_message(int fd, bool readable, bool writable, void *data)
{
	struct job *job = data;

	(void)fd;
	(void)readable;
	(void)writable;
	if (!take_message(job))
		watch_set(job->watch, false, false);
}

/* What the process did not say. */
static void answer_end(struct job *job, const struct child_exit *exit)
{
	bool is_reader = job->verb->open != NULL;
	struct error err = {};
	json_t *answer;
	char how[64];

	if (is_reader && !exit->signaled && exit->status == 0)
		;
	else if (job->cancelled)
		error_set(&err, ECANCELED, "%s was cancelled", job->verb->name);
	else if (job->late)
		error_set(&err, ETIMEDOUT, "%s was not done within %lld s and was ended",
			  job->verb->name, (long long)(job->deadline_ms / 1000));
	else
		error_set(&err, EIO, "%s %s%s", is_reader ? "skep-export" : job->verb->name,
			  child_exit_text(how, exit), is_reader ? "" : " without an answer");
	answer = err.err ? message_failure(job->id, &err)
			 : json_pack("{s:I, s:b}", "id", (json_int_t)job->id, "ok", 1);
	job->fn(answer, NULL, 0, true, job->data);
	json_decref(answer);
}

static bool has_message(const struct job *job)
{
	char byte;

	return recv(job->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void on_exit_of_child(const struct child_exit *exit, const struct buf *output,
			     void *data)
{
	struct job *job = data;

	(void)output;
	/* What it said last may still wait to be read. */
	while (!job->answered && has_message(job) && take_message(job))
		;
	if (!job->answered)
		answer_end(job, exit);
	job_free(job);
}

static void on_deadline(void *data)
{
	struct job *job = data;

	job->timer = NULL;
	job->late = !job->cancelled;
	kill_group(job);
}

static int spawn(struct job *job, int socket_fd, struct error *err)
{
	const struct child_fd fds[] = {{.fd = socket_fd, .target = CHANNEL_FD},
				       {.fd = STDERR_FILENO, .target = STDERR_FILENO}};
	struct options_argv argv;
	const struct child_spec spec = {
		.path = "/proc/self/exe",
		.argv = argv.items,
		.fds = fds,
		.n_fds = ARRAY_SIZE(fds),
		.new_session = true,
	};

	options_to_argv(job->jobs->options, "verb", job->verb->name, &argv);
	return child_start(job->jobs->loop, &spec, 0, 0, on_exit_of_child, job, &job->child,
			   err);
}

static int hand_over(const struct job *job, json_t *arguments, const int *fds, size_t n_fds,
		     struct error *err)
{
	json_t *request =
		json_pack("{s:I, s:O}", "id", (json_int_t)job->id, "arguments", arguments);
	int r = message_send(job->fd, request, fds, n_fds);

	json_decref(request);
	return r < 0 ? error_set_errno(err, r, "cannot hand over '%s'", job->verb->name) : 0;
}

static int start_verb(struct job *job, json_t *arguments, const int *fds, size_t n_fds,
		      struct error *err)
{
	int pair[2], r;

	r = sock_pair(SOCK_SEQPACKET | SOCK_NONBLOCK, pair, err);
	if (r < 0)
		return r;
	/* The child's end blocks: its handler is straight-line code. */
	(void)fcntl(pair[1], F_SETFL, fcntl(pair[1], F_GETFL) & ~O_NONBLOCK);
	message_prepare(pair[0]);
	message_prepare(pair[1]);
	job->fd = pair[0];
	r = hand_over(job, arguments, fds, n_fds, err);
	if (r == 0)
		r = spawn(job, pair[1], err);
	(void)close(pair[1]);
	if (r == 0)
		job->watch = loop_watch(job->jobs->loop, job->fd, true, false, on_message, job);
	return r;
}

static int start_reader(struct job *job, const json_t *arguments, const int *fds,
			struct error *err)
{
	const struct options *options = job->jobs->options;
	const struct verb_request request = {.place = &options->place,
					     .supervisor = options_supervisor(options),
					     .arguments = arguments};
	_cleanup_close_ int dir = job->verb->open(&request, err);
	char uid[24];
	const char *const argv[] = {"skep-export", "serve", "--uid", uid, "--gid", uid, NULL};
	const struct child_fd child_fds[] = {{.fd = fds[0], .target = READER_STREAM_FD},
					     {.fd = dir, .target = READER_DIR_FD}};
	const struct child_spec spec = {.argv = argv,
					.fds = child_fds,
					.n_fds = ARRAY_SIZE(child_fds),
					.new_session = true,
					.zygote = job->jobs->readers};

	if (dir < 0)
		return dir;
	snprintf(uid, sizeof(uid), "%lld",
		 (long long)json_integer_value(json_object_get(arguments, "owner")));
	return child_start(job->jobs->loop, &spec, 0, 0, on_exit_of_child, job, &job->child,
			   err);
}

int jobs_start(struct jobs *jobs, const struct verb *verb, uint64_t id, json_t *arguments,
	       const int *fds, size_t n_fds, job_fn fn, void *data, struct error *err)
{
	const char *agent = json_string_value(json_object_get(arguments, "agent"));
	struct job *job;
	int r;

	if (jobs->count >= (verb->flags & VERB_MINOR ? JOBS_MAX - JOBS_KEPT : JOBS_MAX) &&
	    !(verb->flags & VERB_INTERNAL))
		return error_set(err, EBUSY, "skep-exec works on %zu requests already",
				 jobs->count);
	if (find(jobs, id))
		return error_set(err, EEXIST, "request %llu is being worked on",
				 (unsigned long long)id);
	job = mem_new(1, sizeof(*job));
	job->jobs = jobs;
	job->verb = verb;
	job->id = id;
	job->agent = str_dup(agent);
	job->fd = -1;
	job->fn = fn;
	job->data = data;
	LIST_INSERT_HEAD(&jobs->list, job, next);
	jobs->count++;
	r = verb->open ? start_reader(job, arguments, fds, err)
		       : start_verb(job, arguments, fds, n_fds, err);
	if (r < 0) {
		job_free(job);
		return r;
	}
	job->deadline_ms = table_deadline_ms(verb, arguments);
	if (job->deadline_ms > 0)
		job->timer = loop_timer(jobs->loop, job->deadline_ms, on_deadline, job);
	return 0;
}

static int no_such(uint64_t id, struct error *err)
{
	return error_set(err, ENOENT, "there is no request %llu", (unsigned long long)id);
}

static void stop(struct job *job)
{
	job->cancelled = true;
	(void)shutdown(job->fd, SHUT_WR);
	timer_cancel(job->timer);
	job->timer = loop_timer(job->jobs->loop, STOP_GRACE_MS, on_deadline, job);
}

void jobs_abandon(struct jobs *jobs)
{
	struct job *job;

	for (job = LIST_FIRST(&jobs->list); job; job = LIST_NEXT(job, next)) {
		job->id = 0;
		if (job->verb->flags & VERB_STOPPABLE)
			stop(job);
	}
}

int jobs_cancel(struct jobs *jobs, uint64_t id, struct error *err)
{
	struct job *job = find(jobs, id);

	if (!job)
		return no_such(id, err);
	if (job->verb->flags & VERB_STOPPABLE) {
		stop(job);
		return 0;
	}
	job->cancelled = true;
	kill_group(job);
	return 0;
}

int jobs_signal(struct jobs *jobs, uint64_t id, int signum, struct error *err)
{
	const struct job *job = find(jobs, id);
	char byte = (char)signum;

	if (!job)
		return no_such(id, err);
	if (!(job->verb->flags & VERB_STOPPABLE))
		return error_set(err, EINVAL, "%s takes no signals", job->verb->name);
	if (send(job->fd, &byte, 1, MSG_NOSIGNAL) < 0)
		return error_set_errno(err, errno, "cannot signal request %llu",
				       (unsigned long long)id);
	return 0;
}

bool jobs_lifecycle(const struct jobs *jobs, const char *agent)
{
	const struct job *job;

	for (job = LIST_FIRST(&jobs->list); job; job = LIST_NEXT(job, next))
		if ((job->verb->flags & VERB_LIFECYCLE) && !job->answered && job->agent &&
		    strcmp(job->agent, agent) == 0)
			return true;
	return false;
}

bool jobs_own(const struct jobs *jobs, pid_t pid)
{
	const struct job *job;

	for (job = LIST_FIRST(&jobs->list); job; job = LIST_NEXT(job, next))
		if (child_pid(job->child) == pid)
			return true;
	return zygote_own(jobs->readers, pid);
}
