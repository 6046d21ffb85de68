/* skep-web: the dashboard's server. No rights, no state, no way out but skepd's socket. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "skep-web/options.h"
#include "web/web.h"

#include <systemd/sd-daemon.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TOKEN_MIN 16
#define TOKEN_MAX 512

static int drop(const struct options *o, struct error *err)
{
	gid_t gid = (gid_t)o->gid;
	uid_t uid = (uid_t)o->uid;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set_errno(err, errno, "cannot give up privileges");
	if (o->uid < 0)
		return 0;
	/* Clients come to where the listeners were bound; nothing goes out from here. */
	if (unshare(CLONE_NEWNET) < 0)
		log_line(LOG_WARNING, "the dashboard's server keeps the machine's network: %s",
			 strerror(errno));
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_set_errno(err, errno, "cannot give up root");
	if (getppid() == 1)
		return error_set(err, ESRCH, "the process that started skep-web is gone");
	return 0;
}

/* The port a listening socket is bound to; 0: it has none. */
static uint16_t port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} address = {};
	socklen_t size = sizeof(address);

	if (getsockname(fd, &address.any, &size) < 0)
		return 0;
	if (address.any.sa_family == AF_INET)
		return ntohs(address.v4.sin_port);
	return address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port) : 0;
}

/* What browsers call us follows from the ports we were given. */
static int collect(struct options *o, struct web_config *config, struct error *err)
{
	uint16_t last = 0;
	int n = sd_listen_fds(1), r = 0;

	for (size_t i = 0; i < o->n_listeners; i++)
		config->listeners[config->n_listeners++] = o->listeners[i];
	for (int i = 0; i < n && config->n_listeners < WEB_LISTENERS_MAX; i++)
		config->listeners[config->n_listeners++] = SD_LISTEN_FDS_START + i;
	if (config->n_listeners == 0)
		return error_set(
			err, EINVAL,
			"no listening socket was handed over: start skep-web.socket, or run "
			"skepd --standalone as root");
	for (size_t i = 0; i < config->n_listeners && r == 0; i++) {
		uint16_t port = port_of(config->listeners[i]);

		if (port > 0 && port != last)
			r = site_add_port(&o->site, port, err);
		last = port;
	}
	config->site = &o->site;
	return r;
}

static int read_token(const char *path, struct buf *ret, struct error *err)
{
	int r = file_read(AT_FDCWD, path, TOKEN_MAX, ret, err);

	if (r < 0)
		return r;
	while (ret->size > 0 && strchr(" \t\r\n", ret->data[ret->size - 1]))
		buf_truncate(ret, ret->size - 1);
	if (ret->size < TOKEN_MIN)
		return error_set(err, EINVAL, "the token in '%s' has less than %d characters",
				 path, TOKEN_MIN);
	return 0;
}

/* Beside a program that was built but not installed, else where `make install` puts them. */
static char *find_files(const struct options *o)
{
	_cleanup_free_ char *dir = file_program_dir();
	_cleanup_free_ char *beside = str_format("%s/dashboard", dir);

	if (o->files)
		return str_dup(o->files);
	return str_dup(access(beside, R_OK | X_OK) == 0 ? beside : SKEP_DATADIR "/dashboard");
}

static void on_signal(int signum, void *data)
{
	(void)signum;
	sd_notify(0, "STOPPING=1");
	loop_stop(data);
}

static int serve(struct loop *loop, struct options *o, struct error *err)
{
	struct web_config config = {.socket = o->socket};
	_cleanup_free_ char *files = find_files(o);
	_cleanup_buf_ struct buf token = {};
	struct assets *assets = NULL;
	struct web *web = NULL;
	int r = 0;

	/* ours, and perhaps where only root may look */
	if (o->metrics_token_file && (r = read_token(o->metrics_token_file, &token, err)) < 0)
		return r;
	if (assets_load(files, &assets, err) < 0)
		log_line(LOG_WARNING, "serving no pages: %s", error_text(err));
	r = drop(o, err);
	if (r == 0)
		r = collect(o, &config, err);
	if (r < 0) {
		assets_free(assets);
		return r;
	}
	config.assets = assets;
	config.metrics_token = token.size > 0 ? buf_str(&token) : NULL;
	if ((r = loop_signal(loop, SIGTERM, on_signal, loop)) < 0 ||
	    (r = loop_signal(loop, SIGINT, on_signal, loop)) < 0)
		error_set_errno(err, -r, "cannot watch signals");
	else
		r = web_new(loop, &config, &web, err);
	if (r == 0) {
		sd_notify(0, "READY=1");
		r = loop_run(loop);
	}
	web_free(web);
	assets_free(assets);
	return r;
}

int main(int argc, char **argv)
{
	struct options options;
	struct error err = {};
	struct loop *loop;
	int r;

	log_open("skep-web");
	if (options_parse(argc, argv, &options, &err) < 0) {
		log_line(LOG_ERR, "%s", error_text(&err));
		return 2;
	}
	if (options.help || options.version) {
		(void)fputs(options.help ? options_usage : "skep-web " SKEP_VERSION "\n",
			    stdout);
		return 0;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	loop = loop_new();
	r = loop ? serve(loop, &options, &err)
		 : error_set(&err, EMFILE, "cannot make an event loop");
	loop_free(loop);
	if (r < 0)
		log_line(LOG_ERR, "%s", error_text(&err));
	return r < 0 ? 1 : 0;
}
