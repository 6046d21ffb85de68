/*
 * A stand-in for skep-exec with containers that exist in variables alone, for hives of more
 * agents than the machine holds. What is done in repositories is done for real: `seed` and
 * `export` start the real skep-export. Starts as skepd's parent starts skep-exec; the agents
 * that run from the beginning are named in STATE/stand-in ("name system" per line).
 */
#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sock.h"
#include "host/message.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIST_MAX_BYTES (1 << 20)
#define LEADER 4242

struct container {
	char *name, *system;
	bool running;
};

struct stand_in {
	const char *state, *runtime;
	char *program_dir;
	int channel;
	struct container *containers;
	size_t n, room;
};

static struct container *find(struct stand_in *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->containers[i].name, name) == 0)
			return &s->containers[i];
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->containers = mem_grow(s->containers, s->room, sizeof(*s->containers));
	}
	s->containers[s->n] = (struct container){.name = str_dup(name), .system = str_dup("")};
	return &s->containers[s->n++];
}

static void run(struct container *c, const char *system)
{
	free(c->system);
	c->system = str_dup(system ? system : "");
	c->running = true;
}

static void load(struct stand_in *s)
{
	_cleanup_free_ char *path = str_format("%s/stand-in", s->state);
	_cleanup_buf_ struct buf text = {};
	char *at, *line, *rest;

	if (file_read(AT_FDCWD, path, LIST_MAX_BYTES, &text, NULL) < 0)
		return;
	for (at = text.data; at && (line = strtok_r(at, "\n", &rest)); at = NULL) {
		char *space = strchr(line, ' ');

		if (!space)
			continue;
		*space = '\0';
		run(find(s, line), space + 1);
	}
}

static void answer(const struct stand_in *s, json_int_t id, json_t *object, int fd)
{
	json_object_set_new(object, "id", json_integer(id));
	if (!json_object_get(object, "ok"))
		json_object_set_new(object, "ok", json_true());
	if (message_send(s->channel, object, &fd, fd >= 0 ? 1 : 0) < 0)
		fprintf(stderr, "stand-in: an answer could not be sent\n");
	json_decref(object);
}

static json_t *failure(int errnum, const char *text)
{
	return json_pack("{s:b,s:i,s:s}", "ok", 0, "errno", errnum, "error", text);
}

static json_t *entry(const struct container *c)
{
	return json_pack("{s:s,s:s,s:s,s:i,s:[]}", "agent", c->name, "state",
			 c->running ? "running" : "stopped", "system",
			 c->running ? c->system : "", "leader", c->running ? LEADER : 0,
			 "failed_units");
}

static json_t *inspect(struct stand_in *s, const char *name)
{
	json_t *list = json_array();

	if (name)
		json_array_append_new(list, entry(find(s, name)));
	for (size_t i = 0; !name && i < s->n; i++)
		json_array_append_new(list, entry(&s->containers[i]));
	return json_pack("{s:o}", "agents", list);
}

static json_t *usage(const struct stand_in *s)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < s->n; i++)
		if (s->containers[i].running)
			json_array_append_new(rows,
					      json_pack("{s:s,s:i,s:i,s:i}", "agent",
							s->containers[i].name, "memory_bytes",
							1048576, "tasks", 7, "cpu_usec", 1000));
	return json_pack("{s:o}", "usage", rows);
}

/* ---- what the real skep-export does ---- */

/* Starts it and waits; input is what it reads (NULL: nothing), stream its descriptor 3. */
static int run_export(const struct stand_in *s, const char *verb, const char *dir, uid_t owner,
		      const json_t *input, int stream)
{
	_cleanup_free_ char *path = str_format("%s/skep-export", s->program_dir);
	_cleanup_free_ char *uid = str_format("%u", owner);
	_cleanup_free_ char *text = input ? json_line(input) : NULL;
	const char *argv[] = {"skep-export", verb, "--uid", uid, "--gid", uid, NULL};
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int in = memfd_create("request", MFD_CLOEXEC), pidfd = -1;
	struct child_fd fds[] = {{dir_fd, 4}, {in, 0}, {stream, 3}};
	struct child_spec spec = {.path = path,
				  .argv = argv,
				  .fds = fds,
				  .n_fds = stream >= 0 ? 3 : 2};
	struct child_exit exit;
	pid_t pid;

	if (dir_fd < 0 || in < 0 || (text && file_write_all(in, text, strlen(text)) < 0) ||
	    lseek(in, 0, SEEK_SET) < 0 || child_spawn(&spec, &pid, &pidfd, NULL) < 0 ||
	    child_wait(pidfd, -1, &exit) < 0)
		return -EIO;
	return exit.signaled || exit.status != 0 ? -EIO : 0;
}

