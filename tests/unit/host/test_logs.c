/* The command line of a journalctl out of a request that anybody may have written. */
#include "unit.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "host/logs.h"

#include <errno.h>

#define MINE                                                                         \
	" _TRANSPORT=stdout + _TRANSPORT=syslog + PRIORITY=0 PRIORITY=1 PRIORITY=2 " \
	"PRIORITY=3 PRIORITY=4 + _SYSTEMD_UNIT=agent.service"

static void test_commands(void **state)
{
	static const struct {
		const char *arguments, *words; /* NULL: refused */
	} cases[] = {
		{"{}", "journalctl --quiet --no-pager --output=short-iso --lines=100"},
		{"{\"lines\":5,\"follow\":true,\"mine\":true}",
		 "journalctl --quiet --no-pager --output=short-iso --lines=5 --follow" MINE},
		{"{\"since\":\"-1h\",\"until\":\"now\",\"output\":\"json\",\"priority\":\"0.."
		 "4\"}",
		 "journalctl --quiet --no-pager --output=json --since=-1h --until=now "
		 "--priority=0..4 --lines=100"},
		{"{\"after_cursor\":\"s=a1;i=2f;b=0;m=1;t=5;x=9\"}",
		 "journalctl --quiet --no-pager --output=short-iso "
		 "--after-cursor=s=a1;i=2f;b=0;m=1;t=5;x=9 --lines=100"},
		{"{\"priority\":\"--directory=/\"}", NULL},
		{"{\"priority\":7}", NULL},
		{"{\"after_cursor\":\"s=/etc\"}", NULL},
		{"{\"output\":\"export\"}", NULL},
		{"{\"lines\":-1}", NULL},
		{"{\"lines\":100001}", NULL},
		{"{\"since\":\"0123456789012345678901234567890123456789012345678901234567890123"
		 "456789\"}",
		 NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *arguments = NULL;
		struct logs_command command;
		struct error err = {};
		_cleanup_buf_ struct buf text = {};
		int r;

		assert_int_equal(json_parse(cases[i].arguments, strlen(cases[i].arguments),
					    &arguments, NULL),
				 0);
		r = logs_command_init(&command, arguments, &err);
		for (size_t n = 0; r == 0 && n < command.count; n++)
			buf_addf(&text, "%s%s", n ? " " : "", command.argv[n]);
		assert_int_equal(r, cases[i].words ? 0 : -EINVAL);
		if (cases[i].words) {
			assert_string_equal(buf_str(&text), cases[i].words);
			assert_null(command.argv[command.count]);
		}
		logs_command_release(&command);
		json_decref(arguments);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
