#include "skep-exec/daemon.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "host/lock.h"
#include "host/message.h"
#include "skep-exec/client.h"
#include "skep-exec/files.h"
#include "skep-exec/jobs.h"
#include "skep-exec/keeper.h"
#include "skep-exec/table.h"

#include <systemd/sd-daemon.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREDECESSOR_MS 20000 /* a killed skep-exec's last request may still be ending */

struct daemon {
	const struct options *options;
	struct loop *loop;
	struct client *client;
	struct jobs *jobs;
	struct keeper *keeper;
	struct files *files;
	uint64_t generation; /* of the connection to skepd: each numbers its requests anew */
	int lock_fd;
};

/* What a request's answer needs when it comes. */
struct pending {
	struct daemon *daemon;
	uint64_t generation;
	char *agent; /* of a request that starts or stops a container */
};

static void pending_free(struct pending *p)
{
	free(p->agent);
	free(p);
}

static void on_answer(const json_t *answer, const int *fds, size_t n_fds, bool final,
		      void *data)
{
	struct pending *p = data;

	if (p->generation == p->daemon->generation)
		client_send(p->daemon->client, json_incref((json_t *)answer), fds, n_fds);
	if (!final)
		return;
	if (p->agent) {
		keeper_look(p->daemon->keeper, p->agent);
		files_watch(p->daemon->files, p->agent);
	}
	pending_free(p);
}

static void refuse(struct daemon *d, uint64_t id, const struct error *err)
{
	client_send(d->client, message_failure(id, err), NULL, 0);
}

static void confirm(struct daemon *d, uint64_t id)
{
	client_send(d->client, json_pack("{s:I, s:b}", "id", (json_int_t)id, "ok", 1), NULL, 0);
}

/* signal and cancel: about another request, so no process can do them. */
static int do_here(struct daemon *d, const char *verb, const json_t *arguments,
		   struct error *err)
{
	int64_t target = 0, signum = 0;
	int r = json_get_int(arguments, "target", true, 1, INT64_MAX, &target, err);

	if (r < 0)
		return r;
	if (strcmp(verb, "cancel") == 0)
		return jobs_cancel(d->jobs, (uint64_t)target, err);
	r = json_get_int(arguments, "signal", true, 1, 64, &signum, err);
	return r < 0 ? r : jobs_signal(d->jobs, (uint64_t)target, (int)signum, err);
}

static int start_job(struct daemon *d, const struct verb *verb, uint64_t id, json_t *arguments,
		     const int *fds, size_t n_fds, struct error *err)
{
	struct pending *p = mem_new(1, sizeof(*p));
	int r;

	p->daemon = d;
	p->generation = d->generation;
	if (verb->flags & VERB_LIFECYCLE)
		p->agent = str_dup(json_string_value(json_object_get(arguments, "agent")));
	r = jobs_start(d->jobs, verb, id, arguments, fds, n_fds, on_answer, p, err);
	if (r < 0)
		pending_free(p);
	return r;
}

/* The request without its envelope is what the verb's schema is about. */
static void on_request(json_t *request, const int *fds, size_t n_fds, void *data)
{
	struct daemon *d = data;
	const struct verb *verb;
	struct error err = {};
	const char *text = NULL;
	_cleanup_free_ char *name = NULL;
	int64_t id = 0;
	int r = json_get_int(request, "id", true, 1, INT64_MAX, &id, &err);

	if (r == 0)
		r = json_get_str(request, "verb", true, &text, &err);
	if (r < 0) {
		refuse(d, (uint64_t)id, &err);
		return;
	}
	name = str_dup(text);
	verb = table_find(name);
	json_object_del(request, "id");
	json_object_del(request, "verb");
	if (!verb || (verb->flags & VERB_INTERNAL))
		r = error_set_code(&err, EINVAL, "unknown_cmd", "skep-exec has no such verb");
	if (r == 0)
		r = table_check(verb, request, n_fds, &err);
	if (r == 0 && (verb->handler || verb->open))
		r = start_job(d, verb, (uint64_t)id, request, fds, n_fds, &err);
	else if (r == 0 && (r = do_here(d, name, request, &err)) == 0)
		confirm(d, (uint64_t)id);
	if (r < 0)
		refuse(d, (uint64_t)id, &err);
}

static void on_client_gone(void *data)
{
	struct daemon *d = data;

	d->generation++;
	if (d->options->channel_fd >= 0)
		loop_stop(d->loop);
	else
		jobs_abandon(d->jobs);
}

/* {"event":"container","agent":…,"state":…,…}: what the settled state is, when it is news. */
static void on_settled(const json_t *answer, const int *fds, size_t n_fds, bool final,
		       void *data)
{
	struct daemon *d = data;
	const char *agent = json_string_value(json_object_get(answer, "agent"));
	struct error err = {};
	json_t *event;

	(void)fds;
	(void)n_fds;
	if (!final)
		return;
	if (message_result(answer, &err) < 0) {
		log_line(LOG_ERR, "%s", error_text(&err));
		return;
	}
	if (!agent)
		return;
	event = json_deep_copy(answer);
	json_object_del(event, "id");
	json_object_del(event, "ok");
	json_object_set_new(event, "event", json_string("container"));
	client_send(d->client, event, NULL, 0);
	keeper_look(d->keeper, agent);
}

