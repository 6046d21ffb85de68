#include "host/message.h"

#include "base/buf.h"
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

struct outgoing {
	json_t *object;
	int fds[SOCK_MAX_FDS];
	size_t n_fds;
	STAILQ_ENTRY(outgoing) next;
};

struct outbox {
	STAILQ_HEAD(, outgoing) queue;
};

static void outgoing_free(struct outgoing *o)
{
	for (size_t i = 0; i < o->n_fds; i++)
		(void)close(o->fds[i]);
	json_decref(o->object);
	free(o);
}

struct outbox *outbox_new(void)
{
	struct outbox *outbox = mem_new(1, sizeof(*outbox));

	STAILQ_INIT(&outbox->queue);
	return outbox;
}

static void drop_first(struct outbox *outbox)
{
	struct outgoing *o = STAILQ_FIRST(&outbox->queue);

	STAILQ_REMOVE_HEAD(&outbox->queue, next);
	outgoing_free(o);
}

void outbox_free(struct outbox *outbox)
{
	if (!outbox)
		return;
	while (!STAILQ_EMPTY(&outbox->queue))
		drop_first(outbox);
	free(outbox);
}

int outbox_add(struct outbox *outbox, json_t *object, const int *fds, size_t n_fds)
{
	struct outgoing *o = mem_new(1, sizeof(*o));

	o->object = object;
	for (size_t i = 0; i < n_fds; i++) {
		int fd = i < SOCK_MAX_FDS ? fcntl(fds[i], F_DUPFD_CLOEXEC, 3) : -1;
		int r = fd >= 0 ? 0 : i < SOCK_MAX_FDS ? -errno : -EINVAL;

		if (r < 0) {
			outgoing_free(o);
			return r;
		}
		o->fds[o->n_fds++] = fd;
	}
	STAILQ_INSERT_TAIL(&outbox->queue, o, next);
	return 0;
}

bool outbox_flush(struct outbox *outbox, int fd,
		  void (*on_fail)(const json_t *object, int errnum, void *data), void *data)
{
	struct outgoing *o;

	while ((o = STAILQ_FIRST(&outbox->queue))) {
		int r = message_send(fd, o->object, o->fds, o->n_fds);

		if (r == -EAGAIN)
			return true;
		if (r < 0)
			on_fail(o->object, -r, data);
		drop_first(outbox);
	}
	return false;
}