static json_t *seed(const struct stand_in *s, const json_t *request, const char *name)
{
	_cleanup_free_ char *dir = str_format("%s/proposed/%s", s->state, name);
	uid_t owner = (uid_t)json_integer_value(json_object_get(request, "owner"));
	json_t *input;
	int r;

	if (mkdir(dir, 0700) < 0)
		return errno == EEXIST ? json_object() : failure(errno, "cannot seed");
	if (chown(dir, owner, owner) < 0)
		return failure(errno, "cannot give the repository away");
	input = json_pack("{s:O,s:O,s:O}", "files", json_object_get(request, "files"), "url",
			  json_object_get(request, "url"), "time",
			  json_object_get(request, "time"));
	r = run_export(s, "seed", dir, owner, input, -1);
	json_decref(input);
	return r < 0 ? failure(-r, "skep-export failed") : json_object();
}

/* In a process of its own: skepd asks on meanwhile. */
static void export(const struct stand_in *s, const json_t *request, const char *name,
		   json_int_t id, int stream)
{
	_cleanup_free_ char *dir = str_format("%s/proposed/%s", s->state, name);
	uid_t owner = (uid_t)json_integer_value(json_object_get(request, "owner"));

	fflush(NULL);
	if (fork() != 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	answer(s, id,
	       run_export(s, "serve", dir, owner, NULL, stream) < 0
		       ? failure(EIO, "skep-export failed")
		       : json_object(),
	       -1);
	_exit(0);
}

/* ---- the verbs ---- */

static json_t *agent_socket(const struct stand_in *s, const json_t *request, const char *name,
			    int *ret_fd)
{
	_cleanup_free_ char *dir = str_format("%s/agents/%s", s->runtime, name);
	_cleanup_free_ char *path = str_format("%s/agent.sock", dir);
	uid_t uid = (uid_t)json_integer_value(json_object_get(request, "uid_base"));

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return failure(errno, "cannot make the socket's directory");
	*ret_fd = sock_listen(path, SOCK_STREAM, 0600, uid, uid, NULL);
	return *ret_fd < 0 ? failure(-*ret_fd, "cannot listen") : json_object();
}

static json_t *do_verb(struct stand_in *s, const char *verb, const char *name,
		       const json_t *request, int *ret_fd)
{
	const char *what = json_string_value(json_object_get(request, "what"));

	if (strcmp(verb, "hello") == 0)
		return json_pack("{s:s,s:{s:b,s:b,s:b}}", "mode", "standalone", "limits",
				 "memory", 1, "cpu", 1, "tasks", 1);
	if (strcmp(verb, "inspect") == 0)
		return inspect(s, name);
	if (strcmp(verb, "observe") == 0)
		return what && strcmp(what, "usage") == 0 ? usage(s) : json_object();
	if (strcmp(verb, "retain") == 0)
		return json_pack("{s:i}", "removed", 0);
	if (!name)
		return json_object();
	if (strcmp(verb, "seed") == 0)
		return seed(s, request, name);
	if (strcmp(verb, "agent-socket") == 0)
		return agent_socket(s, request, name, ret_fd);
	if (strcmp(verb, "build") == 0)
		return json_pack("{s:O}", "system", json_object_get(request, "tree"));
	if (strcmp(verb, "start") == 0 || strcmp(verb, "switch") == 0) {
		run(find(s, name), json_string_value(json_object_get(request, "system")));
		return json_pack("{s:i,s:i,s:i}", "leader", LEADER, "boot_ms", 0, "downtime_ms",
				 0);
	}
	if (strcmp(verb, "stop") == 0 || strcmp(verb, "destroy") == 0 ||
	    strcmp(verb, "purge") == 0)
		find(s, name)->running = false;
	return json_object();
}

static void serve(struct stand_in *s)
{
	for (;;) {
		int fds[SOCK_MAX_FDS], out = -1;
		json_t *request = NULL, *done;
		size_t n_fds = 0;
		const char *verb, *name;
		json_int_t id;

		if (message_receive(s->channel, &request, fds, &n_fds, NULL) <= 0)
			return;
		verb = json_string_value(json_object_get(request, "verb"));
		name = json_string_value(json_object_get(request, "agent"));
		id = json_integer_value(json_object_get(request, "id"));
		if (verb && name && strcmp(verb, "export") == 0 && n_fds == 1) {
			export(s, request, name, id, fds[0]);
		} else if (verb) {
			done = do_verb(s, verb, name, request, &out);
			answer(s, id, done, out);
		}
		if (out >= 0)
			(void)close(out);
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		json_decref(request);
		while (waitpid(-1, NULL, WNOHANG) > 0) {
			/* exports that have ended */
		}
	}
}

int main(int argc, char **argv)
{
	struct stand_in s = {.channel = -1};

	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--state") == 0)
			s.state = argv[i + 1];
		else if (strcmp(argv[i], "--runtime") == 0)
			s.runtime = argv[i + 1];
		else if (strcmp(argv[i], "--channel-fd") == 0)
			s.channel = atoi(argv[i + 1]);
	}
	if (!s.state || !s.runtime || s.channel < 0) {
		fprintf(stderr, "usage: as skepd starts skep-exec\n");
		return 2;
	}
	s.program_dir = file_program_dir();
	message_prepare(s.channel);
	load(&s);
	serve(&s);
	return 0;
}
