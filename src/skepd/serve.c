#include "skepd/serve.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/sock.h"
#include "control/server.h"
#include "control/start.h"
#include "git/repo.h"

#include <systemd/sd-daemon.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define WEB_USER "skep-web" /* under systemd: its unit's */

struct daemon {
	const struct options *options;
	struct loop *loop;
	struct hive *hive;
	int operator_fd, read_fd, web_fd;
	int64_t admin_gid, read_gid, web_uid;
	int64_t watchdog_ms;
	int spare_fd; /* given up while systemd is told that all is well; -1: none */
	int result;
	struct error *err;
};

static void end(struct daemon *d, int r)
{
	d->result = r;
	loop_stop(d->loop);
}

/* ---- what was handed over ---- */

/* Under systemd the groups have names; a group that does not exist gives nobody anything. */
static int64_t find_group(const char *name)
{
	struct group *group = getgrnam(name);

	return group ? (int64_t)group->gr_gid : -1;
}

/* The same for the one user skep-web runs as. */
static int64_t find_user(const char *name)
{
	struct passwd *user = getpwnam(name);

	return user ? (int64_t)user->pw_uid : -1;
}

static void take_listen_fds(struct daemon *d, struct hive *hive)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (strcmp(names[i], "operator") == 0)
			d->operator_fd = fd;
		else if (strcmp(names[i], "read") == 0)
			d->read_fd = fd;
		else if (strcmp(names[i], "web") == 0)
			d->web_fd = fd;
		else if (strncmp(names[i], "agent-", 6) == 0 && hive_find(hive, names[i] + 6))
			server_serve_agent(hive, hive_find(hive, names[i] + 6), fd);
		else
			(void)close(fd);
		free(names[i]);
	}
	free(names);
}

static int open_channel(struct daemon *d)
{
	const struct config *config = &d->options->config;
	_cleanup_free_ char *path = str_format("%s/exec.sock", config->runtime_dir);
	int fd = d->options->channel_fd;

	if (fd < 0)
		fd = sock_connect(path, SOCK_SEQPACKET, d->err);
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		error_hint(d->err, "start skep-exec.socket, or run skepd --standalone as root");
	return fd;
}

/* ---- signals and the watchdog ---- */

static void on_down(struct hive *hive)
{
	end(hive->program, 0);
}

static void on_signal(int signum, void *data)
{
	struct daemon *d = data;

	(void)signum;
	if (d->hive->stopping)
		return;
	log_line(LOG_INFO, "going down");
	sd_notify(0, "STOPPING=1");
	start_stop(d->hive, d->options->channel_fd >= 0, on_down);
}

/* The agents' sockets outlive a restart in systemd's descriptor store. */
static void keep_socket(struct hive *hive, const char *agent, int fd)
{
	char state[AGENT_NAME_MAX + 64];

	(void)hive;
	snprintf(state, sizeof(state), "%s=1\nFDNAME=agent-%s",
		 fd >= 0 ? "FDSTORE" : "FDSTOREREMOVE", agent);
	(void)sd_pid_notify_with_fds(0, 0, state, fd >= 0 ? &fd : NULL, fd >= 0 ? 1 : 0);
}

static int take_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Telling systemd takes a descriptor, and who has not been heard of for a while is ended: also
 * when people have taken all others. */
static void on_watchdog(void *data)
{
	struct daemon *d = data;

	closep(&d->spare_fd);
	sd_notify(0, "WATCHDOG=1");
	d->spare_fd = take_spare();
	(void)loop_timer(d->loop, d->watchdog_ms, on_watchdog, d);
}

static void on_gone(void *data)
{
	struct hive *hive = data;
	struct daemon *d = hive->program;

	if (!hive->stopping)
		error_set(d->err, EPIPE,
			  "skep-exec is gone; everything owed is resumed at the next start");
	end(d, hive->stopping ? 0 : -EPIPE);
}

