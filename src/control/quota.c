#include "control/quota.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>

int quota_check(struct quota *quota, int64_t max, int64_t while_s, const char *who,
		const char *what, struct error *err)
{
	int64_t now = clock_boot_ms();

	if (quota->since_ms == 0 || now - quota->since_ms >= while_s * 1000)
		*quota = (struct quota){.since_ms = now, .refused = quota->refused};
	if (quota->count < max)
		return 0;
	quota->refused++;
	error_set_code(err, EAGAIN, "rate_limited",
		       "'%s' has made %" PRId64 " %s within %s and may make %" PRId64, who,
		       quota->count, what, while_s == QUOTA_DAY_S ? "a day" : "an hour", max);
	error_retry(err, (int)((quota->since_ms + while_s * 1000 - now) / 1000 + 1));
	return -EAGAIN;
}

void quota_count(struct quota *quota)
{
	quota->count++;
}

int quota_take(struct quota *quota, int64_t max, int64_t while_s, const char *who,
	       const char *what, struct error *err)
{
	int r = quota_check(quota, max, while_s, who, what, err);

	if (r == 0)
		quota_count(quota);
	return r;
}

int64_t bucket_take(struct bucket *b, const struct bucket_size *size, int64_t now_ms)
{
	int64_t more = (now_ms - b->filled_ms) / size->refill_ms;

	if (b->filled_ms == 0 || b->left + more >= size->room)
		*b = (struct bucket){.left = size->room, .filled_ms = now_ms};
	else
		*b = (struct bucket){.left = b->left + more,
				     .filled_ms = b->filled_ms + more * size->refill_ms};
	if (b->left == 0)
		return b->filled_ms + size->refill_ms - now_ms;
	b->left--;
	return 0;
}
