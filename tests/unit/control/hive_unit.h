/*
 * A whole controller for a test: the real control layer on a loop in a process of its own, real
 * repositories in a scratch directory, and a stand-in for skep-exec that keeps its containers
 * in variables. Files in the scratch directory make it fail on purpose: "fail-VERB" (its text
 * is the error; "fail-switch" once), "once-VERB", "fail-VERB-AGENT", "hang-VERB" (no answer
 * until it is cancelled),
 * "slow-VERB", "bad-system" (the id of a system whose unit fails), "no-units" (nobody can say
 * which do), "dead-AGENT" (its container has ended), "listener-PORT" (who holds a port).
 * "keep-world" (its containers outlive it, as real ones do; what runs is in the file "world"),
 * "tidy-soon" (it tidies often and keeps two of each). The names of what was started are added
 * to the file "starts". The file "clock" says how many seconds the hive's clock is ahead.
 */
#pragma once

#include "fake_nix.h"

#include "unit.h"

#include "hive_repositories.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/sock.h"
#include "control/server.h"
#include "control/start.h"
#include "git/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct hive_unit {
	char dir[64];
	pid_t daemon, exec;
	char socket_path[128];
};

/* ---- the stand-in for skep-exec ---- */

#define FAKE_AGENTS 16

struct fake_agent {
	char name[40], system[256];
	bool running;
};

struct fake {
	const char *dir;
	int channel;
	json_int_t hung;   /* a request without an answer */
	json_int_t stop_s; /* what the last stop was given */
	int sampled;       /* how often it was asked what containers use */
	struct fake_agent agents[FAKE_AGENTS];
};

static bool fake_has(const struct fake *f, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s", f->dir, name);

	return access(path, F_OK) == 0;
}

static struct fake_agent *fake_agent(struct fake *f, const char *name)
{
	for (int i = 0; i < FAKE_AGENTS; i++) {
		if (!f->agents[i].name[0])
			snprintf(f->agents[i].name, sizeof(f->agents[i].name), "%s", name);
		if (strcmp(f->agents[i].name, name) == 0)
			return &f->agents[i];
	}
	abort();
}

static void fake_send(struct fake *f, json_int_t id, json_t *answer, int fd)
{
	_cleanup_free_ char *line = NULL;

	json_object_set_new(answer, "id", json_integer(id));
	if (!json_object_get(answer, "ok"))
		json_object_set_new(answer, "ok", json_true());
	line = json_line(answer);
	(void)sock_send(f->channel, line, strlen(line), &fd, fd >= 0 ? 1 : 0);
	json_decref(answer);
}

static json_t *fake_failure(int errnum, const char *text)
{
	return json_pack("{s:b,s:i,s:s}", "ok", 0, "errno", errnum, "error", text);
}

/* Whether a file of the scratch directory says that this verb goes another way. */
static bool fake_misbehaves(struct fake *f, const char *verb, const char *name, json_int_t id)
{
	_cleanup_free_ char *named = str_format("fail-%s-%s", verb, name ? name : "");
	_cleanup_free_ char *once = str_format("once-%s", verb);
	_cleanup_free_ char *once_path = str_format("%s/%s", f->dir, once);
	_cleanup_free_ char *hang = str_format("hang-%s", verb);
	_cleanup_free_ char *slow = str_format("slow-%s", verb);
	_cleanup_free_ char *fail = str_format("%s/fail-%s", f->dir, verb);
	_cleanup_buf_ struct buf text = {};

	if ((name && fake_has(f, named)) || fake_has(f, once)) {
		(void)unlink(once_path);
		fake_send(f, id, fake_failure(EIO, "it was told to fail"), -1);
		return true;
	}
	if (fake_has(f, hang)) {
		f->hung = id;
		return true;
	}
	if (fake_has(f, slow))
		usleep(400000);
	if (strcmp(verb, "switch") == 0 || file_read(AT_FDCWD, fail, 200, &text, NULL) < 0)
		return false;
	fake_send(f, id, fake_failure(EIO, text.size ? buf_str(&text) : "it was told to fail"),
		  -1);
	return true;
}

