/*
 * A stand-in for skep-exec that keeps its containers in variables. Files in the scratch
 * directory make it fail on purpose: "fail-VERB" (its text is the error; "fail-switch" once),
 * "once-VERB", "fail-VERB-AGENT", "hang-VERB", "hang-VERB-AGENT" (no answer until it is
 * cancelled), "slow-VERB", "sick-AGENT" (its unit fails in any system but the one named in it),
 * "bad-system" (the id of a system whose unit fails), "bad-tree" (the id of a tree that cannot
 * be built), "no-units" (nobody can say which do),
 * "dead-AGENT" (its container has ended), "listener-PORT" (who holds a port), "entry-AGENT"
 * (keys laid over what is found of its container until it is started or changed, "spec" over
 * its specification), "stray" (an entry of a container that nobody asked for), "keep-world"
 * (its containers outlive it, as real ones do; what runs is in the file "world"). The names of
 * what was started are added to the file "starts".
 */
#pragma once

#include "fake_nix.h"

#include "hive_repositories.h"
#include "unit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sock.h"
#include "host/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FAKE_AGENTS 16

struct fake_agent {
	char name[40], system[256];
	bool running, gone;
	json_t *spec; /* as of the last start */
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

/* Containers outlive who started them: "name system running specification" for each.
 * Written before the answer is, or who is told could be gone sooner. */
static void fake_save_world(const struct fake *f)
{
	_cleanup_free_ char *path = str_format("%s/world", f->dir);
	_cleanup_buf_ struct buf text = {};

	if (!fake_has(f, "keep-world"))
		return;
	for (int i = 0; i < FAKE_AGENTS && f->agents[i].name[0]; i++) {
		const struct fake_agent *a = &f->agents[i];
		_cleanup_free_ char *spec = a->spec ? json_line(a->spec) : str_dup("-");

		buf_addf(&text, "%s %s %d %s\n", a->name, a->system[0] ? a->system : "-",
			 a->running, spec);
	}
	(void)file_write_atomic(AT_FDCWD, path, buf_str(&text), text.size, 0600, NULL);
}

static void fake_send(struct fake *f, json_int_t id, json_t *answer, int fd)
{
	_cleanup_free_ char *line = NULL;

	fake_save_world(f);
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
	_cleanup_free_ char *hang_named = str_format("%s-%s", hang, name ? name : "");
	_cleanup_free_ char *slow = str_format("slow-%s", verb);
	_cleanup_free_ char *fail = str_format("%s/fail-%s", f->dir, verb);
	_cleanup_buf_ struct buf text = {};

	if ((name && fake_has(f, named)) || fake_has(f, once)) {
		(void)unlink(once_path);
		fake_send(f, id, fake_failure(EIO, "it was told to fail"), -1);
		return true;
	}
	if (fake_has(f, hang) || fake_has(f, hang_named)) {
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

/* What it was started from, and what a test says somebody made of that. */
static void fake_put_spec(struct fake_agent *a, bool whole, const json_t *over, json_t *entry)
{
	json_t *object = json_deep_copy(a->spec);
	char hash[SPEC_HASH_SIZE];
	struct container_spec spec;

	if (over)
		json_object_update(object, json_object_get(over, "spec"));
	if (spec_parse(object, &spec, NULL) == 0) {
		json_object_set_new(entry, "spec_hash", json_string(spec_hash(hash, &spec)));
		if (whole)
			json_object_set_new(entry, "spec", spec_to_json(&spec));
		spec_release(&spec);
	}
	json_decref(object);
}

static void fake_put_more(const struct fake *f, struct fake_agent *a, bool whole, json_t *entry)
{
	_cleanup_free_ char *path = str_format("%s/entry-%s", f->dir, a->name);
	_cleanup_free_ char *paused = str_format("paused-%s", a->name);
	_cleanup_buf_ struct buf text = {};
	json_t *over = NULL;

	if (file_read(AT_FDCWD, path, 4096, &text, NULL) == 0)
		(void)json_parse(buf_str(&text), text.size, &over, NULL);
	if (fake_has(f, paused))
		json_object_set_new(entry, "paused", json_true());
	if (a->spec)
		fake_put_spec(a, whole, over, entry);
	if (over) {
		json_object_del(over, "spec");
		json_object_update(entry, over);
	}
	json_decref(over);
}

/* What was wrong of it is mended, unless a test says that it comes back. */
static void fake_mend(const struct fake *f, const struct fake_agent *a)
{
	_cleanup_free_ char *path = str_format("%s/entry-%s", f->dir, a->name);

	if (!fake_has(f, "stubborn"))
		(void)unlink(path);
}

static json_t *fake_entry(const struct fake *f, struct fake_agent *a, bool whole)
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
	if (a->running && fake_is_sick(f->dir, a->name, a->system))
		json_array_append_new(failed, json_string("agent.service"));
	if (fake_has(f, "no-units"))
		json_object_del(entry, "failed_units");
	if (f->stop_s > 0 && !a->running)
		json_object_set_new(entry, "exit",
				    json_sprintf("stopped within %lld s",
						 (long long)f->stop_s));
	fake_put_more(f, a, whole, entry);
	return entry;
}

static void fake_put_stray(const struct fake *f, json_t *list)
{
	_cleanup_free_ char *path = str_format("%s/stray", f->dir);
	_cleanup_buf_ struct buf text = {};
	json_t *entry = NULL;

	if (file_read(AT_FDCWD, path, 4096, &text, NULL) == 0 &&
	    json_parse(buf_str(&text), text.size, &entry, NULL) == 0)
		json_array_append_new(list, entry);
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

static bool fake_is_bad_tree(const struct fake *f, const json_t *request)
{
	const char *tree = json_string_value(json_object_get(request, "tree"));
	_cleanup_free_ char *path = str_format("%s/bad-tree", f->dir);
	_cleanup_buf_ struct buf bad = {};

	return tree && file_read(AT_FDCWD, path, 64, &bad, NULL) == 0 &&
	       strncmp(buf_str(&bad), tree, 40) == 0;
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
		a->gone = true;
		fake_rename(f->dir, request);
		fake_send(f, id, json_object(), -1);
	} else if (strcmp(verb, "agent-socket") == 0) {
		_cleanup_free_ char *path = str_format("%s/%s.sock", f->dir, name);
		_cleanup_close_ int s =
			sock_listen(path, SOCK_STREAM, 0600, getuid(), getgid(), NULL);

		fake_mend(f, a);
		fake_send(f, id, json_pack("{s:s}", "agent", name), s);
	} else if (strcmp(verb, "export") == 0) {
		fake_export(f->dir, name, fd);
		fake_send(f, id, json_object(), -1);
	} else if (strcmp(verb, "build") == 0) {
		fake_send(f, id,
			  fake_is_bad_tree(f, request)
				  ? fake_failure(EIO, "it does not compile")
				  : fake_build(request),
			  -1);
	} else if (strcmp(verb, "lock") == 0) {
		fake_send(f, id, fake_locked(f->dir), -1);
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
	} else if (strcmp(verb, "limits") == 0) {
		json_object_set(a->spec, "limits", json_object_get(request, "limits"));
		fake_mend(f, a);
		fake_send(f, id, json_object(), -1);
	} else if (strcmp(verb, "restore") == 0) {
		fake_mend(f, a);
		fake_send(f, id, json_object(), -1);
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
		a->gone = false;
		fake_mend(f, a);
		json_decref(a->spec);
		a->spec = json_deep_copy(request);
		json_object_del(a->spec, "id");
		json_object_del(a->spec, "verb");
		snprintf(a->system, sizeof(a->system), "%s",
			 json_string_value(json_object_get(request, "system")));
		if (fails) {
			_cleanup_free_ char *path = str_format("%s/fail-switch", f->dir);

			(void)unlink(path); /* once: the way back works */
			fake_send(f, id,
				  json_pack("{s:b,s:s}", "partial", 1, "said",
					    "stopping\nno \x1b[1mway\nof starting"),
				  -1);
			fake_send(f, id, fake_failure(EIO, "READY never came"), -1);
		} else {
			fake_send(f, id,
				  json_pack("{s:i,s:i}", "leader", 4242, "downtime_ms", 7), -1);
		}
	} else if (strcmp(verb, "inspect") == 0) {
		json_t *list = json_array();

		for (int i = 0; i < FAKE_AGENTS && f->agents[i].name[0]; i++)
			if (name ? strcmp(name, f->agents[i].name) == 0 : !f->agents[i].gone)
				json_array_append_new(list, fake_entry(f, &f->agents[i],
								       name != NULL));
		fake_put_stray(f, list);
		fake_send(f, id, json_pack("{s:o}", "agents", list), -1);
	} else if (strcmp(verb, "stop") == 0 || strcmp(verb, "destroy") == 0 ||
		   strcmp(verb, "purge") == 0) {
		a->running = false;
		a->gone = strcmp(verb, "stop") != 0;
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

static void fake_load_world(struct fake *f)
{
	_cleanup_free_ char *path = str_format("%s/world", f->dir);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char spec[4096];
	int running;

	for (int i = 0; file && i < FAKE_AGENTS; i++) {
		struct fake_agent *a = &f->agents[i];

		if (fscanf(file, "%39s %255s %d %4095[^\n]", a->name, a->system, &running,
			   spec) != 4)
			break;
		a->running = running;
		(void)json_parse(spec, strlen(spec), &a->spec, NULL);
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
		json_decref(request);
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		while (waitpid(-1, NULL, WNOHANG) > 0) {
			/* readers that have ended */
		}
	}
}
