#include "unit.h"

#include "base/cleanup.h"
#include "wire/verb.h"

#include <errno.h>

static void test_parse(void **state)
{
	static const struct {
		const char *line;
		enum principal who;
		const char *code; /* NULL: accepted */
	} cases[] = {
		{"{\"cmd\":\"list\"}", PRINCIPAL_OPERATOR, NULL},
		{"{\"cmd\":\"list\",\"surprise\":1}", PRINCIPAL_OPERATOR, NULL},
		{"{\"cmd\":\"list\"}", PRINCIPAL_READER, NULL},
		{"{\"cmd\":\"list\"", PRINCIPAL_OPERATOR, "bad_request"},
		{"[\"list\"]", PRINCIPAL_OPERATOR, "bad_request"},
		{"{}", PRINCIPAL_OPERATOR, "bad_request"},
		{"{\"cmd\":7}", PRINCIPAL_OPERATOR, "bad_request"},
		{"{\"cmd\":\"list\",\"cmd\":\"approve\"}", PRINCIPAL_OPERATOR, "bad_request"},
		{"{\"cmd\":\"list\"} {}", PRINCIPAL_OPERATOR, "bad_request"},
		{"{\"cmd\":\"send\"}", PRINCIPAL_OPERATOR, "unknown_cmd"},
		{"{\"cmd\":\"remind\"}", PRINCIPAL_AGENT, "unknown_cmd"},
		{"{\"cmd\":\"LIST\"}", PRINCIPAL_OPERATOR, "unknown_cmd"},
		{"{\"cmd\":\"approve\",\"id\":1}", PRINCIPAL_OPERATOR, NULL},
		{"{\"cmd\":\"approve\",\"id\":1,\"flag_ack\":[]}", PRINCIPAL_OPERATOR,
		 "bad_request"},
		{"{\"cmd\":\"deny\",\"id\":1,\"nota\":\"x\"}", PRINCIPAL_OPERATOR,
		 "bad_request"},
		{"{\"cmd\":\"approve\",\"id\":1}", PRINCIPAL_READER, "forbidden"},
		{"{\"cmd\":\"approve\",\"id\":1}", PRINCIPAL_MANAGER, "forbidden"},
		{"{\"cmd\":\"deny\",\"id\":1}", PRINCIPAL_AGENT, "forbidden"},
		{"{\"cmd\":\"exec\"}", PRINCIPAL_MANAGER, "forbidden"},
		{"{\"cmd\":\"submit\"}", PRINCIPAL_AGENT, NULL},
		{"{\"cmd\":\"submit\"}", PRINCIPAL_READER, "forbidden"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct verb *verb = NULL;
		json_t *request = NULL;
		struct error err = {};
		int r = verb_parse_request(cases[i].line, strlen(cases[i].line), cases[i].who,
					   &request, &verb, &err);

		if (cases[i].code && (r >= 0 || strcmp(error_code(&err), cases[i].code) != 0))
			fail_msg("%s: %s", cases[i].line,
				 r < 0 ? error_code(&err) : "accepted");
		if (!cases[i].code && r != 0)
			fail_msg("%s: %s", cases[i].line, error_text(&err));
		json_decref(request);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
