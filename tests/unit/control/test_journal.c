/* Every kind of event that has an id has its own, and the catalog explains it. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "control/journal.h"

#define KINDS (PROPOSAL_STATE_COUNT + 4)

static void collect(const char *ids[KINDS])
{
	for (int i = 0; i < PROPOSAL_STATE_COUNT; i++)
		ids[i] = journal_proposal_id((enum proposal_state)i);
	ids[PROPOSAL_STATE_COUNT] = JOURNAL_CONTAINER_ENDED;
	ids[PROPOSAL_STATE_COUNT + 1] = JOURNAL_WRONG_PEER;
	ids[PROPOSAL_STATE_COUNT + 2] = JOURNAL_DRIFT;
	ids[PROPOSAL_STATE_COUNT + 3] = JOURNAL_HEAL;
}

static void test_catalog(void **state)
{
	const char *ids[KINDS];
	struct error err = {};
	struct buf b = {};

	(void)state;
	collect(ids);
	assert_int_equal(file_read(AT_FDCWD, "share/journal/skep.catalog", 65536, &b, &err), 0);
	for (int i = 0; i < KINDS; i++) {
		char heading[48];

		assert_non_null(ids[i]);
		assert_true(text_is_hex(ids[i], 32));
		snprintf(heading, sizeof(heading), "\n-- %s\nSubject: ", ids[i]);
		assert_non_null(strstr(buf_str(&b), heading));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(ids[i], ids[j]);
	}
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_catalog)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