static json_t *fake_entry(const struct fake *f, struct fake_agent *a)
{
	_cleanup_free_ char *bad = str_format("%s/bad-system", f->dir);
	_cleanup_free_ char *dead = str_format("%s/dead-%s", f->dir, a->name);
	_cleanup_buf_ struct buf system = {};
	json_t *failed = json_array(), *entry;

	if (unlink(dead) == 0)
		a->running = false;

	if (a->running && file_read(AT_FDCWD, bad, 64, &system, NULL) == 0 &&
	    strncmp(buf_str(&system), a->system, 40) == 0)
		json_array_append_new(failed, json_string("agent.service"));
	entry = json_pack("{s:s,s:s,s:s,s:i,s:o}", "agent", a->name, "state",
			  a->running ? "running" : "stopped", "system",
			  a->running ? a->system : "", "leader", a->running ? 4242 : 0,
			  "failed_units", failed);
	if (fake_has(f, "no-units"))
		json_object_del(entry, "failed_units");
	if (f->stop_s > 0 && !a->running)
		json_object_set_new(entry, "exit",
				    json_sprintf("stopped within %lld s",
						 (long long)f->stop_s));
	return entry;
}

/* The processor was busy for a quarter of a second more each time. */
static json_t *fake_usage(struct fake *f)
{
	json_t *rows = json_array();

	f->sampled++;
	for (int i = 0; i < FAKE_AGENTS && f->agents[i].name[0]; i++)
		if (f->agents[i].running)
			json_array_append_new(rows, json_pack("{s:s,s:i,s:i,s:i}", "agent",
							      f->agents[i].name, "memory_bytes",
							      1048576, "tasks", 7, "cpu_usec",
							      f->sampled * 250000));
	return json_pack("{s:o}", "usage", rows);
}

static json_t *fake_observe(struct fake *f, const json_t *request)
{
	const char *what = json_string_value(json_object_get(request, "what"));
	_cleanup_free_ char *path =
		str_format("%s/listener-%lld", f->dir,
			   (long long)json_integer_value(json_object_get(request, "port")));
	_cleanup_buf_ struct buf text = {};
	json_t *listener = NULL;

	if (what && strcmp(what, "usage") == 0)
		return fake_usage(f);
	if (file_read(AT_FDCWD, path, 200, &text, NULL) == 0)
		(void)json_parse(buf_str(&text), text.size, &listener, NULL);
	return listener ? json_pack("{s:o}", "listener", listener) : json_object();
}

/* What a command in a container would write. */
static void fake_exec(struct fake *f, json_int_t id, const json_t *request, const int *fds)
{
	const char *word =
		json_string_value(json_array_get(json_object_get(request, "argv"), 0));

	(void)file_write_all(fds[1], word, strlen(word));
	fake_send(f, id, json_pack("{s:i}", "exit_status", 0), -1);
}

/* The journal of a container is what the file "journal" holds. */
static void fake_logs(struct fake *f, json_int_t id, int fd)
{
	_cleanup_free_ char *path = str_format("%s/journal", f->dir);
	_cleanup_buf_ struct buf text = {};

	if (file_read(AT_FDCWD, path, 4 << 20, &text, NULL) < 0) {
		fake_send(f, id, fake_failure(EIO, "there is no journal"), -1);
		return;
	}
	/* whoever reads may be slow, and this process has others to answer */
	if (fork() == 0) {
		(void)file_write_all(fd, text.data, text.size);
		_exit(0);
	}
	fake_send(f, id, json_object(), -1);
}

static void fake_pause(struct fake *f, const json_t *request)
{
	_cleanup_free_ char *path =
		str_format("%s/paused-%s", f->dir,
			   json_string_value(json_object_get(request, "agent")));

	if (json_is_true(json_object_get(request, "paused")))
		(void)close(open(path, O_CREAT | O_WRONLY, 0600));
	else
		(void)unlink(path);
}

