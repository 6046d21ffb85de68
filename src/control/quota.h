/* How often something may be done: so often within a while, or at once and then one by one. */
#pragma once

#include "base/error.h"

#include <stdint.h>

#define QUOTA_HOUR_S 3600
#define QUOTA_DAY_S 86400

/* How often something was done within the while that runs. */
struct quota {
	int64_t since_ms;       /* boot milliseconds; 0: never yet */
	int64_t count, refused; /* refused: in all of them */
};

/*
 * Whether it may be done once more. -EAGAIN (rate_limited) when it was done max times within
 * while_s seconds (an hour or a day); who and what say who has done what.
 */
int quota_check(struct quota *quota, int64_t max, int64_t while_s, const char *who,
		const char *what, struct error *err);

/* After quota_check(): it is done. */
void quota_count(struct quota *quota);

/* Both at once. */
int quota_take(struct quota *quota, int64_t max, int64_t while_s, const char *who,
	       const char *what, struct error *err);

/* Full at first: room times at once; one time more comes back every refill_ms. */
struct bucket {
	int64_t left, filled_ms;
};

struct bucket_size {
	int64_t room, refill_ms;
};

/* Takes one at now_ms. Returns 0, or in how many milliseconds (at least one) there is one. */
int64_t bucket_take(struct bucket *bucket, const struct bucket_size *size, int64_t now_ms);
