/* What an answer says went wrong, and the answer that says it again. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "host/message.h"

#include <errno.h>

static void test_failures(void **state)
{
	static const struct {
		const char *answer;
		int r;
		const char *text, *hint;
	} cases[] = {
		{"{\"ok\":true}", 0, "", ""},
		{"{\"ok\":false,\"errno\":2,\"code\":\"not_found\",\"error\":\"no "
		 "x\",\"hint\":\"h\"}",
		 -ENOENT, "no x", "h"},
		{"{\"ok\":false,\"errno\":2,\"error\":\"\"}", -ENOENT, "failed", ""},
		{"{\"ok\":false,\"errno\":5000,\"error\":7}", -EIO, "failed", ""},
		{"{}", -EIO, "failed", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_auto_t *answer = json_loads(cases[i].answer, 0, NULL), *said = NULL;
		struct error err = {}, again = {};

		assert_int_equal(message_result(answer, &err), cases[i].r);
		assert_string_equal(err.text, cases[i].text);
		assert_string_equal(err.hint, cases[i].hint);
		if (cases[i].r == 0)
			continue;
		said = message_failure(1, &err);
		assert_int_equal(message_result(said, &again), cases[i].r);
		assert_string_equal(again.text, err.text);
		assert_string_equal(again.hint, err.hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
