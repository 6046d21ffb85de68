#include "skep/client.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPERATOR_SOCKET "/run/skep/operator.sock"
#define AGENT_SOCKET "/run/hive/agent.sock"
#define REQUEST_MAX 65536
#define ANSWER_MAX (256u << 20)

const char *client_socket(const char *given)
{
	const char *env = getenv("SKEP_SOCKET");

	if (given)
		return given;
	if (env && env[0])
		return env;
	/* faccessat() follows the directory's rights, so a socket we may not even see counts as
	 * the operator's */
	if (access(OPERATOR_SOCKET, F_OK) == 0 || errno == EACCES ||
	    access(AGENT_SOCKET, F_OK) < 0)
		return OPERATOR_SOCKET;
	return AGENT_SOCKET;
}

bool client_is_agent_socket(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, "agent.sock") == 0;
}

bool client_has_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

static int explain_connect(const char *path, int r, struct error *err)
{
	switch (-r) {
	case EACCES:
	case EPERM:
		error_set_code(err, EACCES, "forbidden", "you may not use '%s'", path);
		error_hint(err, "join the group skep-admin and log in again");
		return -EACCES;
	case ENOENT:
		error_set_code(err, ENOENT, "unavailable",
			       "there is no socket '%s': the daemon is not running", path);
		error_hint(err, "%s, or name the socket with --socket or SKEP_SOCKET",
			   client_has_systemd() ? "systemctl start skepd"
						: "as root, skepd --standalone starts one");
		return -ENOENT;
	case ECONNREFUSED:
		error_set_code(err, ECONNREFUSED, "unavailable",
			       "nobody listens on '%s': the daemon is down", path);
		error_hint(err, "%s",
			   client_has_systemd()
				   ? "systemctl restart skepd; journalctl -u skepd tells "
				     "why it ended"
				   : "as root, skepd --standalone starts it again");
		return -ECONNREFUSED;
	default:
		return r;
	}
}

int client_open(const char *path, struct client *ret, struct error *err)
{
	int fd = sock_connect(path, SOCK_STREAM, err);

	if (fd < 0)
		return explain_connect(path, fd, err);
	*ret = (struct client){.fd = fd};
	return 0;
}

void client_close(struct client *client)
{
	for (size_t i = 0; i < client->n_fds; i++)
		(void)close(client->fds[i]);
	closep(&client->fd);
	buf_release(&client->in);
	*client = CLIENT_NONE;
}

static int lost(struct error *err)
{
	error_set_code(err, ECONNRESET, "unavailable",
		       "the daemon ended the connection without an answer");
	error_hint(err, "journalctl -u skepd tells why; what was asked may have been done");
	return -ECONNRESET;
}

int client_send(struct client *client, const json_t *request, const int *fds, size_t n_fds,
		struct error *err)
{
	_cleanup_free_ char *line = json_line(request);
	size_t size, sent = 0;

	if (!line)
		return error_set(err, EINVAL, "the request holds text that is not UTF-8");
	size = strlen(line);
	if (size >= REQUEST_MAX)
		return error_set(err, E2BIG, "the request is longer than %d bytes",
				 REQUEST_MAX);
	line[size++] = '\n'; /* over the NUL: from here on it is bytes */
	while (sent < size) {
		ssize_t n =
			sock_send(client->fd, line + sent, size - sent, fds, sent ? 0 : n_fds);

		/* what it said before it hung up is still to be read */
		if (n == -EPIPE || n == -ECONNRESET)
			return 0;
		if (n < 0)
			return lost(err);
		sent += (size_t)n;
	}
	return 0;
}

int client_fill(struct client *client, struct error *err)
{
	char chunk[65536];
	int fds[SOCK_MAX_FDS];
	size_t n_fds = 0;
	ssize_t n = sock_recv(client->fd, chunk, sizeof(chunk), fds, &n_fds);

	if (n < 0)
		return n == -EAGAIN ? 1 : lost(err);
	for (size_t i = 0; i < n_fds; i++) {
		if (client->n_fds < SOCK_MAX_FDS)
			client->fds[client->n_fds++] = fds[i];
		else
			(void)close(fds[i]);
	}
	if (client->in.size + (size_t)n > ANSWER_MAX)
		return error_set(err, E2BIG, "the answer is longer than %u bytes", ANSWER_MAX);
	buf_add(&client->in, chunk, (size_t)n);
	return n > 0;
}

int client_next(struct client *client, json_t **ret, struct error *err)
{
	char *start = client->in.data, *end = NULL;
	size_t size;
	int r;

	if (client->in.size > client->scanned)
		end = memchr(start + client->scanned, '\n', client->in.size - client->scanned);
	if (!end) {
		client->scanned = client->in.size;
		return 0;
	}
	size = (size_t)(end - start);
	r = json_parse(start, size, ret, err);
	memmove(start, end + 1, client->in.size - size - 1);
	buf_truncate(&client->in, client->in.size - size - 1);
	client->scanned = 0;
	if (r < 0) {
		error_prefix(err, "the daemon's answer");
		err->code = "internal";
		return r;
	}
	return 1;
}

int client_receive(struct client *client, int64_t timeout_ms, json_t **ret, struct error *err)
{
	int64_t end = timeout_ms < 0 ? -1 : clock_boot_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = {.fd = client->fd, .events = POLLIN};
		int64_t left = end < 0 ? -1 : end - clock_boot_ms();
		int r = client_next(client, ret, err);

		if (r != 0)
			return r < 0 ? r : 0;
		r = poll(&p, 1, end >= 0 && left < 0 ? 0 : (int)left);
		if (r < 0 && errno != EINTR)
			return error_set_errno(err, errno, "cannot wait for the daemon");
		if (r == 0)
			return error_set_code(err, ETIMEDOUT, "unavailable",
					      "the daemon does not answer");
		if (r < 0)
			continue;
		r = client_fill(client, err);
		if (r < 0)
			return r;
		if (r == 0)
			return lost(err);
	}
}

int client_take_fd(struct client *client)
{
	int fd;

	if (client->n_fds == 0)
		return -1;
	fd = client->fds[0];
	client->n_fds--;
	memmove(client->fds, client->fds + 1, client->n_fds * sizeof(int));
	return fd;
}
