/* What a container uses: the numbers themselves, as JSON and out of the kernel's texts. */
#pragma once

#include <jansson.h>
#include <stdint.h>

enum usage_field {
	USAGE_MEMORY,     /* bytes */
	USAGE_MEMORY_MAX, /* bytes */
	USAGE_CPU,        /* microseconds of all processors since it started */
	USAGE_CPU_QUOTA,  /* percent of one processor */
	USAGE_TASKS,
	USAGE_TASKS_MAX,
	USAGE_IO_READ,  /* bytes since it started */
	USAGE_IO_WRITE, /* bytes since it started */
	/* hundredths of the last ten seconds' time in which some of it waited */
	USAGE_PRESSURE_CPU,
	USAGE_PRESSURE_MEMORY,
	USAGE_PRESSURE_IO,
	USAGE_FIELDS,
};

/* -1: this machine does not count it, or has no such limit. */
struct usage {
	int64_t value[USAGE_FIELDS];
};

/* Adds what is known to an object: memory_bytes, …, "pressure":{"cpu","memory","io"}. */
void usage_to_json(const struct usage *usage, json_t *ret);

/* The other way; what is absent or not a number is -1. */
void usage_from_json(const json_t *object, struct usage *ret);

/* Sums of bytes over all devices, from the text of io.stat (version 2) or of
 * blkio.throttle.io_service_bytes (version 1). */
void usage_parse_io(const char *text, int version, int64_t *ret_read, int64_t *ret_write);

/* Hundredths of a percent after "some avg10=" (the kernel's psi.rst); -1 when it is not there.
 */
int64_t usage_parse_pressure(const char *text);
