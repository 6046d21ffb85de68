#include "control/server.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sock.h"
#include "control/dispatch.h"
#include "control/event.h"
#include "control/journal.h"
#include "control/journal_stream.h"
#include "control/logins.h"
#include "control/session.h"
#include "control/stream.h"
#include "wire/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_PER_AGENT 8
#define MAX_LINE (64 << 10)
#define LINE_MS 10000
#define AGENT_IDLE_MS 10000
#define MAX_QUEUED (96 << 20)
#define BUSY_QUEUED (256 << 10) /* who does not fetch this much is asked for no more */
#define ACCEPT_PAUSE_MS 200     /* when descriptors have run out */
#define REFUSED_MS 50 /* an agent that asks too often is not listened to for this long */
#define PART_MS 5     /* nor is one that sends a piece of a line */

struct listener {
	struct server *server;
	struct listener *next;
	int fd;
	struct watch *watch;
	enum principal who;
	int64_t uid, gid; /* who may connect beside root; −1: nobody */
};

/* Who may be connected at once is counted apart: readers do not keep operators out, nor do
 * agents. */
enum crowd {
	CROWD_OPERATORS,
	CROWD_READERS,
	CROWD_AGENTS,
	CROWD_WEB,
	CROWD_COUNT,
};

static const size_t crowd_max[CROWD_COUNT] = {
	[CROWD_OPERATORS] = 128,
	[CROWD_READERS] = 128,
	[CROWD_AGENTS] = 1024,
	[CROWD_WEB] = 512,
};

struct server {
	struct hive *hive;
	struct listener *listeners;
	size_t n_sessions[CROWD_COUNT];
	struct timer *pause; /* nobody is let in until then; NULL: as usual */
	bool no_descriptors; /* and that was told */
	uint64_t last_id;
};

/* Of one agent, however many connections it opens: what it may ask, and connect. */
static const struct bucket_size requests = {.room = 60, .refill_ms = 500};
static const struct bucket_size knocks = {.room = 60, .refill_ms = 100};

static enum crowd crowd_of(enum principal who)
{
	switch (who) {
	case PRINCIPAL_OPERATOR:
		return CROWD_OPERATORS;
	case PRINCIPAL_READER:
		return CROWD_READERS;
	case PRINCIPAL_WEB:
		return CROWD_WEB;
	case PRINCIPAL_MANAGER:
	case PRINCIPAL_AGENT:
		break;
	}
	return CROWD_AGENTS;
}

static bool is_full(const struct server *server, enum principal who)
{
	return server->n_sessions[crowd_of(who)] >= crowd_max[crowd_of(who)];
}

static const struct conn_limits limits = {
	.max_line = MAX_LINE,
	.max_queued = MAX_QUEUED,
	.busy_queued = BUSY_QUEUED,
	.turn_lines = 1,
	.line_ms = LINE_MS,
};

static const struct conn_limits agent_limits = {
	.max_line = MAX_LINE,
	.max_queued = MAX_QUEUED,
	.busy_queued = BUSY_QUEUED,
	.turn_lines = 1,
	.part_ms = PART_MS,
	.line_ms = LINE_MS,
	.idle_ms = AGENT_IDLE_MS,
};

/* ---- sessions ---- */

static bool may_ask(struct session *s, struct error *err)
{
	struct agent *agent = s->agent[0] ? hive_find(s->hive, s->agent) : NULL;

	if (!agent || bucket_take(&agent->requests, &requests, clock_boot_ms()) == 0)
		return true;
	agent->refused++;
	error_set_code(err, EAGAIN, "rate_limited",
		       "'%s' asks too often: %" PRId64
		       " requests at once, and one each %" PRId64 " ms, are all it may",
		       s->agent, requests.room, requests.refill_ms);
	return false;
}

/* To answer that there is no answer takes time as well: who does not wait is made to. */
static void on_line(struct conn *conn, const char *line, size_t size, void *data)
{
	struct session *s = data;
	struct error err = {};

	if (may_ask(s, &err)) {
		dispatch_line(s, line, size);
		return;
	}
	session_fail(s, &err);
	conn_rest(conn, REFUSED_MS);
}

static void on_overlong(struct conn *conn, void *data)
{
	struct session *s = data;
	struct error err = {};

	(void)conn;
	error_set(&err, E2BIG, "a request has at most %d bytes and is complete within %d s",
		  MAX_LINE, LINE_MS / 1000);
	session_send(s, answer_error(&err));
}