static void fake_answer(struct fake *f, const json_t *request, const int *fds, size_t n_fds)
{
	int fd = n_fds ? fds[0] : -1;
	const char *verb = json_string_value(json_object_get(request, "verb"));
	const char *name = json_string_value(json_object_get(request, "agent"));
	json_int_t id = json_integer_value(json_object_get(request, "id"));
	struct fake_agent *a = name ? fake_agent(f, name) : NULL;

	if (fake_misbehaves(f, verb, name, id))
		return;
	if (strcmp(verb, "hello") == 0) {
		fake_send(f, id,
			  json_pack("{s:s,s:{s:b,s:b,s:b}}", "mode", "standalone", "limits",
				    "memory", 0, "cpu", 0, "tasks", 0),
			  -1);
	} else if (strcmp(verb, "seed") == 0) {
		if (json_object_get(request, "commit"))
			fake_checkout(f->dir, request, name);
		else
			fake_seed(f->dir, request, name);
		fake_send(f, id, json_object(), -1);
	} else if (strcmp(verb, "copy-state") == 0) {
		fake_copy_state(f->dir, request);
		fake_send(f, id, json_object(), -1);
	} else if (strcmp(verb, "rename") == 0) {
		a->running = false;
		fake_rename(f->dir, request);
		fake_send(f, id, json_object(), -1);
	} else if (strcmp(verb, "agent-socket") == 0) {
		_cleanup_free_ char *path = str_format("%s/%s.sock", f->dir, name);
		_cleanup_close_ int s =
			sock_listen(path, SOCK_STREAM, 0600, getuid(), getgid(), NULL);

		fake_send(f, id, json_pack("{s:s}", "agent", name), s);
	} else if (strcmp(verb, "export") == 0) {
		fake_export(f->dir, name, fd);
		fake_send(f, id, json_object(), -1);
	} else if (strcmp(verb, "build") == 0) {
		fake_send(f, id, fake_build(request), -1);
	} else if (strcmp(verb, "lock") == 0) {
		fake_send(f, id, json_pack("{s:s}", "lock", fake_lock), -1);
	} else if (strcmp(verb, "effect") == 0) {
		fake_send(f, id, json_pack("{s:s}", "effect", "{\"units\":[]}"), -1);
	} else if (strcmp(verb, "cancel") == 0) {
		if (f->hung)
			fake_send(f, f->hung, fake_failure(ECANCELED, "it was cancelled"), -1);
		f->hung = 0;
		fake_send(f, id, json_object(), -1);
	} else if (strcmp(verb, "observe") == 0) {
		fake_send(f, id, fake_observe(f, request), -1);
	} else if (strcmp(verb, "retain") == 0) {
		_cleanup_free_ char *path = str_format("%s/retained", f->dir);
		_cleanup_free_ char *text = json_line(json_object_get(request, "systems"));

		(void)file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, NULL);
		fake_send(f, id, json_pack("{s:i}", "removed", 0), -1);
	} else if (strcmp(verb, "freeze") == 0) {
		fake_send(f, id,
			  json_pack("{s:O}", "frozen", json_object_get(request, "frozen")), -1);
	} else if (strcmp(verb, "exec") == 0) {
		fake_exec(f, id, request, fds);
	} else if (strcmp(verb, "logs") == 0) {
		fake_logs(f, id, fd);
	} else if (strcmp(verb, "pause") == 0) {
		fake_pause(f, request);
		fake_send(f, id, json_object(), -1);
	} else if (strcmp(verb, "start") == 0 || strcmp(verb, "switch") == 0) {
		bool fails = fake_has(f, "fail-switch");
		_cleanup_free_ char *starts = str_format("%s/starts", f->dir);
		FILE *list = fopen(starts, "ae");

		fprintf(list, "%s\n", name);
		(void)fclose(list);

		a->running = !fails;
		snprintf(a->system, sizeof(a->system), "%s",
			 json_string_value(json_object_get(request, "system")));
		if (fails) {
			_cleanup_free_ char *path = str_format("%s/fail-switch", f->dir);

			(void)unlink(path); /* once: the way back works */
			fake_send(f, id, fake_failure(EIO, "READY never came"), -1);
		} else {
			fake_send(f, id,
				  json_pack("{s:i,s:i}", "leader", 4242, "downtime_ms", 7), -1);
		}
	} else if (strcmp(verb, "inspect") == 0) {
		json_t *list = json_array();

		for (int i = 0; i < FAKE_AGENTS && f->agents[i].name[0]; i++)
			if (!name || strcmp(name, f->agents[i].name) == 0)
				json_array_append_new(list, fake_entry(f, &f->agents[i]));
		fake_send(f, id, json_pack("{s:o}", "agents", list), -1);
	} else if (strcmp(verb, "stop") == 0 || strcmp(verb, "destroy") == 0 ||
		   strcmp(verb, "purge") == 0) {
		a->running = false;
		f->stop_s = json_integer_value(json_object_get(request, "timeout_s"));
		if (strcmp(verb, "purge") == 0) {
			_cleanup_free_ char *path = str_format("%s/proposed", f->dir);
			_cleanup_close_ int parent = open(path, O_RDONLY | O_DIRECTORY);

			(void)file_remove_tree(parent, name, NULL);
		}
		fake_send(f, id, json_object(), -1);
	} else if (strcmp(verb, "adopt") == 0 && fake_has(f, "no-container")) {
		fake_send(f, id, fake_failure(ENOENT, "there is no container to adopt"), -1);
	} else {
		fake_send(f, id, json_object(), -1);
	}
}

