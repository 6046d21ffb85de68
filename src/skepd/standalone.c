#include "skepd/standalone.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/sock.h"
#include "skepd/web_child.h"

#include <systemd/sd-daemon.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESTART_MS 1000
#define EXEC_GRACE_MS 5000

struct pair {
	const struct options *options;
	struct loop *loop;
	char *program_dir;
	int operator_fd, read_fd, web_fd, lock_fd;
	struct child *skepd, *exec;
	struct web_child *web;
	struct watch *ready_watch;
	int ready_fd;
	bool was_ready, stopping;
	struct timer *timer;
	int result;
	struct error *err;
};

static void start_pair(void *data);

/* ---- directories and sockets ---- */

static int make_state(const struct config *c, struct error *err)
{
	static const struct {
		const char *name;
		mode_t mode;
		bool skeps;
	} dirs[] = {
		{"applied", 02750, true}, {"meta", 02750, true},     {"logs", 0750, true},
		{"audit", 0750, true},    {"proposed", 0755, false}, {"agents", 0755, false},
		{"systems", 0755, false}, {"roots", 0700, false},
	};
	_cleanup_close_ int fd = -1;
	int r = file_make_path(c->state_dir, 0755, err);

	if (r < 0)
		return r;
	fd = open(c->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, errno, "cannot open '%s'", c->state_dir);
	for (size_t i = 0; i < ARRAY_SIZE(dirs) && r == 0; i++)
		r = file_make_dir(fd, dirs[i].name, dirs[i].mode,
				  dirs[i].skeps ? c->skep_uid : 0,
				  dirs[i].skeps ? c->build_uid : 0, err);
	return r;
}

