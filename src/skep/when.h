/* Points in time as the protocol writes them (RFC 3339 UTC), told to people as ages. */
#pragma once

#include <stdint.h>

/* Seconds since 1970, or -1 when the text is NULL or not "2026-09-12T09:15:00Z" (a fraction of
 * a second is skipped). */
int64_t when_parse(const char *text);

/* "12s", "5m", "3h", "9d" before now_s; "" when the text is no point in time. out is returned.
 */
char *when_age(char out[24], const char *text, int64_t now_s);

/* "12s", "5m 3s", "3h 20m", "9d 4h": a length of time. out is returned. */
char *when_length(char out[32], int64_t seconds);
