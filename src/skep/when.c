#include "skep/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

int64_t when_parse(const char *text)
{
	struct tm tm = {};
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	if (!end)
		return -1;
	if (*end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	return strcmp(end, "Z") == 0 ? timegm(&tm) : -1;
}

char *when_age(char out[24], const char *text, int64_t now_s)
{
	int64_t at = when_parse(text), age = now_s > at ? now_s - at : 0;

	out[0] = '\0';
	if (at < 0)
		return out;
	if (age < 2 * MINUTE)
		snprintf(out, 24, "%" PRId64 "s", age);
	else if (age < 2 * HOUR)
		snprintf(out, 24, "%" PRId64 "m", age / MINUTE);
	else if (age < 2 * DAY)
		snprintf(out, 24, "%" PRId64 "h", age / HOUR);
	else
		snprintf(out, 24, "%" PRId64 "d", age / DAY);
	return out;
}

char *when_length(char out[32], int64_t s)
{
	if (s < MINUTE)
		snprintf(out, 32, "%" PRId64 "s", s);
	else if (s < HOUR)
		snprintf(out, 32, "%" PRId64 "m %" PRId64 "s", s / MINUTE, s % MINUTE);
	else if (s < DAY)
		snprintf(out, 32, "%" PRId64 "h %" PRId64 "m", s / HOUR, s % HOUR / MINUTE);
	else
		snprintf(out, 32, "%" PRId64 "d %" PRId64 "h", s / DAY, s % DAY / HOUR);
	return out;
}