static int make_runtime(struct pair *p)
{
	const struct config *c = &p->options->config;
	_cleanup_free_ char *operator= str_format("%s/operator.sock", c->runtime_dir);
	_cleanup_free_ char *read = str_format("%s/read.sock", c->runtime_dir);
	_cleanup_free_ char *web = str_format("%s/web.sock", c->runtime_dir);
	_cleanup_free_ char *lock = str_format("%s/lock", c->runtime_dir);
	_cleanup_close_ int fd = -1;
	int r = file_make_path(c->runtime_dir, 0751, p->err);

	if (r < 0)
		return r;
	fd = open(c->runtime_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(p->err, errno, "cannot open '%s'", c->runtime_dir);
	if ((r = file_make_dir(fd, "agents", 0755, 0, 0, p->err)) < 0)
		return r;
	p->lock_fd = file_lock(lock, p->err);
	if (p->lock_fd == -EBUSY)
		return error_set(p->err, EBUSY, "a hive runs with '%s' already",
				 c->runtime_dir);
	if (p->lock_fd < 0)
		return p->lock_fd;
	p->operator_fd = sock_listen(operator, SOCK_STREAM, c->admin_gid < 0 ? 0600 : 0660, 0,
				     c->admin_gid < 0 ? 0 : (gid_t)c->admin_gid, p->err);
	if (p->operator_fd < 0)
		return p->operator_fd;
	p->read_fd = sock_listen(read, SOCK_STREAM, c->read_gid < 0 ? 0600 : 0660, 0,
				 c->read_gid < 0 ? 0 : (gid_t)c->read_gid, p->err);
	if (p->read_fd < 0)
		return p->read_fd;
	p->web_fd = sock_listen(web, SOCK_STREAM, 0600, c->web_uid, c->web_uid, p->err);
	return p->web_fd < 0 ? p->web_fd : 0;
}

/* ---- the two children ---- */

static void end(struct pair *p, int r)
{
	p->result = r;
	loop_stop(p->loop);
}

static void on_exec_late(void *data)
{
	struct pair *p = data;

	p->timer = NULL;
	child_free(p->exec);
	p->exec = NULL;
	end(p, p->result);
}

/* One of the two ended. The other is ended too; then both are begun again, unless nothing ever
 * worked or we go down. */
static void one_ended(struct pair *p)
{
	if (p->skepd || p->exec) {
		if (p->exec && !p->skepd) {
			(void)kill(child_pid(p->exec), SIGTERM);
			if (!p->timer)
				p->timer = loop_timer(p->loop, EXEC_GRACE_MS, on_exec_late, p);
		}
		return; /* skepd notices by itself that its channel is gone */
	}
	timer_cancel(p->timer);
	p->timer = NULL;
	if (p->stopping || !p->was_ready) {
		end(p, p->result);
		return;
	}
	log_line(LOG_WARNING, "starting again");
	p->timer = loop_timer(p->loop, RESTART_MS, start_pair, p);
}

static void on_skepd_exit(const struct child_exit *exit, const struct buf *output, void *data)
{
	struct pair *p = data;
	char how[64];

	(void)output;
	p->skepd = NULL;
	if (exit->signaled || exit->status != 0) {
		log_line(LOG_ERR, "skepd %s", child_exit_text(how, exit));
		p->result = error_set(p->err, EIO, "skepd %s", child_exit_text(how, exit));
	}
	one_ended(p);
}

static void on_exec_exit(const struct child_exit *exit, const struct buf *output, void *data)
{
	struct pair *p = data;
	char how[64];

	(void)output;
	p->exec = NULL;
	if (!p->stopping && (exit->signaled || exit->status != 0))
		log_line(LOG_ERR, "skep-exec %s", child_exit_text(how, exit));
	one_ended(p);
}

static void on_ready(int fd, bool readable, bool writable, void *data)
{
	struct pair *p = data;
	char byte;

	(void)readable;
	(void)writable;
	if (read(fd, &byte, 1) == 1) {
		if (!p->was_ready)
			sd_notify(0, "READY=1");
		p->was_ready = true;
		p->result = 0;
	}
	watch_free(p->ready_watch);
	p->ready_watch = NULL;
	closep(&p->ready_fd);
	p->ready_fd = -1;
}

static int start_exec(struct pair *p, int channel)
{
	const struct config *c = &p->options->config;
	_cleanup_free_ char *path = str_format("%s/skep-exec", p->program_dir);
	_cleanup_free_ char *skep = str_format("%u", c->skep_uid),
			    *build = str_format("%u", c->build_uid);
	const char *argv[] = {"skep-exec",  "--channel-fd", "3",           "--standalone",
			      "--state",    c->state_dir,   "--runtime",   c->runtime_dir,
			      "--skep-uid", skep,           "--build-uid", build,
			      NULL};
	struct child_fd fds[] = {{channel, 3}, {STDERR_FILENO, STDERR_FILENO}};
	struct child_spec spec = {
		.path = path, .argv = argv, .fds = fds, .n_fds = 2, .new_session = true};

	return child_start(p->loop, &spec, 0, 0, on_exec_exit, p, &p->exec, p->err);
}

static int start_skepd(struct pair *p, int channel, int ready)
{
	const struct options *o = p->options;
	_cleanup_free_ char *path = str_format("%s/skepd", p->program_dir);
	const char *argv[] = {"skepd",
			      "--state",
			      o->config.state_dir,
			      "--runtime",
			      o->config.runtime_dir,
			      "--channel-fd",
			      "3",
			      "--operator-fd",
			      "4",
			      "--read-fd",
			      "5",
			      "--ready-fd",
			      "6",
			      "--web-fd",
			      "7",
			      o->config_file ? "--config" : NULL,
			      o->config_file,
			      NULL};
	struct child_fd fds[] = {{channel, 3},    {p->operator_fd, 4},
				 {p->read_fd, 5}, {ready, 6},
				 {p->web_fd, 7},  {STDERR_FILENO, STDERR_FILENO}};
	struct child_spec spec = {
		.path = path, .argv = argv, .fds = fds, .n_fds = 6, .new_session = true};

	return child_start(p->loop, &spec, 0, 0, on_skepd_exit, p, &p->skepd, p->err);
}

static void start_pair(void *data)
{
	struct pair *p = data;
	int channel[2] = {-1, -1}, ready[2] = {-1, -1}, r;

	p->timer = NULL;
	r = sock_pair(SOCK_SEQPACKET, channel, p->err);
	if (r == 0 && pipe2(ready, O_CLOEXEC) < 0)
		r = error_set_errno(p->err, errno, "cannot make a pipe");
	if (r == 0)
		r = start_exec(p, channel[0]);
	if (r == 0)
		r = start_skepd(p, channel[1], ready[1]);
	closep(&channel[0]);
	closep(&channel[1]);
	closep(&ready[1]);
	if (r < 0) {
		closep(&ready[0]);
		child_free(p->exec);
		p->exec = NULL;
		end(p, r);
		return;
	}
	p->ready_fd = ready[0];
	p->ready_watch = loop_watch(p->loop, ready[0], true, false, on_ready, p);
}

static void on_signal(int signum, void *data)
{
	struct pair *p = data;

	(void)signum;
	if (p->stopping)
		return;
	p->stopping = true;
	sd_notify(0, "STOPPING=1");
	web_child_free(p->web);
	p->web = NULL;
	if (p->skepd)
		(void)kill(child_pid(p->skepd), SIGTERM);
	else if (!p->exec)
		end(p, 0);
}

int standalone(const struct options *options, struct error *err)
{
	struct pair p = {.options = options,
			 .operator_fd = -1,
			 .read_fd = -1,
			 .web_fd = -1,
			 .ready_fd = -1,
			 .lock_fd = -1};
	int r;

	p.err = err;
	if (geteuid() != 0)
		return error_set(err, EPERM, "--standalone must be started as root");
	(void)signal(SIGPIPE, SIG_IGN);
	p.loop = loop_new();
	p.program_dir = file_program_dir();
	if (!p.loop)
		return error_set(err, EMFILE, "cannot make an event loop");
	if ((r = make_state(&options->config, err)) < 0 || (r = make_runtime(&p)) < 0)
		return r;
	if (loop_signal(p.loop, SIGTERM, on_signal, &p) < 0 ||
	    loop_signal(p.loop, SIGINT, on_signal, &p) < 0)
		return error_set(err, ENOMEM, "cannot watch signals");
	start_pair(&p);
	if (options->config.dashboard)
		p.web = web_child_new(p.loop, &options->config, p.program_dir);
	r = loop_run(p.loop);
	web_child_free(p.web);
	timer_cancel(p.timer);
	loop_free(p.loop);
	free(p.program_dir);
	return r < 0 ? error_set(err, EIO, "the event loop failed") : p.result;
}

int standalone_drop(const struct options *options, struct error *err)
{
	const struct config *c = &options->config;

	/* skep-build's group lets the builder read what skepd writes with the set-group-id bit
	 */
	if (setgroups(1, (gid_t[]){c->build_uid}) < 0 ||
	    setresgid(c->skep_uid, c->skep_uid, c->skep_uid) < 0 ||
	    setresuid(c->skep_uid, c->skep_uid, c->skep_uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_set_errno(err, errno, "cannot give up root");
	if (getppid() == 1)
		return error_set(err, ESRCH, "the process that started skepd is gone");
	return 0;
}
