/*
 * sd-bus on the loop: its descriptor is watched for what it wants, a timer stands for its
 * timeout, and work left over after a bounded number of messages is taken up on the next turn,
 * so that a talkative bus starves nobody. Events and timeout are asked anew after every run.
 */
#include "host/unit_events.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "host/nixos_owner.h"
#include "host/systemd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define MESSAGES_PER_TURN 64
#define RECONNECT_MS 1000

struct unit_events {
	struct loop *loop;
	const char *state;
	unit_event_fn fn;
	void *data;
	sd_bus *bus; /* NULL while the connection is lost */
	struct watch *watch;
	struct timer
		*timer; /* the bus's timeout, left-over work, or the next attempt to connect */
};

bool unit_events_agent(const char *state, const char *path, char ret_agent[AGENT_NAME_MAX + 1])
{
	static const char ours[] = SYSTEMD_UNIT_PREFIX, nixos[] = SYSTEMD_NIXOS_PREFIX;
	_cleanup_free_ char *unit = NULL;
	size_t length;

	if (sd_bus_path_decode(path, SYSTEMD_PATH "/unit", &unit) <= 0)
		return false;
	length = strlen(unit);
	if (length <= strlen(".service") ||
	    strcmp(unit + length - strlen(".service"), ".service") != 0)
		return false;
	unit[length - strlen(".service")] = '\0';
	if (strncmp(unit, nixos, strlen(nixos)) == 0)
		return nixos_owner(state, unit + strlen(nixos), ret_agent);
	if (strncmp(unit, ours, strlen(ours)) != 0 || name_check(unit + strlen(ours), NULL) < 0)
		return false;
	strcpy(ret_agent, unit + strlen(ours));
	return true;
}

/* Reads ActiveState out of a PropertiesChanged signal; 1 when it is there. */
static int read_active(sd_bus_message *m, const char **ret)
{
	int r = sd_bus_message_skip(m, "s");

	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "{sv}");
	while (r >= 0) {
		const char *name;

		r = sd_bus_message_enter_container(m, 'e', "sv");
		if (r <= 0)
			return r;
		r = sd_bus_message_read(m, "s", &name);
		if (r >= 0 && !strcmp(name, "ActiveState"))
			return sd_bus_message_read(m, "v", "s", ret) < 0 ? -EBADMSG : 1;
		if (r >= 0)
			r = sd_bus_message_skip(m, "v");
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	return r;
}

static int on_changed(sd_bus_message *m, void *data, sd_bus_error *e)
{
	struct unit_events *events = data;
	char agent[AGENT_NAME_MAX + 1];
	const char *active;

	(void)e;
	if (unit_events_agent(events->state, sd_bus_message_get_path(m), agent) &&
	    read_active(m, &active) > 0)
		events->fn(agent, systemd_run_state(active), events->data);
	return 0;
}

static void on_ready(int fd, bool readable, bool writable, void *data);
static void on_timer(void *data);

static int connect_bus(struct unit_events *events, struct error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	int r = bus_open_host(&bus, err);

	if (r < 0)
		return r;
	r = sd_bus_add_match(bus, NULL,
			     "type='signal',sender='" SYSTEMD_NAME "',"
			     "interface='org.freedesktop.DBus.Properties',"
			     "member='PropertiesChanged',arg0='" SYSTEMD_UNIT "',"
			     "path_namespace='" SYSTEMD_PATH "/unit'",
			     on_changed, events);
	if (r < 0)
		return error_set_errno(err, r, "cannot watch systemd's units");
	r = bus_subscribe(bus, err);
	if (r < 0)
		return r;
	events->bus = TAKE_PTR(bus);
	events->watch = loop_watch(events->loop, sd_bus_get_fd(events->bus), true, false,
				   on_ready, events);
	return 0;
}

static void set_timer(struct unit_events *events, int64_t ms)
{
	timer_cancel(events->timer);
	events->timer = loop_timer(events->loop, ms, on_timer, events);
}

static void disconnect(struct unit_events *events)
{
	watch_free(events->watch);
	events->watch = NULL;
	events->bus = sd_bus_close_unref(events->bus);
}

/* Milliseconds until the bus wants to be called without a message, -1 for never. */
static int64_t bus_wait_ms(sd_bus *bus)
{
	struct timespec now;
	uint64_t until_us;
	int64_t left;

	if (sd_bus_get_timeout(bus, &until_us) < 0 || until_us == UINT64_MAX)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	left = (int64_t)(until_us / 1000) - (now.tv_sec * 1000LL + now.tv_nsec / 1000000);
	return left < 0 ? 0 : left + 1;
}

static void arm(struct unit_events *events, bool work_left)
{
	int wanted = sd_bus_get_events(events->bus);
	int64_t wait_ms = work_left ? 0 : bus_wait_ms(events->bus);

	if (wanted >= 0)
		watch_set(events->watch, wanted & POLLIN, wanted & POLLOUT);
	timer_cancel(events->timer);
	events->timer = NULL;
	if (wait_ms >= 0)
		set_timer(events, wait_ms);
}

static void process(struct unit_events *events)
{
	int r = 1;

	for (int i = 0; i < MESSAGES_PER_TURN && r > 0; i++)
		r = sd_bus_process(events->bus, NULL);
	if (r >= 0) {
		arm(events, r > 0);
		return;
	}
	disconnect(events);
	set_timer(events, RECONNECT_MS);
}

static void on_ready(int fd, bool readable, bool writable, void *data)
{
	(void)fd;
	(void)readable;
	(void)writable;
	process(data);
}

static void on_timer(void *data)
{
	struct unit_events *events = data;

	events->timer = NULL;
	if (!events->bus) {
		if (connect_bus(events, NULL) < 0) {
			set_timer(events, RECONNECT_MS);
			return;
		}
		events->fn(NULL, CONTAINER_STOPPED, events->data);
	}
	process(events);
}

int unit_events_new(struct loop *loop, const char *state, unit_event_fn fn, void *data,
		    struct unit_events **ret, struct error *err)
{
	struct unit_events *events = mem_new(1, sizeof(*events));
	int r;

	*events = (struct unit_events){.loop = loop, .state = state, .fn = fn, .data = data};
	r = connect_bus(events, err);
	if (r < 0) {
		free(events);
		return r;
	}
	/* What came while connecting is already in the queue, where no descriptor tells of it.
	 */
	set_timer(events, 0);
	*ret = events;
	return 0;
}

void unit_events_free(struct unit_events *events)
{
	if (!events)
		return;
	timer_cancel(events->timer);
	disconnect(events);
	free(events);
}
