/* What Nix says, as text for people. */
#include "unit.h"

#include "nix/report.h"

#include "base/cleanup.h"

#include <string.h>

static void test_lines(void **state)
{
	static const struct {
		const char *in, *out, *error;
	} cases[] = {
		{"plain\n", "plain\n", ""},
		{"no newline", "no newline\n", ""},
		{"@nix {\"action\":\"msg\",\"level\":0,\"msg\":\"\\u001b[31;1merror:\\u001b[0m "
		 "no\"}\n",
		 "error: no\n", "error: no"},
		{"@nix {\"action\":\"msg\",\"level\":1,\"msg\":\"warning\"}\n", "warning\n",
		 ""},
		{"@nix {\"action\":\"start\",\"level\":3,\"text\":\"building x\"}\n",
		 "building x\n", ""},
		{"@nix {\"action\":\"start\",\"level\":5,\"text\":\"querying\"}\n", "", ""},
		{"@nix {\"action\":\"result\",\"type\":101,\"fields\":[\"a line\"]}\n",
		 "a line\n", ""},
		{"@nix {\"action\":\"result\",\"type\":105,\"fields\":[1,2]}\n", "", ""},
		{"@nix {\"action\":\"stop\",\"id\":1}\n", "", ""},
		{"@nix {broken\n", "@nix {broken\n", ""},
		/* a builder that plays a terminal, or Nix */
		{"a\033]0;title\007b\033[2Jc\n", "a\\x1b]0;title\\x07bc\n", ""},
		{"@nix {\"action\":\"result\",\"type\":101,\"fields\":[\"@nix {}\"]}\n",
		 "@nix {}\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t step = 1; step < 8; step += 6) {
			struct report report = {};
			_cleanup_buf_ struct buf out = {};
			size_t size = strlen(cases[i].in);

			for (size_t at = 0; at < size; at += step)
				report_take(&report, cases[i].in + at,
					    size - at < step ? size - at : step, &out);
			report_end(&report, &out);
			assert_string_equal(buf_str(&out), cases[i].out);
			assert_string_equal(report_error(&report), cases[i].error);
			report_release(&report);
		}
}

static void test_first_error(void **state)
{
	static const char in[] =
		"@nix {\"action\":\"msg\",\"level\":0,\"msg\":\"first\\n\\nmore\\n\"}\n"
		"@nix {\"action\":\"msg\",\"level\":0,\"msg\":\"second\"}\n";
	_cleanup_buf_ struct buf out = {};
	struct report report = {};

	(void)state;
	report_take(&report, in, strlen(in), &out);
	assert_string_equal(report_error(&report), "first\n\nmore");
	report_release(&report);
}

static void test_long(void **state)
{
	_cleanup_buf_ struct buf out = {};
	struct report report = {};

	(void)state;
	for (int i = 0; i < 100; i++) {
		char chunk[4096];

		memset(chunk, 'x', sizeof(chunk));
		report_take(&report, chunk, sizeof(chunk), &out);
	}
	assert_true(report.line.size <= REPORT_LINE_MAX);
	report_take(&report, "\nnext\n", 6, &out);
	assert_true(out.size < 2 * REPORT_LINE_MAX);
	assert_string_equal(out.data + out.size - 6, "\nnext\n");
	report_release(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_first_error),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
