#include "unit.h"

#include "base/cleanup.h"
#include "model/proposal.h"

#include <errno.h>

static void test_refs(void **state)
{
	static const char *const bad[] = {
		"refs/heads/main",
		"refs/tags/approved",
		"refs/tags/approved/",
		"refs/tags/approved/x",
		"refs/tags/approved/01",
		"refs/tags/approved/1/2",
		"refs/tags/approved/-1",
		"refs/tags/surprise/1",
		"refs/tags/approved/99999999999999999999",
		"refs/tags/approve/1",
		"refs/tags/approvedd/1",
	};
	enum proposal_state got;
	int64_t id;

	(void)state;
	for (int i = 0; i < PROPOSAL_STATE_COUNT; i++) {
		char ref[64];

		snprintf(ref, sizeof(ref), "refs/tags/%s/42",
			 proposal_tag_family((enum proposal_state)i));
		assert_int_equal(proposal_parse_ref(ref, &got, &id), 0);
		assert_int_equal(got, i);
		assert_int_equal(id, 42);
	}
	assert_int_equal(proposal_parse_ref("refs/tags/deployed/0", &got, &id), 0);
	assert_int_equal(id, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(proposal_parse_ref(bad[i], &got, &id), -EINVAL);
}

static void test_words(void **state)
{
	static const struct {
		enum proposal_state state;
		const char *name, *status;
		bool final;
	} cases[] = {
		{PROPOSAL_REVIEW, "needs-review", "pending", false},
		{PROPOSAL_APPROVED, "approved", "approved", false},
		{PROPOSAL_BUILDING, "building", "approved", false},
		{PROPOSAL_CANCELLED, "cancelled", "cancelled", true},
		{PROPOSAL_SUPERSEDED, "superseded", "cancelled", true},
		{PROPOSAL_STALE, "stale", "cancelled", true},
		{PROPOSAL_DENIED, "denied", "denied", true},
		{PROPOSAL_FAILED, "failed", "failed", true},
		{PROPOSAL_DEPLOYED, "deployed", "approved", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proposal *p = proposal_new(1, "alice");

		p->state = cases[i].state;
		assert_string_equal(proposal_state_name(p), cases[i].name);
		assert_string_equal(proposal_status_name(p), cases[i].status);
		assert_int_equal(proposal_is_final(p), cases[i].final);
		p->deploying = true;
		assert_string_equal(proposal_state_name(p),
				    cases[i].final ? cases[i].name : "deploying");
		proposal_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refs),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
