#include "skep-exec/client.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/sock.h"
#include "host/message.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	struct loop *loop;
	int fd, listen_fd;
	struct watch *watch, *listen_watch;
	struct outbox *outbox;
	uid_t uid;
	const struct client_ops *ops;
	void *data;
};

static void drop(struct client *c)
{
	watch_free(c->watch);
	c->watch = NULL;
	closep(&c->fd);
	c->fd = -1;
	outbox_free(c->outbox);
	c->outbox = outbox_new();
}

static void on_unsent(const json_t *message, int errnum, void *data)
{
	(void)message;
	(void)data;
	/* A connection that has just broken is noticed by reading from it. */
	if (errnum != EPIPE && errnum != ECONNRESET)
		log_line(LOG_ERR, "cannot send an answer: %s", strerror(errnum));
}

static void flush(struct client *c)
{
	bool left = outbox_flush(c->outbox, c->fd, on_unsent, c);

	watch_set(c->watch, true, left);
}

static void on_ready(int fd, bool readable, bool writable, void *data)
{
	struct client *c = data;
	struct error err = {};
	int fds[SOCK_MAX_FDS];
	json_t *message = NULL;
	size_t n_fds = 0;
	int r;

	if (writable)
		flush(c);
	if (!readable)
		return;
	r = message_receive(fd, &message, fds, &n_fds, &err);
	if (r == -EAGAIN)
		return;
	if (r <= 0) {
		if (r < 0)
			log_line(LOG_ERR, "the connection to skepd is broken: %s",
				 r == -EBADMSG ? error_text(&err) : strerror(-r));
		drop(c);
		c->ops->on_gone(c->data);
		return;
	}
	c->ops->on_request(message, fds, n_fds, c->data);
	for (size_t i = 0; i < n_fds; i++)
		(void)close(fds[i]);
	json_decref(message);
}

static void take(struct client *c, int fd)
{
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	message_prepare(fd);
	c->fd = fd;
	c->watch = loop_watch(c->loop, fd, true, false, on_ready, c);
}

/* Its end of file may be waiting behind the new connection. */
static bool is_dead(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void on_connection(int listen_fd, bool readable, bool writable, void *data)
{
	_cleanup_close_ int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *c = data;
	struct error err = {};
	uid_t uid = 0;
	gid_t gid;
	pid_t pid = 0;

	(void)readable;
	(void)writable;
	if (fd < 0)
		return;
	if (sock_peer(fd, &uid, &gid, &pid, &err) < 0) {
		log_line(LOG_ERR, "%s", error_text(&err));
		return;
	}
	if (uid != c->uid) {
		log_line(LOG_WARNING, "refused a connection of uid %u, process %d",
			 (unsigned)uid, (int)pid);
		return;
	}
	if (c->fd >= 0 && !is_dead(c->fd)) {
		log_line(LOG_WARNING, "refused a second connection, of process %d", (int)pid);
		return;
	}
	if (c->fd >= 0) {
		drop(c);
		c->ops->on_gone(c->data);
	}
	take(c, TAKE_FD(fd));
}

struct client *client_new(struct loop *loop, int connected_fd, int listen_fd, uid_t uid,
			  const struct client_ops *ops, void *data)
{
	struct client *c = mem_new(1, sizeof(*c));

	c->loop = loop;
	c->fd = -1;
	c->listen_fd = listen_fd;
	c->uid = uid;
	c->ops = ops;
	c->data = data;
	c->outbox = outbox_new();
	if (connected_fd >= 0)
		take(c, connected_fd);
	if (listen_fd >= 0) {
		(void)fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);
		c->listen_watch = loop_watch(loop, listen_fd, true, false, on_connection, c);
	}
	return c;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	drop(c);
	outbox_free(c->outbox);
	watch_free(c->listen_watch);
	closep(&c->listen_fd);
	free(c);
}

void client_send(struct client *c, json_t *message, const int *fds, size_t n_fds)
{
	int r;

	if (c->fd < 0) {
		json_decref(message);
		return;
	}
	r = outbox_add(c->outbox, message, fds, n_fds);
	if (r < 0)
		log_line(LOG_ERR, "cannot keep an answer's descriptor: %s", strerror(-r));
	flush(c);
}
