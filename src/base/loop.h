/*
 * The event loop: descriptors, timers and signals over libevent. One thread, callbacks run to
 * completion.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct loop;
struct watch;
struct timer;

typedef void (*watch_fn)(int fd, bool readable, bool writable, void *data);
typedef void (*timer_fn)(void *data);
typedef void (*signal_fn)(int signum, void *data);

/* NULL only when the kernel gives no epoll descriptor. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* libevent's own, for a layer whose library needs it; the loop's. */
struct event_base *loop_base(struct loop *loop);

/* Runs until loop_stop(). Returns 0, or -EIO when the kernel's wait fails. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/*
 * Calls fn while fd is readable and/or writable; a hang-up is both. The descriptor stays the
 * caller's; free the watch before closing it. fd is something the kernel can wait for: never a
 * regular file.
 */
struct watch *loop_watch(struct loop *loop, int fd, bool read, bool write, watch_fn fn,
			 void *data);
void watch_set(struct watch *watch, bool read, bool write);

/*
 * Calls fn, with neither readable nor writable, each time the peer of a stream socket shuts
 * down one of its directions: for a connection nothing is read from at the moment. poll(2) says
 * POLLHUP when the peer is gone. Replaces what watch_set() asked for.
 */
void watch_hangup(struct watch *watch);
void watch_free(struct watch *watch);
static inline void watch_freep(struct watch **watch)
{
	watch_free(*watch);
}

/*
 * Calls fn once after ms milliseconds (0: on the next turn). The timer frees itself before it
 * calls.
 */
struct timer *loop_timer(struct loop *loop, int64_t ms, timer_fn fn, void *data);

/* Drops a timer that has not fired; NULL is fine. A fired timer must not be passed. */
void timer_cancel(struct timer *timer);

/* Calls fn for a signal until the loop is freed. */
int loop_signal(struct loop *loop, int signum, signal_fn fn, void *data);
