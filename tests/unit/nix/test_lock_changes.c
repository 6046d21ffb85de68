/* What two locks differ in, as it is told to people. */
#include "unit.h"

#include "nix/lock_changes.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <string.h>

#define NODE(name, locked) "\"" name "\":{\"locked\":{" locked "}}"
#define LOCK(nodes)                                                                           \
	"{\"nodes\":{" nodes ",\"root\":{\"inputs\":{\"agent-a\":\"agent-a\",\"n\":\"n\"}}}," \
	"\"root\":\"root\",\"version\":7}"
#define AGENT(rev) NODE("agent-a", "\"type\":\"git\",\"rev\":\"" rev "\"")
#define ONE "1111111111111111111111111111111111111111"
#define TWO "2222222222222222222222222222222222222222"
#define GIT(rev, at)                                                                        \
	NODE("n", "\"type\":\"git\",\"url\":\"file:///n\",\"lastModified\":" at ",\"rev\":" \
		  "\"" rev "\"")

static void assert_changes(const char *from, const char *to, const char *wanted)
{
	_cleanup_(lock_freep) struct lock *a = NULL, *b = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = {};
	json_t *changes;

	if (lock_parse(from, strlen(from), &a, &err) < 0 ||
	    lock_parse(to, strlen(to), &b, &err) < 0)
		fail_msg("%s", error_text(&err));
	changes = lock_changes(a, b);
	text = json_dumps(changes, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(changes);
	assert_string_equal(text, wanted);
}

static void test_changes(void **state)
{
	(void)state;
	/* agents move every day, and are not what this is about */
	assert_changes(LOCK(AGENT(ONE) "," GIT(ONE, "1")), LOCK(AGENT(TWO) "," GIT(ONE, "1")),
		       "[]");
	assert_changes(LOCK(AGENT(ONE) "," GIT(ONE, "1")),
		       LOCK(AGENT(ONE) "," GIT(TWO, "86400")),
		       "[{\"change\":\"changed\",\"from\":{\"at\":\"1970-01-01T00:00:01Z\","
		       "\"rev\":\"" ONE
		       "\",\"url\":\"file:///n\"},\"name\":\"n\",\"to\":{\"at\":"
		       "\"1970-01-02T00:00:00Z\",\"rev\":\"" TWO "\",\"url\":\"file:///n\"}}]");
	assert_changes(LOCK(AGENT(ONE) "," GIT(ONE, "1")),
		       LOCK(AGENT(ONE) "," GIT(ONE, "1") "," NODE(
			       "m",
			       "\"type\":\"github\",\"owner\":\"o\",\"repo\":\"r\\u001b[1m\"")),
		       "[{\"change\":\"added\",\"name\":\"m\",\"to\":{\"url\":\"github:o/"
		       "r\\\\x1b[1m\"}}]");
	assert_changes(LOCK(AGENT(ONE) "," GIT(ONE, "1") "," NODE("m", "\"path\":\"/m\"")),
		       LOCK(AGENT(ONE) "," GIT(ONE, "1")),
		       "[{\"change\":\"removed\",\"from\":{\"url\":\"/m\"},\"name\":\"m\"}]");
}

static void test_bound(void **state)
{
	_cleanup_buf_ struct buf many = {};
	_cleanup_(lock_freep) struct lock *a = NULL, *b = NULL;
	json_t *changes;

	(void)state;
	buf_add_str(&many, "{\"nodes\":{");
	for (int i = 0; i < 100; i++)
		buf_addf(&many, "\"m%d\":{\"locked\":{}},", i);
	buf_add_str(&many, "\"root\":{\"inputs\":{}}},\"root\":\"root\",\"version\":7}");
	assert_int_equal(lock_parse(buf_str(&many), many.size, &a, NULL), 0);
	b = lock_new();
	changes = lock_changes(a, b);
	assert_int_equal(json_array_size(changes), LOCK_CHANGES_MAX);
	json_decref(changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