/* Containers outlive who started them: "name system running" for each. */
static void fake_save_world(const struct fake *f)
{
	_cleanup_free_ char *path = str_format("%s/world", f->dir);
	_cleanup_buf_ struct buf text = {};

	if (!fake_has(f, "keep-world"))
		return;
	for (int i = 0; i < FAKE_AGENTS && f->agents[i].name[0]; i++)
		buf_addf(&text, "%s %s %d\n", f->agents[i].name,
			 f->agents[i].system[0] ? f->agents[i].system : "-",
			 f->agents[i].running);
	(void)file_write_atomic(AT_FDCWD, path, buf_str(&text), text.size, 0600, NULL);
}

static void fake_load_world(struct fake *f)
{
	_cleanup_free_ char *path = str_format("%s/world", f->dir);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	int running;

	for (int i = 0; file && i < FAKE_AGENTS; i++) {
		struct fake_agent *a = &f->agents[i];

		if (fscanf(file, "%39s %255s %d", a->name, a->system, &running) != 3)
			break;
		a->running = running;
	}
}

/* On SIGUSR1 what the file "event" holds is said unasked. */
static int fake_event_fd;
static char fake_event_path[128];

static void fake_on_signal(int signum)
{
	char text[1024];
	int fd = open(fake_event_path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text));

	(void)signum;
	if (n > 0)
		(void)!send(fake_event_fd, text, (size_t)n, 0);
	(void)close(fd);
	(void)unlink(fake_event_path);
}

static void fake_main(const char *dir, int channel)
{
	struct fake f = {.dir = dir, .channel = channel};
	static char message[1 << 20];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	fake_event_fd = channel;
	snprintf(fake_event_path, sizeof(fake_event_path), "%s/event", dir);
	(void)signal(SIGUSR1, fake_on_signal);
	fake_load_world(&f);
	for (;;) {
		int fds[SOCK_MAX_FDS];
		size_t n_fds = 0;
		ssize_t n = sock_recv(channel, message, sizeof(message), fds, &n_fds);
		json_t *request = NULL;

		if (n <= 0)
			_exit(0);
		if (json_parse(message, (size_t)n, &request, NULL) == 0)
			fake_answer(&f, request, fds, n_fds);
		fake_save_world(&f);
		json_decref(request);
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		while (waitpid(-1, NULL, WNOHANG) > 0) {
			/* readers that have ended */
		}
	}
}

/* ---- the daemon ---- */

static int hive_ready_fd;
static char hive_clock_path[128];

static int64_t hive_wall_s(void)
{
	_cleanup_buf_ struct buf text = {};

	return file_read(AT_FDCWD, hive_clock_path, 32, &text, NULL) < 0
		       ? clock_wall_s()
		       : clock_wall_s() + atoll(buf_str(&text));
}

static void hive_on_ready(struct hive *hive, const struct error *err)
{
	(void)hive;
	(void)!write(hive_ready_fd, err ? "n" : "y", 1);
}

static void hive_on_gone(void *data)
{
	(void)data;
	_exit(3);
}

