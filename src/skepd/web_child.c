#include "skepd/web_child.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG 128
#define RESTART_MIN_MS 1000
#define RESTART_MAX_MS 30000
#define LIVED_MS 10000 /* who lived so long is started again soon */

struct web_child {
	struct loop *loop;
	const struct config *config;
	char *program, *socket;
	int fds[2]; /* 127.0.0.1, ::1; −1: a machine without it */
	struct child *child;
	struct timer *timer;
	int64_t started_ms, wait_ms;
};

static void start(void *data);

/* Never SO_REUSEPORT: others could share the port then. */
static int bind_to(const struct sockaddr *address, socklen_t size)
{
	_cleanup_close_ int fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, address, size) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Both addresses or none: a browser that is told "localhost" may try either, and must find us
 * on both. */
static int bind_port(struct web_child *web)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
				 .sin_port = htons(web->config->dashboard_port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(web->config->dashboard_port),
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	web->fds[0] = bind_to((struct sockaddr *)&v4, sizeof(v4));
	if (web->fds[0] < 0)
		return web->fds[0];
	web->fds[1] = bind_to((struct sockaddr *)&v6, sizeof(v6));
	if (web->fds[1] == -EADDRNOTAVAIL || web->fds[1] == -EAFNOSUPPORT)
		web->fds[1] = -1;
	return web->fds[1] < -1 ? web->fds[1] : 0;
}

static void on_ended(const struct child_exit *exit, const struct buf *output, void *data)
{
	struct web_child *web = data;
	char how[64];

	(void)output;
	web->child = NULL;
	if (clock_boot_ms() - web->started_ms > LIVED_MS)
		web->wait_ms = RESTART_MIN_MS;
	log_line(LOG_ERR, "skep-web %s; starting it again in %lld s",
		 child_exit_text(how, exit), (long long)web->wait_ms / 1000);
	web->timer = loop_timer(web->loop, web->wait_ms, start, web);
	web->wait_ms = web->wait_ms * 2 > RESTART_MAX_MS ? RESTART_MAX_MS : web->wait_ms * 2;
}

static void start(void *data)
{
	struct web_child *web = data;
	_cleanup_free_ char *uid = str_format("%u", web->config->web_uid);
	bool both = web->fds[1] >= 0;
	const char *argv[] = {"skep-web",
			      "--socket",
			      web->socket,
			      "--uid",
			      uid,
			      "--gid",
			      uid,
			      "--listen-fd",
			      "3",
			      both ? "--listen-fd" : NULL,
			      both ? "4" : NULL,
			      NULL};
	struct child_fd fds[] = {{STDERR_FILENO, STDERR_FILENO},
				 {web->fds[0], 3},
				 {web->fds[1], 4}};
	struct child_spec spec = {.path = web->program,
				  .argv = argv,
				  .fds = fds,
				  .n_fds = both ? 3 : 2,
				  .new_session = true};
	struct error err = {};

	web->timer = NULL;
	web->started_ms = clock_boot_ms();
	if (child_start(web->loop, &spec, 0, 0, on_ended, web, &web->child, &err) < 0)
		log_line(LOG_ERR, "the dashboard is not served: %s", error_text(&err));
}

struct web_child *web_child_new(struct loop *loop, const struct config *config,
				const char *program_dir)
{
	struct web_child *web = mem_new(1, sizeof(*web));
	int r;

	web->loop = loop;
	web->config = config;
	web->program = str_format("%s/skep-web", program_dir);
	web->socket = str_format("%s/web.sock", config->runtime_dir);
	web->wait_ms = RESTART_MIN_MS;
	web->fds[0] = web->fds[1] = -1;
	if (access(web->program, X_OK) < 0) {
		log_line(LOG_NOTICE, "the dashboard is not served: there is no '%s'",
			 web->program);
		web_child_free(web);
		return NULL;
	}
	r = bind_port(web);
	if (r < 0) {
		log_line(LOG_WARNING,
			 "the dashboard is not served: cannot listen on port %u of 127.0.0.1 "
			 "and ::1: %s; "
			 "free it, or set 'dashboard_port'",
			 config->dashboard_port, strerror(-r));
		web_child_free(web);
		return NULL;
	}
	start(web);
	return web;
}

void web_child_free(struct web_child *web)
{
	if (!web)
		return;
	timer_cancel(web->timer);
	child_free(web->child);
	closep(&web->fds[0]);
	closep(&web->fds[1]);
	free(web->program);
	free(web->socket);
	free(web);
}