static void on_close(struct conn *conn, void *data)
{
	struct session *s = data;
	struct server *server = s->hive->server;
	struct session **at = &s->hive->sessions;
	struct agent *agent = s->agent[0] ? hive_find(s->hive, s->agent) : NULL;

	(void)conn;
	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
	server->n_sessions[crowd_of(s->who)]--;
	if (agent && agent->connections > 0)
		agent->connections--;
	if (s->subscriber)
		event_unsubscribe(s->hive, s->subscriber);
	journal_stream_free(s->journal);
	if (s->call)
		executor_cancel(s->hive->executor, s->call);
	closep(&s->log_fd);
	free(s);
}

static void on_drained(struct conn *conn, void *data)
{
	struct session *s = data;

	(void)conn;
	if (s->subscriber)
		event_drained(s->hive, s->subscriber);
	if (s->mode == SESSION_LOG)
		stream_log_pump(s);
	if (s->mode == SESSION_JOURNAL)
		journal_stream_go_on(s->journal);
}

static const struct conn_ops ops = {
	.on_line = on_line,
	.on_overlong = on_overlong,
	.on_close = on_close,
	.on_drained = on_drained,
};

static struct session *session_new(struct server *server, int fd, enum principal who)
{
	struct session *s = mem_new(1, sizeof(*s));

	s->hive = server->hive;
	s->id = ++server->last_id;
	s->who = who;
	s->log_fd = -1;
	s->actor.channel = principal_name(who);
	s->next = server->hive->sessions;
	server->hive->sessions = s;
	server->n_sessions[crowd_of(who)]++;
	s->conn = conn_new(server->hive->loop, fd,
			   crowd_of(who) == CROWD_AGENTS ? &agent_limits : &limits, &ops, s);
	return s;
}

/* ---- accepting ---- */

static void refuse(int fd, const struct error *err)
{
	json_t *answer = answer_error(err);
	_cleanup_free_ char *line = json_line(answer);
	_cleanup_free_ char *text = str_format("%s\n", line);

	json_decref(answer);
	(void)sock_send(fd, text, strlen(text), NULL, 0);
	(void)close(fd);
}

static void let_in(struct server *server, bool yes)
{
	struct hive *hive = server->hive;

	for (struct listener *l = server->listeners; l; l = l->next)
		if (l->watch)
			watch_set(l->watch, yes, false);
	for (size_t i = 0; i < hive->n_agents; i++)
		if (hive->agents[i]->listen_watch && !hive->agents[i]->listen_pause)
			watch_set(hive->agents[i]->listen_watch, yes, false);
}

static void on_pause_over(void *data)
{
	struct server *server = data;

	server->pause = NULL;
	let_in(server, true);
}

/* Without a descriptor to spare, who knocks would be heard again and again: nobody is, for a
 * moment. */
static int accept_one(struct server *server, int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		server->no_descriptors = false;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && !server->pause) {
		if (!server->no_descriptors)
			log_line(LOG_ERR, "who connects has to wait: %s", strerror(errno));
		server->no_descriptors = true;
		let_in(server, false);
		server->pause =
			loop_timer(server->hive->loop, ACCEPT_PAUSE_MS, on_pause_over, server);
	}
	return fd;
}

/* skep-web's socket is for skep-web alone: root has one of its own. */
static bool may_connect(const struct listener *l, int fd, uid_t uid)
{
	if (l->who == PRINCIPAL_WEB)
		return l->uid >= 0 && uid == (uid_t)l->uid;
	return uid == 0 || (l->gid >= 0 && sock_peer_in_group(fd, (gid_t)l->gid));
}

static void on_operator(int listen_fd, bool readable, bool writable, void *data)
{
	struct listener *l = data;
	int fd = accept_one(l->server, listen_fd);
	struct error err = {};
	struct session *s;
	uid_t uid;
	gid_t gid;
	pid_t pid;

	(void)readable;
	(void)writable;
	if (fd < 0)
		return;
	if (sock_peer(fd, &uid, &gid, &pid, &err) < 0) {
		refuse(fd, &err);
		return;
	}
	if (!may_connect(l, fd, uid)) {
		error_set(&err, EACCES, "uid %u may not speak on the %s socket", (unsigned)uid,
			  principal_name(l->who));
		if (l->who == PRINCIPAL_WEB)
			login_failed(l->server->hive, LOGIN_FAILED_PEER);
		else
			error_hint(&err, "join the group of that socket and log in again");
		refuse(fd, &err);
		return;
	}
	if (is_full(l->server, l->who)) {
		error_set(&err, EBUSY,
			  "%zu clients are connected to the %s socket already, and no more may",
			  crowd_max[crowd_of(l->who)], principal_name(l->who));
		refuse(fd, &err);
		return;
	}
	s = session_new(l->server, fd, l->who);
	s->uid = uid;
	snprintf(s->actor.name, sizeof(s->actor.name), "uid %u", (unsigned)uid);
}

