#include "base/loop.h"

#include "base/buf.h"

#include <event2/event.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/queue.h>

/* An event that could not be added for want of memory would never come. */
__attribute__((constructor)) static void end_without_memory(void)
{
	event_set_mem_functions(mem_alloc, mem_resize, free);
}

struct signal_watch {
	struct event *event;
	signal_fn fn;
	void *data;
	SLIST_ENTRY(signal_watch) next;
};

struct loop {
	struct event_base *base;
	SLIST_HEAD(, signal_watch) signals;
};

struct watch {
	struct loop *loop;
	struct event *event;
	int fd;
	short events; /* EV_… */
	watch_fn fn;
	void *data;
};

struct timer {
	struct event *event;
	timer_fn fn;
	void *data;
};

struct loop *loop_new(void)
{
	struct event_base *base = event_base_new();
	struct loop *loop;

	if (!base)
		return NULL;
	loop = mem_new(1, sizeof(*loop));
	loop->base = base;
	SLIST_INIT(&loop->signals);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (!SLIST_EMPTY(&loop->signals)) {
		struct signal_watch *s = SLIST_FIRST(&loop->signals);

		SLIST_REMOVE_HEAD(&loop->signals, next);
		event_free(s->event);
		free(s);
	}
	event_base_free(loop->base);
	free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

int loop_run(struct loop *loop)
{
	return event_base_dispatch(loop->base) < 0 ? -EIO : 0;
}

void loop_stop(struct loop *loop)
{
	event_base_loopbreak(loop->base);
}

static bool is_broken(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

static void on_fd(evutil_socket_t fd, short what, void *data)
{
	struct watch *w = data;

	if (!(w->events & EV_CLOSED))
		w->fn(fd, what & EV_READ, what & EV_WRITE, w->data);
	else if (what & EV_CLOSED || is_broken(fd))
		w->fn(fd, false, false, w->data);
}

static short interest(bool read, bool write)
{
	return (short)((read ? EV_READ : 0) | (write ? EV_WRITE : 0) | EV_PERSIST);
}

/* To say the same again costs nothing: callers ask for what they want, not for a change. */
static void change(struct watch *w, short events)
{
	if (w->events == events)
		return;
	event_del(w->event);
	w->events = events;
	event_assign(w->event, w->loop->base, w->fd, events, on_fd, w);
	if (events != EV_PERSIST)
		event_add(w->event, NULL);
}

struct watch *loop_watch(struct loop *loop, int fd, bool read, bool write, watch_fn fn,
			 void *data)
{
	struct watch *w = mem_new(1, sizeof(*w));

	w->loop = loop;
	w->fd = fd;
	w->fn = fn;
	w->data = data;
	w->events = EV_PERSIST;
	w->event = event_new(loop->base, fd, EV_PERSIST, on_fd, w);
	if (!w->event)
		abort();
	change(w, interest(read, write));
	return w;
}

void watch_set(struct watch *w, bool read, bool write)
{
	change(w, interest(read, write));
}

void watch_hangup(struct watch *w)
{
	/* By edge: a peer that only stopped sending stays in that state. One that went without
	 * reading what it was sent is an error to epoll, which libevent tells to readers and
	 * writers alone. */
	change(w, EV_CLOSED | EV_WRITE | EV_ET | EV_PERSIST);
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	event_free(w->event);
	free(w);
}

static void on_timer(evutil_socket_t fd, short what, void *data)
{
	struct timer *t = data;
	timer_fn fn = t->fn;
	void *user = t->data;

	(void)fd;
	(void)what;
	timer_cancel(t);
	fn(user);
}

struct timer *loop_timer(struct loop *loop, int64_t ms, timer_fn fn, void *data)
{
	struct timer *t = mem_new(1, sizeof(*t));
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	t->fn = fn;
	t->data = data;
	t->event = event_new(loop->base, -1, 0, on_timer, t);
	if (!t->event)
		abort();
	event_add(t->event, &tv);
	return t;
}

void timer_cancel(struct timer *t)
{
	if (!t)
		return;
	event_free(t->event);
	free(t);
}

static void on_signal(evutil_socket_t signum, short what, void *data)
{
	struct signal_watch *s = data;

	(void)what;
	s->fn(signum, s->data);
}

int loop_signal(struct loop *loop, int signum, signal_fn fn, void *data)
{
	struct signal_watch *s = mem_new(1, sizeof(*s));

	s->fn = fn;
	s->data = data;
	s->event = evsignal_new(loop->base, signum, on_signal, s);
	if (!s->event || event_add(s->event, NULL) < 0) {
		if (s->event)
			event_free(s->event);
		free(s);
		return -ENOMEM;
	}
	SLIST_INSERT_HEAD(&loop->signals, s, next);
	return 0;
}
