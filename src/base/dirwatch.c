#include "base/dirwatch.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define MASK                                                                                \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | \
	 IN_ONLYDIR | IN_EXCL_UNLINK)
#define READ_BYTES 16384

struct watched {
	int id;
	char *dir;
};

struct dirwatch {
	int fd;
	struct watch *watch;
	struct watched *items;
	size_t n;
	dirwatch_fn fn;
	void *data;
};

static struct watched *find(struct dirwatch *w, int id)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->items[i].id == id)
			return &w->items[i];
	return NULL;
}

static void forget(struct dirwatch *w, struct watched *item)
{
	free(item->dir);
	*item = w->items[--w->n];
}

static void take(struct dirwatch *w, const struct inotify_event *event)
{
	struct watched *item = find(w, event->wd);

	if (event->mask & IN_Q_OVERFLOW) {
		w->fn("", "", w->data);
	} else if (item && event->mask & IN_IGNORED) {
		_cleanup_free_ char *dir = str_dup(item->dir);

		forget(w, item);
		w->fn(dir, "", w->data);
	} else if (item) {
		w->fn(item->dir, event->len ? event->name : "", w->data);
	}
}

static void on_readable(int fd, bool readable, bool writable, void *data)
{
	_Alignas(struct inotify_event) char bytes[READ_BYTES];
	struct dirwatch *w = data;
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)readable;
	(void)writable;
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const struct inotify_event *)(bytes + at);

		at += (ssize_t)(sizeof(*event) + event->len);
		take(w, event);
	}
}

int dirwatch_new(struct loop *loop, dirwatch_fn fn, void *data, struct dirwatch **ret,
		 struct error *err)
{
	struct dirwatch *w;
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return error_set_errno(err, errno, "cannot watch directories");
	w = mem_new(1, sizeof(*w));
	w->fd = fd;
	w->fn = fn;
	w->data = data;
	w->watch = loop_watch(loop, fd, true, false, on_readable, w);
	*ret = w;
	return 0;
}

void dirwatch_free(struct dirwatch *w)
{
	if (!w)
		return;
	watch_free(w->watch);
	closep(&w->fd);
	for (size_t i = 0; i < w->n; i++)
		free(w->items[i].dir);
	free(w->items);
	free(w);
}

int dirwatch_add(struct dirwatch *w, const char *dir, struct error *err)
{
	int id = inotify_add_watch(w->fd, dir, MASK);
	struct watched *item;

	if (id < 0)
		return error_set_errno(err, errno, "cannot watch '%s'", dir);
	item = find(w, id);
	if (item)
		return 0;
	w->items = mem_grow(w->items, w->n + 1, sizeof(*w->items));
	w->items[w->n++] = (struct watched){.id = id, .dir = str_dup(dir)};
	return 0;
}
