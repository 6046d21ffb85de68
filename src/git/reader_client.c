#include "git/reader_client.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "git/reader_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define INPUT_SIZE 65536
#define POLL_MAX_MS 3600000

void reader_client_init(struct reader_client *client, int fd, int64_t end_ms)
{
	*client = (struct reader_client){
		.fd = fd,
		.end_ms = end_ms,
		.input = mem_new(INPUT_SIZE, 1),
	};
}

void reader_client_release(struct reader_client *client)
{
	buf_release(&client->requests);
	free(client->input);
	client->input = NULL;
}

static void ask(struct reader_client *client, char verb, const unsigned char *id,
		unsigned digits)
{
	buf_add_char(&client->requests, verb);
	buf_add(&client->requests, id, READER_REQUEST_SIZE - 2);
	buf_add_char(&client->requests, (char)digits);
}

void reader_client_ask_object(struct reader_client *client, const unsigned char *id)
{
	ask(client, READER_VERB_OBJECT, id, 0);
}

void reader_client_ask_prefix(struct reader_client *client, const unsigned char *id,
			      unsigned digits)
{
	ask(client, READER_VERB_PREFIX, id, digits);
}

static const unsigned char no_id[READER_REQUEST_SIZE - 2];

void reader_client_ask_refs(struct reader_client *client)
{
	ask(client, READER_VERB_REFS, no_id, 0);
}

void reader_client_ask_work(struct reader_client *client)
{
	ask(client, READER_VERB_WORK, no_id, 0);
}

static int gone(struct error *err)
{
	return error_set(
		err, EPIPE,
		"the process that reads the repository ended: an object in it may be damaged");
}

/* Waits until the socket can be used. */
static int wait_for(const struct reader_client *client, short events, struct error *err)
{
	for (;;) {
		struct pollfd p = {.fd = client->fd, .events = events};
		int64_t left = client->end_ms - clock_boot_ms();
		int n;

		if (left <= 0)
			return error_set(err, ETIMEDOUT,
					 "reading the repository took too long");
		n = poll(&p, 1, left > POLL_MAX_MS ? POLL_MAX_MS : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_set_errno(err, errno, "cannot wait for the reader");
	}
}

static int flush(struct reader_client *client, struct error *err)
{
	size_t sent = 0;

	while (sent < client->requests.size) {
		ssize_t n;
		int r = wait_for(client, POLLOUT, err);

		if (r < 0)
			return r;
		n = send(client->fd, client->requests.data + sent, client->requests.size - sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			sent += (size_t)n;
		else if (errno == EPIPE || errno == ECONNRESET)
			return gone(err);
		else if (errno != EAGAIN && errno != EINTR)
			return error_set_errno(err, errno, "cannot ask the reader");
	}
	buf_truncate(&client->requests, 0);
	return 0;
}

/* At least one byte, at most size, straight from the socket. */
static int receive(struct reader_client *client, void *data, size_t size, size_t *ret,
		   struct error *err)
{
	for (;;) {
		ssize_t n = recv(client->fd, data, size, MSG_DONTWAIT);
		int r = 0;

		if (n > 0) {
			*ret = (size_t)n;
			return 0;
		}
		if (n == 0 || errno == ECONNRESET)
			return gone(err);
		if (errno == EAGAIN)
			r = wait_for(client, POLLIN, err);
		else if (errno != EINTR)
			r = error_set_errno(err, errno, "cannot hear the reader");
		if (r < 0)
			return r;
	}
}

int reader_client_fetch(struct reader_client *client, void *data, size_t size,
			struct error *err)
{
	unsigned char *out = data;

	while (size > 0) {
		size_t n = client->input_end - client->input_start;
		int r = 0;

		if (n > 0) {
			n = n < size ? n : size;
			memcpy(out, client->input + client->input_start, n);
			client->input_start += n;
		} else if (size >= INPUT_SIZE) {
			r = receive(client, out, size, &n, err);
		} else {
			client->input_start = 0;
			r = receive(client, client->input, INPUT_SIZE, &client->input_end, err);
		}
		if (r < 0)
			return r;
		out += n;
		size -= n;
	}
	return 0;
}

int reader_client_next(struct reader_client *client, struct reader_answer *ret,
		       struct error *err)
{
	unsigned char head[READER_ANSWER_SIZE];
	struct reader_answer answer;
	int r;

	r = flush(client, err);
	if (r == 0)
		r = reader_client_fetch(client, head, sizeof(head), err);
	if (r < 0)
		return r;
	answer = (struct reader_answer){
		.status = (enum reader_status)head[0],
		.type = head[1],
		.size = reader_unpack_size(head),
	};
	if (head[0] > READER_AMBIGUOUS || (answer.status != READER_OK && answer.size != 0))
		return error_set(err, EPROTO, "the reader answers with nonsense");
	*ret = answer;
	return 0;
}
