/* D-Bus as this layer uses it: connections to a systemd, its errors in our words, and waiting
 * for its signals. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNIT "org.freedesktop.systemd1.Unit"
#define SYSTEMD_SERVICE "org.freedesktop.systemd1.Service"

#define BUS_CALL_MS 20000

/* Connects to this machine's system bus. The caller owns *ret. Blocks. */
int bus_open_host(sd_bus **ret, struct error *err);

/* The same, but one connection for as long as the process lives; *ret is borrowed. */
int bus_host(sd_bus **ret, struct error *err);

/*
 * Connects to the system bus inside the container of that leader, as its root (man
 * sd_bus_set_address, x-machine-unix). Whatever answers there is as hostile as the container.
 * Blocks.
 */
int bus_open_container(pid_t leader, sd_bus **ret, struct error *err);

/* Asks systemd to send signals at all; once more is fine. */
int bus_subscribe(sd_bus *bus, struct error *err);

/*
 * Fills err from a failed call: the context, then the bus error's message (cleaned: it may be
 * foreign) or strerror. Returns a negative errno.
 */
int bus_error(struct error *err, int r, const sd_bus_error *e, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Handles messages that have come; when there are none, waits until one comes, wake_fd (-1:
 * none) is readable or hung up (then *ret_woken), or the time end_boot_ms has come (-ETIMEDOUT,
 * err not filled; -1: never).
 */
int bus_turn(sd_bus *bus, int wake_fd, int64_t end_boot_ms, bool *ret_woken, struct error *err);

/* The object path of a unit; the caller frees it. */
int bus_unit_path(const char *unit, char **ret, struct error *err);

/* A string property copied into out, cut to its size. */
int bus_get_string(sd_bus *bus, const char *path, const char *interface, const char *property,
		   char *out, size_t size, struct error *err);

/* A number property of D-Bus type 'b', 'i', 'u' or 't'. */
int bus_get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
		   char type, uint64_t *ret, struct error *err);

static inline void sd_bus_error_releasep(sd_bus_error *e)
{
	sd_bus_error_free(e);
}
/* Closed without a flush: every call here is a synchronous one, and a mute peer would block it.
 */
#define _cleanup_bus_ __attribute__((cleanup(sd_bus_close_unrefp)))
#define _cleanup_bus_message_ __attribute__((cleanup(sd_bus_message_unrefp)))
#define _cleanup_bus_slot_ __attribute__((cleanup(sd_bus_slot_unrefp)))
#define _cleanup_bus_error_ __attribute__((cleanup(sd_bus_error_releasep)))