static void on_ready(struct hive *hive, const struct error *err)
{
	struct daemon *d = hive->program;
	uint64_t usec = 0;

	if (err) {
		*d->err = *err;
		end(d, err->err ? err->err : -EIO);
		return;
	}
	if (d->operator_fd >= 0)
		server_listen(hive->server, d->operator_fd, PRINCIPAL_OPERATOR, d->admin_gid);
	if (d->read_fd >= 0)
		server_listen(hive->server, d->read_fd, PRINCIPAL_READER, d->read_gid);
	if (d->web_fd >= 0 && d->web_uid >= 0)
		server_listen_web(hive->server, d->web_fd, (uid_t)d->web_uid);
	if (sd_watchdog_enabled(0, &usec) > 0) {
		d->watchdog_ms = (int64_t)(usec / 2000);
		on_watchdog(d);
	}
	sd_notifyf(0, "READY=1\nSTATUS=%zu agents", hive->n_agents);
	if (d->options->ready_fd >= 0) {
		(void)file_write_all(d->options->ready_fd, "1", 1);
		(void)close(d->options->ready_fd);
	}
	log_line(LOG_INFO, "serving %zu agents (%s)", hive->n_agents, hive->mode);
}

/* ---- the list ---- */

static int refuse_no_socket(struct error *err)
{
	return error_set(err, EINVAL,
			 "no operator socket was handed over: start skepd.socket, or run "
			 "skepd --standalone as root");
}

static int run(struct daemon *d)
{
	const struct config *config = &d->options->config;
	_cleanup_free_ char *lock_path = str_format("%s/audit/lock", config->state_dir);
	_cleanup_close_ int lock_fd = -1;
	int channel, r;

	/* started by hand: said before anything else is found missing */
	if (d->operator_fd < 0 && sd_listen_fds(0) <= 0)
		return refuse_no_socket(d->err);
	lock_fd = file_lock(lock_path, d->err);
	if (lock_fd < 0)
		return lock_fd;
	if ((r = git_setup(true, d->err)) < 0 || (r = start_load(d->hive, d->err)) < 0)
		return r;
	take_listen_fds(d, d->hive);
	if (d->operator_fd < 0)
		return refuse_no_socket(d->err);
	channel = open_channel(d);
	if (channel < 0)
		return channel;
	d->hive->executor = executor_new(d->loop, channel, start_on_event, on_gone, d->hive);
	if ((r = loop_signal(d->loop, SIGTERM, on_signal, d)) < 0 ||
	    (r = loop_signal(d->loop, SIGINT, on_signal, d)) < 0)
		return error_set_errno(d->err, -r, "cannot watch signals");
	start_serve(d->hive, on_ready);
	r = loop_run(d->loop);
	return r < 0 ? error_set_errno(d->err, -r, "the event loop failed") : d->result;
}

/* Every client, agent's socket and running command takes some; select(2) is used nowhere. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(const struct options *options, struct error *err)
{
	const struct config *config = &options->config;
	struct daemon d = {
		.options = options,
		.operator_fd = options->operator_fd,
		.read_fd = options->read_fd,
		.web_fd = options->web_fd,
		.admin_gid = config->admin_gid,
		.read_gid = config->read_gid,
		.web_uid = config->web_uid,
		.spare_fd = take_spare(),
		.err = err,
	};
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(0027);
	raise_descriptors();
	if (options->channel_fd < 0) {
		d.admin_gid = find_group(config->admin_group);
		d.read_gid = find_group(config->read_group);
		d.web_uid = find_user(WEB_USER);
	}
	d.loop = loop_new();
	if (!d.loop)
		return error_set(err, EMFILE, "cannot make an event loop");
	d.hive = hive_new(d.loop, config, clock_wall_s);
	if (options->templates_fd >= 0)
		d.hive->templates_fd = fcntl(options->templates_fd, F_DUPFD_CLOEXEC, 3);
	d.hive->program = &d;
	d.hive->keep_socket = keep_socket;
	r = run(&d);
	/* the process ends here: what is still open is the kernel's to close */
	return r;
}
