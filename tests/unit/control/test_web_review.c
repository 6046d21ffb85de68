/* What a review in a browser needs: differences of every sort, what was looked at, all of an
 * agent. */
#include "web_unit.h"

static int64_t propose(const struct browser *b, const char *text)
{
	char commit[256];

	change(b->u, "alice", text, commit);
	return submit(b->u, "alice", commit);
}

static json_t *deploy(const struct browser *b, const char *text)
{
	return browser_ask(b, "{'cmd':'approve','id':%lld,'wait':true}",
			   (long long)propose(b, text));
}

/* All lines of a diff with a mark, put together; the caller owns the text. */
static char *lines_of(const json_t *answer, const char *mark)
{
	json_t *diff = json_object_get(answer, "diff"), *file, *hunk, *line;
	struct buf all = {};
	size_t i, k, n;

	assert_non_null(diff);
	json_array_foreach (json_object_get(diff, "files"), i, file)
		json_array_foreach (json_object_get(file, "hunks"), k, hunk)
			json_array_foreach (json_object_get(hunk, "lines"), n, line)
				if (strcmp(json_string_value(json_array_get(line, 0)), mark) ==
				    0)
					buf_addf(&all, "%s|",
						 json_string_value(json_array_get(line, 1)));
	return buf_take(&all);
}

static void assert_diff(json_t *answer, const char *label, const char *added,
			const char *removed)
{
	_cleanup_free_ char *plus = lines_of(hive_must(answer), "+");
	_cleanup_free_ char *minus = lines_of(answer, "-");
	json_t *against = json_object_get(json_object_get(answer, "diff"), "against");

	assert_string_equal(json_string_value(json_object_get(against, "label")), label);
	assert_string_equal(plus, added);
	assert_string_equal(minus, removed);
	json_decref(answer);
}

static void test_against_what_was_seen(void **state)
{
	const struct browser *b = *state;
	json_t *answer, *row;

	assert_int_equal(propose(b, "one"), 1);
	assert_int_equal(propose(b, "two"), 2);
	assert_int_equal(propose(b, "three"), 3);
	hive_refused(browser_ask(b, "{'cmd':'diff','id':3,'against':'seen'}"), "not_found");
	hive_do(browser_ask(b, "{'cmd':'seen','id':1}"));
	hive_do(browser_ask(b, "{'cmd':'seen','id':1}"));
	assert_diff(browser_ask(b, "{'cmd':'diff','id':3,'against':'seen'}"), "proposal/1",
		    "two|three|", "");
	/* looking at it does not make it the one before itself */
	hive_do(browser_ask(b, "{'cmd':'seen','id':3}"));
	assert_diff(browser_ask(b, "{'cmd':'diff','id':3,'against':'seen'}"), "proposal/1",
		    "two|three|", "");
	hive_do(browser_ask(b, "{'cmd':'seen','id':2}"));
	assert_diff(browser_ask(b, "{'cmd':'diff','id':3,'against':'seen'}"), "proposal/2",
		    "three|", "");
	assert_diff(browser_ask(b, "{'cmd':'diff','id':3,'against':2}"), "proposal/2", "three|",
		    "");
	answer = hive_must(browser_ask(b, "{'cmd':'proposal','id':3}"));
	row = json_object_get(answer, "proposal");
	assert_int_equal(json_integer_value(json_object_get(row, "seen_before")), 2);
	assert_non_null(json_object_get(row, "seen_at"));
	json_decref(answer);
	/* the same person's eyes on the operators' socket */
	assert_diff(hive_ask(b->u, "{'cmd':'diff','id':3,'against':'seen'}"), "proposal/2",
		    "three|", "");
	/* it outlives the daemon */
	hive_crash(b->u);
	hive_start(b->u);
	assert_diff(browser_ask(b, "{'cmd':'diff','id':3,'against':'seen'}"), "proposal/2",
		    "three|", "");
	hive_refused(browser_ask(b, "{'cmd':'seen','id':9}"), "not_found");
}

static void test_characters_are_kept(void **state)
{
	const struct browser *b = *state;

	assert_int_equal(propose(b, "a\033[31m\xe2\x80\xae\xff"), 1);
	assert_diff(browser_ask(b, "{'cmd':'diff','id':1}"), "base",
		    "a\033[31m\xe2\x80\xae\\xff|", "");
	/* where they would be shown as they are they never come */
	assert_diff(hive_ask(b->u, "{'cmd':'diff','id':1}"), "base", "a\\x1b[31mU+202E\\xff|",
		    "");
}

static void test_two_states(void **state)
{
	const struct browser *b = *state;

	hive_do(deploy(b, "one"));
	hive_do(deploy(b, "two"));
	assert_int_equal(propose(b, "three"), 3);
	/* what going back would change */
	assert_diff(browser_ask(b, "{'cmd':'diff','name':'alice','from':'deployed','to':1}"),
		    "deployed/2", "", "two|");
	assert_diff(browser_ask(b, "{'cmd':'diff','name':'alice','to':0}"), "deployed/2", "",
		    "one|two|");
	assert_diff(browser_ask(b, "{'cmd':'diff','name':'alice','from':1,'to':2}"),
		    "deployed/1", "two|", "");
	assert_diff(browser_ask(b, "{'cmd':'diff','name':'alice','from':0}"), "deployed/0",
		    "one|two|", "");
	/* what never ran is no state to go back to */
	hive_refused(browser_ask(b, "{'cmd':'diff','name':'alice','to':3}"), "not_found");
	hive_refused(browser_ask(b, "{'cmd':'diff','name':'alice','to':'base'}"),
		     "bad_request");
	hive_refused(browser_ask(b, "{'cmd':'diff','name':'nobody','to':1}"), "not_found");
	hive_refused(browser_ask(b, "{'cmd':'diff'}"), "bad_request");
}

