#include "host/bus.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX 300
#define CONNECT_MS 10000

int bus_error(struct error *err, int r, const sd_bus_error *e, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	char context[256];
	va_list args;

	va_start(args, format);
	vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	if (!e || !sd_bus_error_is_set(e) || !e->message)
		return error_set_errno(err, r, "%s", context);
	message = text_clean_dup(e->message, MESSAGE_MAX, false);
	return error_set(err, r, "%s: %s", context, message);
}

/* A peer that accepts the connection and then says nothing would hold sd-bus for 90 s. */
static int wait_ready(sd_bus *bus)
{
	int64_t end = clock_boot_ms() + CONNECT_MS;
	struct error ignored = {};
	bool woken;
	int r = sd_bus_is_ready(bus);

	while (r == 0) {
		r = bus_turn(bus, -1, end, &woken, &ignored);
		if (r == 0)
			r = sd_bus_is_ready(bus);
	}
	return r;
}

static int started(sd_bus *bus, const char *what, struct error *err)
{
	int r = sd_bus_set_bus_client(bus, 1);

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, (uint64_t)BUS_CALL_MS * 1000);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r >= 0)
		r = wait_ready(bus);
	if (r < 0)
		return error_set_errno(err, r, "cannot connect to the system bus of %s", what);
	return 0;
}

int bus_open_host(sd_bus **ret, struct error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	int r = sd_bus_new(&bus);

	if (r >= 0)
		r = sd_bus_set_address(bus, "unix:path=/run/dbus/system_bus_socket");
	if (r < 0)
		return error_set_errno(err, r, "cannot make a bus connection");
	r = started(bus, "this machine", err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bus);
	return 0;
}

/* What a process asks comes in bursts; sd-bus keeps the connection for each thread. */
int bus_host(sd_bus **ret, struct error *err)
{
	sd_bus *bus = NULL;
	int made = sd_bus_default_system(&bus), r = made;

	if (r > 0)
		r = sd_bus_set_method_call_timeout(bus, (uint64_t)BUS_CALL_MS * 1000);
	else if (r == 0)
		sd_bus_unref(bus); /* the first reference stays */
	if (r >= 0)
		r = wait_ready(bus);
	if (r < 0)
		return error_set_errno(err, r,
				       "cannot connect to the system bus of this machine");
	*ret = bus;
	return 0;
}

int bus_open_container(pid_t leader, sd_bus **ret, struct error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	char address[64];
	int r = sd_bus_new(&bus);

	snprintf(address, sizeof(address), "x-machine-unix:pid=%d", (int)leader);
	if (r >= 0)
		r = sd_bus_set_address(bus, address);
	if (r < 0)
		return error_set_errno(err, r, "cannot make a bus connection");
	r = started(bus, "the container", err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bus);
	return 0;
}

int bus_subscribe(sd_bus *bus, struct error *err)
{
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	int r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				   "Subscribe", &e, NULL, NULL);

	if (r < 0 && !sd_bus_error_has_name(&e, "org.freedesktop.systemd1.AlreadySubscribed"))
		return bus_error(err, r, &e, "cannot subscribe to systemd's signals");
	return 0;
}

static int poll_timeout(sd_bus *bus, int64_t end_boot_ms, int *ret)
{
	int64_t wait_ms = -1;
	uint64_t until_us;
	int r = sd_bus_get_timeout(bus, &until_us);

	if (r < 0)
		return r;
	if (end_boot_ms >= 0) {
		wait_ms = end_boot_ms - clock_boot_ms();
		wait_ms = wait_ms < 0 ? 0 : wait_ms;
	}
	if (until_us != UINT64_MAX) {
		struct timespec now;
		int64_t left_ms;

		clock_gettime(CLOCK_MONOTONIC, &now);
		left_ms = (int64_t)(until_us / 1000) -
			  (now.tv_sec * 1000LL + now.tv_nsec / 1000000);
		left_ms = left_ms < 0 ? 0 : left_ms + 1;
		if (wait_ms < 0 || left_ms < wait_ms)
			wait_ms = left_ms;
	}
	*ret = wait_ms < 0 ? -1 : (int)(wait_ms > 3600000 ? 3600000 : wait_ms);
	return 0;
}

int bus_turn(sd_bus *bus, int wake_fd, int64_t end_boot_ms, bool *ret_woken, struct error *err)
{
	struct pollfd p[2] = {{.fd = sd_bus_get_fd(bus)}, {.fd = wake_fd, .events = POLLIN}};
	int r, timeout, events;

	*ret_woken = false;
	/* Before anything else: a peer that never stops talking must not outrun the deadline.
	 */
	if (end_boot_ms >= 0 && clock_boot_ms() >= end_boot_ms)
		return -ETIMEDOUT;
	r = sd_bus_process(bus, NULL);
	if (r < 0)
		return error_set_errno(err, r, "the connection to systemd broke");
	if (r > 0)
		return 0;
	events = sd_bus_get_events(bus);
	if (events < 0)
		return error_set_errno(err, events, "the connection to systemd broke");
	p[0].events = (short)events;
	r = poll_timeout(bus, end_boot_ms, &timeout);
	if (r < 0)
		return r;
	if (poll(p, wake_fd < 0 ? 1 : 2, timeout) < 0 && errno != EINTR)
		return error_set_errno(err, errno, "cannot wait for systemd");
	*ret_woken = wake_fd >= 0 && p[1].revents != 0;
	return 0;
}

int bus_unit_path(const char *unit, char **ret, struct error *err)
{
	char *path = NULL;
	int r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path);

	if (r < 0)
		return error_set_errno(err, r, "cannot name unit '%s' on the bus", unit);
	*ret = path;
	return 0;
}

int bus_get_string(sd_bus *bus, const char *path, const char *interface, const char *property,
		   char *out, size_t size, struct error *err)
{
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	_cleanup_free_ char *value = NULL;
	int r = sd_bus_get_property_string(bus, SYSTEMD_NAME, path, interface, property, &e,
					   &value);

	if (r < 0)
		return bus_error(err, r, &e, "cannot read '%s' from systemd", property);
	snprintf(out, size, "%s", value);
	return 0;
}

int bus_get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
		   char type, uint64_t *ret, struct error *err)
{
	_cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
	uint64_t wide = 0;
	uint32_t narrow = 0;
	int r = sd_bus_get_property_trivial(bus, SYSTEMD_NAME, path, interface, property, &e,
					    type, type == 't' ? (void *)&wide : &narrow);

	if (r < 0)
		return bus_error(err, r, &e, "cannot read '%s' from systemd", property);
	*ret = type == 't' ? wide : narrow;
	return 0;
}
