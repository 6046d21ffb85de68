/* The hive in memory: proposals in order, and which of them are open. */
#include "unit.h"

#include "base/clock.h"
#include "base/loop.h"
#include "control/hive.h"

#include <errno.h>

static void add(struct hive *hive, int64_t id, const char *agent, enum proposal_state state)
{
	struct proposal *p = proposal_new(id, agent);

	p->state = state;
	hive_add_proposal(hive, p);
}

static int64_t open_of(const struct hive *hive, const char *agent)
{
	const struct proposal *p = hive_open_proposal(hive, agent);

	return p ? p->id : 0;
}

static void decide(struct hive *hive, int64_t id, enum proposal_state state)
{
	hive_find_proposal(hive, id)->state = state;
	hive_proposals_decided(hive);
}

/* Added in any order, decided in any order: an open one is found, one with an outcome never. */
static void test_open_proposals(void **state)
{
	struct loop *loop = loop_new();
	struct config config;
	struct hive *hive;

	(void)state;
	config_init(&config);
	hive = hive_new(loop, &config, clock_wall_s);
	add(hive, 7, "alice", PROPOSAL_REVIEW);
	add(hive, 2, "bob", PROPOSAL_REVIEW);
	add(hive, 5, "alice", PROPOSAL_DENIED);
	hive_proposals_decided(hive);
	assert_int_equal(hive->first_open, 0);
	assert_int_equal(open_of(hive, "alice"), 7);
	assert_int_equal(open_of(hive, "bob"), 2);
	decide(hive, 2, PROPOSAL_DEPLOYED);
	assert_int_equal(hive->first_open, 2);
	assert_int_equal(open_of(hive, "bob"), 0);
	assert_int_equal(open_of(hive, "alice"), 7);
	/* one that comes late and low is seen all the same */
	add(hive, 3, "bob", PROPOSAL_REVIEW);
	assert_int_equal(open_of(hive, "bob"), 3);
	decide(hive, 3, PROPOSAL_STALE);
	decide(hive, 7, PROPOSAL_APPROVED);
	assert_int_equal(open_of(hive, "alice"), 0);
	assert_int_equal(hive->first_open, 3);
	add(hive, 9, "alice", PROPOSAL_REVIEW);
	hive_drop_proposals(hive, "bob");
	assert_int_equal(hive->n_proposals, 3);
	assert_int_equal(open_of(hive, "alice"), 9);
	hive_free(hive);
	config_release(&config);
	loop_free(loop);
}

static void test_quota(void **state)
{
	struct quota quota = {};
	struct error err = {};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(quota_take(&quota, 3, QUOTA_HOUR_S, "alice", "starts", &err),
				 0);
	assert_int_equal(quota_take(&quota, 3, QUOTA_HOUR_S, "alice", "starts", &err), -EAGAIN);
	assert_string_equal(error_code(&err), "rate_limited");
	assert_text(&err, "'alice' has made 3 starts within an hour and may make 3");
	assert_in_range(err.retry_after_s, 3590, 3601);
	assert_int_equal(quota_take(&quota, 3, QUOTA_DAY_S, "alice", "starts", &err), -EAGAIN);
	assert_text(&err, "within a day");
	assert_in_range(err.retry_after_s, 86390, 86401);
	assert_int_equal(quota.refused, 2);
	quota.since_ms -= 3600 * 1000;
	if (quota.since_ms == 0)
		quota.since_ms = -1;
	assert_int_equal(quota_take(&quota, 3, QUOTA_DAY_S, "alice", "starts", &err), -EAGAIN);
	assert_int_equal(quota_take(&quota, 3, QUOTA_HOUR_S, "alice", "starts", &err), 0);
	/* to look is not to take */
	for (int i = 0; i < 3; i++)
		assert_int_equal(quota_check(&quota, 2, QUOTA_HOUR_S, "alice", "starts", &err),
				 0);
	assert_int_equal(quota.count, 1);
}

static void test_bucket(void **state)
{
	static const struct bucket_size size = {.room = 3, .refill_ms = 100};
	struct bucket bucket = {};

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(bucket_take(&bucket, &size, 1000), 0);
	assert_int_equal(bucket_take(&bucket, &size, 1000), 100);
	assert_int_equal(bucket_take(&bucket, &size, 1099), 1);
	assert_int_equal(bucket_take(&bucket, &size, 1150), 0);
	/* what was begun of the next one counts */
	assert_int_equal(bucket_take(&bucket, &size, 1150), 50);
	assert_int_equal(bucket_take(&bucket, &size, 1200), 0);
	/* however long nothing was taken, there is room for so many */
	for (int i = 0; i < 3; i++)
		assert_int_equal(bucket_take(&bucket, &size, 100000), 0);
	assert_int_equal(bucket_take(&bucket, &size, 100000), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_proposals),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