static void test_all_of_an_agent(void **state)
{
	static const char *const expected[] = {"proposal/2", "denied/2",   "proposal/1",
					       "approved/1", "building/1", "deployed/1",
					       "deployed/0"};
	const struct browser *b = *state;
	json_t *answer, *row, *tag;
	size_t i, k, n = 0;

	hive_do(deploy(b, "one"));
	assert_int_equal(propose(b, "two"), 2);
	hive_do(browser_ask(b, "{'cmd':'deny','id':2,'note':'not today'}"));
	answer = hive_must(browser_ask(b, "{'cmd':'agent_history','name':'alice'}"));
	assert_int_equal(json_array_size(json_object_get(answer, "history")), 3);
	json_array_foreach (json_object_get(answer, "history"), i, row)
		json_array_foreach (json_object_get(row, "tags"), k, tag) {
			assert_true(n < ARRAY_SIZE(expected));
			assert_string_equal(json_string_value(json_object_get(tag, "name")),
					    expected[n]);
			if (strcmp(expected[n], "denied/2") == 0) {
				assert_string_equal(json_string_value(
							    json_object_get(tag, "note")),
						    "not today");
				assert_string_equal(json_string_value(
							    json_object_get(tag, "channel")),
						    "web");
			}
			n++;
		}
	assert_int_equal(n, ARRAY_SIZE(expected));
	json_decref(answer);
	answer = hive_must(
		browser_ask(b, "{'cmd':'agent_history','name':'alice','before':2,'limit':1}"));
	row = json_array_get(json_object_get(answer, "history"), 0);
	assert_int_equal(json_array_size(json_object_get(answer, "history")), 1);
	assert_int_equal(json_integer_value(json_object_get(row, "id")), 1);
	json_decref(answer);
	hive_refused(browser_ask(b, "{'cmd':'agent_history','name':'nobody'}"), "not_found");
	hive_refused(browser_ask(b, "{'cmd':'agent_history'}"), "bad_request");
}

/* Read while it moved: the row says where to, and what is there now can be compared with what
 * was. */
static void test_superseded_says_by_what(void **state)
{
	const struct browser *b = *state;
	json_t *answer, *now;

	assert_int_equal(propose(b, "one"), 1);
	assert_int_equal(propose(b, "two"), 2);
	assert_int_equal(propose(b, "three"), 3);
	answer = browser_ask(b, "{'cmd':'approve','id':1}");
	now = json_object_get(answer, "now");
	assert_int_equal(json_integer_value(json_object_get(now, "superseded_by")), 2);
	assert_null(json_object_get(now, "moved"));
	hive_refused(answer, "superseded");
}

static void test_stale_says_what_moved(void **state)
{
	const struct browser *b = *state;
	char out[256];
	json_t *answer, *now, *moved;

	hive_do(deploy(b, "one"));
	assert_int_equal(propose(b, "two"), 2);
	/* 3 is proposed while 2 is being built */
	touch(b->u, "hang-build");
	hive_do(browser_ask(b, "{'cmd':'approve','id':2}"));
	assert_int_equal(propose(b, "three"), 3);
	answer = browser_ask(b, "{'cmd':'pending'}");
	assert_null(json_object_get(json_array_get(json_object_get(answer, "approvals"), 0),
				    "moved"));
	json_decref(answer);
	hive_crash(b->u);
	sh(b->u, "rm hang-build; echo x", out);
	hive_start(b->u);
	await_state(b->u, 2, "deployed");
	answer = browser_ask(b, "{'cmd':'approve','id':3}");
	now = json_object_get(answer, "now");
	moved = json_object_get(now, "moved");
	assert_int_equal(json_integer_value(json_object_get(moved, "from")), 1);
	assert_int_equal(json_integer_value(json_object_get(moved, "to")), 2);
	hive_refused(answer, "stale");
	assert_diff(browser_ask(b, "{'cmd':'diff','name':'alice','from':1,'to':2}"),
		    "deployed/1", "two|", "");
}

/* A verdict of a browser is one of the operator whose login it is. */
static void test_who_decided(void **state)
{
	const struct browser *b = *state;
	char text[256];
	json_t *answer;

	hive_do(browser_ask(b, "{'cmd':'seen','id':%lld}", (long long)propose(b, "one")));
	hive_do(browser_ask(b, "{'cmd':'approve','id':1,'wait':true}"));
	answer = hive_must(hive_ask(b->u, "{'cmd':'proposal','id':1}"));
	(void)snprintf(text, sizeof(text), "uid %u", (unsigned)getuid());
	assert_string_equal(json_string_value(
				    json_object_get(json_object_get(answer, "proposal"),
						    "approved_by")),
			    text);
	json_decref(answer);
	assert_audit(b->u);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_browser, teardown_browser)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_against_what_was_seen),
		T(test_characters_are_kept),
		T(test_two_states),

		T(test_all_of_an_agent),
		T(test_who_decided),
		T(test_superseded_says_by_what),
		T(test_stale_says_what_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