static void on_ended(const char *agent, const char *exit, bool clean, void *data)
{
	struct daemon *d = data;
	struct error err = {};
	json_t *arguments;

	if (!agent) {
		client_send(d->client, json_pack("{s:s}", "event", "resync"), NULL, 0);
		return;
	}
	if (jobs_lifecycle(d->jobs, agent))
		return;
	arguments = json_pack("{s:s, s:s, s:b}", "agent", agent, "exit", exit, "clean", clean);
	if (jobs_start(d->jobs, table_find("settle"), 0, arguments, NULL, 0, on_settled, d,
		       &err) < 0)
		log_line(LOG_ERR, "%s", error_text(&err));
	json_decref(arguments);
}

static void on_files(void *data)
{
	struct daemon *d = data;

	client_send(d->client, json_pack("{s:s}", "event", "files"), NULL, 0);
}

/* Children of ended requests become ours (subreaper): those nobody else waits for are reaped
 * here. */
static void on_child(int signum, void *data)
{
	struct daemon *d = data;
	FILE *list = fopen("/proc/thread-self/children", "re");
	int pid;

	(void)signum;
	if (!list)
		return;
	while (fscanf(list, "%d", &pid) == 1) {
		siginfo_t info;

		if (!jobs_own(d->jobs, pid) && !keeper_own(d->keeper, pid))
			(void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
	}
	(void)fclose(list);
}

static void on_stop(int signum, void *data)
{
	struct daemon *d = data;

	(void)signum;
	loop_stop(d->loop);
}

/* Containers of an earlier skep-exec, known by their records. */
static int adopt(struct daemon *d, struct error *err)
{
	static const char ending[] = ".json";
	_cleanup_close_ int fd = place_open(d->options->place.runtime, "exec", err);
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir)
		return error_set_errno(err, errno, "cannot list containers");
	fd = -1;
	while ((entry = readdir(dir))) {
		char agent[AGENT_NAME_MAX + sizeof(ending)];
		size_t size = strlen(entry->d_name);

		if (size < sizeof(ending) || size >= sizeof(agent) ||
		    strcmp(entry->d_name + size - strlen(ending), ending) != 0)
			continue;
		memcpy(agent, entry->d_name, size);
		agent[size - strlen(ending)] = '\0';
		if (name_check(agent, NULL) == 0)
			keeper_look(d->keeper, agent);
	}
	return 0;
}

static int open_client(struct daemon *d, struct error *err)
{
	static const struct client_ops ops = {.on_request = on_request,
					      .on_gone = on_client_gone};
	int connected = d->options->channel_fd, listening = -1, n;

	if (connected >= 0) {
		if (fcntl(connected, F_SETFD, FD_CLOEXEC) < 0)
			return error_set_errno(err, errno, "--channel-fd %d", connected);
	} else {
		n = sd_listen_fds(1);
		if (n != 1)
			return error_set(err, EINVAL,
					 "systemd handed over %d sockets instead of one", n);
		listening = SD_LISTEN_FDS_START;
	}
	d->client =
		client_new(d->loop, connected, listening, d->options->place.skep_uid, &ops, d);
	return 0;
}

static int set_up(struct daemon *d, struct error *err)
{
	const struct place *place = &d->options->place;
	int r = place_make(place, err);

	if (r < 0)
		return r;
	d->lock_fd = lock_hive(place, PREDECESSOR_MS, err);
	if (d->lock_fd < 0)
		return d->lock_fd;
	r = place_sweep(place->state, "systems", ".staging-", err);
	if (r == 0)
		r = place_sweep(place->state, "proposed", ".new-", err);
	if (r == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		r = error_set_errno(err, errno, "cannot become a subreaper");
	if (r == 0)
		r = open_client(d, err);
	if (r == 0)
		r = keeper_new(d->loop, d->options, on_ended, d, &d->keeper, err);
	if (r == 0 && d->options->standalone)
		r = adopt(d, err);
	if (r == 0)
		d->files = files_new(d->loop, d->options, on_files, d);
	return r;
}

static void tear_down(struct daemon *d)
{
	jobs_free(d->jobs);
	files_free(d->files);
	keeper_free(d->keeper);
	client_free(d->client);
	loop_free(d->loop);
	closep(&d->lock_fd);
}

int daemon_run(const struct options *options, struct error *err)
{
	_cleanup_(tear_down) struct daemon d = {.options = options, .lock_fd = -1};
	int r;

	(void)umask(0022);
	d.loop = loop_new();
	if (!d.loop)
		return error_set(err, ENOMEM, "cannot make an event loop");
	d.jobs = jobs_new(d.loop, options);
	r = set_up(&d, err);
	if (r < 0)
		return r;
	(void)signal(SIGPIPE, SIG_IGN);
	/* On skepd's terminal both hear of Ctrl-C; skepd still needs us to stop what runs. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	r = loop_signal(d.loop, SIGTERM, on_stop, &d);
	if (r == 0)
		r = loop_signal(d.loop, SIGCHLD, on_child, &d);
	if (r < 0)
		return error_set_errno(err, r, "cannot watch signals");
	(void)sd_notify(0, "READY=1");
	r = loop_run(d.loop);
	return r < 0 ? error_set_errno(err, r, "the event loop failed") : 0;
}
