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
		assert_int_equal(quota_take(&quota, 3, "alice", "starts", &err), 0);
	assert_int_equal(quota_take(&quota, 3, "alice", "starts", &err), -EAGAIN);
	assert_string_equal(error_code(&err), "rate_limited");
	assert_text(&err, "'alice' has made 3 starts");
	assert_in_range(err.retry_after_s, 3590, 3601);
	quota.since_ms -= 3600 * 1000;
	if (quota.since_ms == 0)
		quota.since_ms = -1;
	assert_int_equal(quota_take(&quota, 3, "alice", "starts", &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_proposals),
		cmocka_unit_test(test_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