static void hive_on_down(struct hive *hive)
{
	(void)hive;
	_exit(0);
}

static void hive_on_term(int signum, void *data)
{
	(void)signum;
	start_stop(data, false, hive_on_down);
}

static void hive_daemon_main(struct hive_unit *u, int channel, int ready)
{
	_cleanup_free_ char *here = file_program_dir(), *crash_file = NULL, *tidy_file = NULL,
			    *web_path = NULL;
	struct error err = {};
	struct config config;
	struct loop *loop = loop_new();
	struct hive *hive;
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	crash_file = str_format("%s/crash", u->dir);
	(void)setenv("SKEP_CRASH_FILE", crash_file, 1);
	config_init(&config);
	free(config.state_dir);
	free(config.runtime_dir);
	config.state_dir = str_dup(u->dir);
	config.runtime_dir = str_dup(u->dir);
	config.proposals_per_hour = 1000;
	config.nixpkgs = str_dup("path:/nixpkgs");
	config.base = str_dup("path:/base");
	config.templates_dir = str_format("%s/../../templates", here);
	tidy_file = str_format("%s/tidy-soon", u->dir);
	if (access(tidy_file, F_OK) == 0) {
		config.tidy_interval_ms = 200;
		config.keep_logs = config.keep_systems = 2;
	}
	snprintf(hive_clock_path, sizeof(hive_clock_path), "%s/clock", u->dir);
	hive = hive_new(loop, &config, hive_wall_s);
	free(hive->worker_path);
	hive->worker_path = str_format("%s/../../skepd", here);
	hive_ready_fd = ready;
	if (git_setup(true, &err) < 0 || start_load(hive, &err) < 0) {
		fprintf(stderr, "the hive does not load: %s\n", error_text(&err));
		_exit(1);
	}
	fd = sock_listen(u->socket_path, SOCK_STREAM, 0600, getuid(), getgid(), &err);
	server_listen(hive->server, fd, PRINCIPAL_OPERATOR, (int64_t)getgid());
	web_path = str_format("%s/web.sock", u->dir);
	fd = sock_listen(web_path, SOCK_STREAM, 0600, getuid(), getgid(), &err);
	server_listen_web(hive->server, fd, getuid());
	hive->executor = executor_new(loop, channel, start_on_event, hive_on_gone, hive);
	(void)loop_signal(loop, SIGTERM, hive_on_term, hive);
	start_serve(hive, hive_on_ready);
	(void)loop_run(loop);
	_exit(0);
}

static void hive_start(struct hive_unit *u)
{
	int channel[2], ready[2];
	char byte = 0;

	assert_int_equal(sock_pair(SOCK_SEQPACKET, channel, NULL), 0);
	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	u->exec = fork();
	if (u->exec == 0) {
		(void)close(channel[1]);
		fake_main(u->dir, channel[0]);
	}
	u->daemon = fork();
	if (u->daemon == 0) {
		(void)close(channel[0]);
		hive_daemon_main(u, channel[1], ready[1]);
	}
	(void)close(channel[0]);
	(void)close(channel[1]);
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	(void)close(ready[0]);
}

/* kill -9 of both, as if the machine had lost them. */
static void hive_crash(struct hive_unit *u)
{
	const pid_t pids[] = {u->daemon, u->exec};

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		if (pids[i] <= 0)
			continue; /* it has ended already */
		(void)kill(pids[i], SIGKILL);
		(void)waitpid(pids[i], NULL, 0);
	}
}

static void hive_up(struct hive_unit *u)
{
	static const char *const dirs[] = {"applied", "meta", "logs", "audit", "proposed"};

	(void)signal(SIGPIPE, SIG_IGN);
	snprintf(u->dir, sizeof(u->dir), "/tmp/skep-hive-XXXXXX");
	assert_non_null(mkdtemp(u->dir));
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_free_ char *path = str_format("%s/%s", u->dir, dirs[i]);

		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(u->socket_path, sizeof(u->socket_path), "%s/operator.sock", u->dir);
	hive_start(u);
}

static void hive_down(struct hive_unit *u)
{
	hive_crash(u);
	(void)file_remove_tree(AT_FDCWD, u->dir, NULL);
}