static void on_knocks_over(void *data)
{
	struct agent *agent = data;

	agent->listen_pause = NULL;
	if (agent->listen_watch && !agent->hive->server->pause)
		watch_set(agent->listen_watch, true, false);
}

/* Whoever knocks too often waits where the kernel keeps it, and costs nobody anything. */
static bool may_knock(struct agent *agent)
{
	int64_t wait_ms = bucket_take(&agent->knocks, &knocks, clock_boot_ms());

	if (wait_ms == 0)
		return true;
	watch_set(agent->listen_watch, false, false);
	agent->listen_pause = loop_timer(agent->hive->loop, wait_ms, on_knocks_over, agent);
	return false;
}

static int check_agent(const struct agent *agent, enum principal who, int fd, struct error *err)
{
	const char *name = agent->settings.name;
	uid_t uid;
	gid_t gid;
	pid_t pid;

	if (sock_peer(fd, &uid, &gid, &pid, err) < 0 || uid != agent->settings.uid_base) {
		log_event(LOG_WARNING, "a peer of a wrong uid was refused on an agent's socket",
			  "MESSAGE_ID", JOURNAL_WRONG_PEER, "SKEP_AGENT", name, NULL);
		return error_set(err, EACCES, "this is the socket of '%s' and not yours", name);
	}
	if (agent->connections >= MAX_PER_AGENT)
		return error_set(err, EBUSY, "'%s' has %u connections already, and no more may",
				 name, agent->connections);
	if (is_full(agent->hive->server, who))
		return error_set(err, EBUSY,
				 "agents have %zu connections already, and no more may",
				 crowd_max[CROWD_AGENTS]);
	return 0;
}

static void on_agent(int listen_fd, bool readable, bool writable, void *data)
{
	struct agent *agent = data;
	struct server *server = agent->hive->server;
	enum principal who =
		name_is_manager(agent->settings.name) ? PRINCIPAL_MANAGER : PRINCIPAL_AGENT;
	struct error err = {};
	struct session *s;
	int fd;

	(void)readable;
	(void)writable;
	if (!may_knock(agent) || (fd = accept_one(server, listen_fd)) < 0)
		return;
	if (check_agent(agent, who, fd, &err) < 0) {
		refuse(fd, &err);
		return;
	}
	s = session_new(server, fd, who);
	agent->connections++;
	snprintf(s->agent, sizeof(s->agent), "%s", agent->settings.name);
	snprintf(s->actor.name, sizeof(s->actor.name), "%s", agent->settings.name);
}

/* A socket that systemd made may wait in accept(2) for a client that is gone again. */
static void never_wait(int listen_fd)
{
	(void)fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
}

void server_forget_agent(struct agent *agent)
{
	watch_free(agent->listen_watch);
	timer_cancel(agent->listen_pause);
	agent->listen_watch = NULL;
	agent->listen_pause = NULL;
	closep(&agent->listen_fd);
	agent->listen_fd = -1;
}

void server_serve_agent(struct hive *hive, struct agent *agent, int fd)
{
	server_forget_agent(agent);
	never_wait(fd);
	agent->listen_fd = fd;
	agent->listen_watch = loop_watch(hive->loop, fd, true, false, on_agent, agent);
}

struct server *server_new(struct hive *hive)
{
	struct server *server = mem_new(1, sizeof(*server));

	server->hive = hive;
	return server;
}

static void listen_for(struct server *server, const struct listener *what)
{
	struct listener *l = mem_new(1, sizeof(*l));

	*l = *what;
	l->server = server;
	l->next = server->listeners;
	never_wait(l->fd);
	l->watch = loop_watch(server->hive->loop, l->fd, true, false, on_operator, l);
	server->listeners = l;
}

void server_listen(struct server *server, int fd, enum principal who, int64_t gid)
{
	listen_for(server, &(struct listener){.fd = fd, .who = who, .uid = -1, .gid = gid});
}

void server_listen_web(struct server *server, int fd, uid_t uid)
{
	listen_for(server,
		   &(struct listener){.fd = fd, .who = PRINCIPAL_WEB, .uid = uid, .gid = -1});
}

void server_stop(struct server *server)
{
	for (struct listener *l = server->listeners; l; l = l->next) {
		watch_free(l->watch);
		l->watch = NULL;
	}
	for (size_t i = 0; i < server->hive->n_agents; i++) {
		watch_free(server->hive->agents[i]->listen_watch);
		server->hive->agents[i]->listen_watch = NULL;
	}
}

void server_free(struct server *server)
{
	if (!server)
		return;
	server_stop(server);
	timer_cancel(server->pause);
	for (struct listener *l = server->listeners, *next; l; l = next) {
		next = l->next;
		(void)close(l->fd);
		free(l);
	}
	/* connections end with the process; the loop that would tell them is gone */
	free(server);
}
