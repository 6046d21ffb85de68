#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "web/query.h"

#include <errno.h>

static const struct route_param params[] = {
	{"text", "text", PARAM_TEXT},       {"n", "number", PARAM_INT},
	{"on", "on", PARAM_FLAG},           {"list", "list", PARAM_LIST},
	{"either", "either", PARAM_NUMBER}, {},
};

static void test_values(void **state)
{
	static const struct {
		const char *query, *object; /* NULL: refused */
	} cases[] = {
		{"", "{}"},
		{"&&", "{}"},
		{"text=", "{\"text\":\"\"}"},
		{"text=a%20b+c%2Bd", "{\"text\":\"a b c+d\"}"},
		{"text=%C3%a4", "{\"text\":\"\xc3\xa4\"}"},
		{"text=a=b", "{\"text\":\"a=b\"}"},
		{"n=-5", "{\"number\":-5}"},
		{"n=9223372036854775807", "{\"number\":9223372036854775807}"},
		{"on", "{\"on\":true}"},
		{"on=1", "{\"on\":true}"},
		{"on=0", "{\"on\":false}"},
		{"list=a,,b", "{\"list\":[\"a\",\"b\"]}"},
		{"list=", "{\"list\":[]}"},
		{"either=7", "{\"either\":7}"},
		{"either=seen", "{\"either\":\"seen\"}"},
		{"n=1&on&text=x", "{\"number\":1,\"on\":true,\"text\":\"x\"}"},
		{"n=", NULL},
		{"n=x", NULL},
		{"n= 1", NULL},
		{"n=1x", NULL},
		{"n=9223372036854775808", NULL},
		{"on=yes", NULL},
		{"text=%", NULL},
		{"text=%4", NULL},
		{"text=%4g", NULL},
		{"text=%00", NULL},
		{"text=%ff", NULL},
		{"text=%c3", NULL},
		{"text=1&text=2", NULL},
		{"other=1", NULL},
		{"tex=1", NULL},
		{"texts=1", NULL},
		{"=1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *got = json_object(), *wanted = NULL;
		struct error err = {};
		int r = query_read(cases[i].query, params, got, &err);

		if ((r == 0) != (cases[i].object != NULL))
			fail_msg("'%s': %s", cases[i].query,
				 r < 0 ? error_text(&err) : "taken");
		if (r < 0)
			assert_string_equal(error_code(&err), "bad_request");
		if (cases[i].object) {
			assert_int_equal(json_parse(cases[i].object, strlen(cases[i].object),
						    &wanted, &err),
					 0);
			if (!json_equal(got, wanted))
				fail_msg("'%s' is something else", cases[i].query);
		}
		json_decref(got);
		json_decref(wanted);
	}
}

static void test_no_params(void **state)
{
	json_t *got = json_object();
	struct error err = {};

	(void)state;
	assert_int_equal(query_read("", NULL, got, &err), 0);
	assert_int_equal(query_read("a=1", NULL, got, &err), -EINVAL);
	json_decref(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_no_params),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
