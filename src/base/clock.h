/* The two clocks: one that only counts, one that tells the date. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Milliseconds since boot, suspend included (CLOCK_BOOTTIME): for time-outs and durations. */
int64_t clock_boot_ms(void);

/* The same in microseconds: for what takes less. */
int64_t clock_boot_usec(void);

/* Seconds since 1970 (CLOCK_REALTIME): for what people read, never for order. */
int64_t clock_wall_s(void);

#define CLOCK_TEXT_SIZE 21

/* Writes RFC 3339 UTC with seconds ("2026-09-12T09:15:00Z"). Returns out. */
char *clock_format(char out[CLOCK_TEXT_SIZE], int64_t wall_s);
