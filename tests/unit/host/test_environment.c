#include "unit.h"

#include "base/cleanup.h"
#include "host/environment.h"

#define SEARCH_PATH                                                                           \
	"DefaultEnvironment=\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/" \
	"bin:/run/hive/bin\"\n"

static void test_quoting(void **state)
{
	char *env[] = {(char *)"PLAIN=x",
		       (char *)"QUOTES=say \"hi\" 'there'",
		       (char *)"BACK=C:\\new\\table",
		       (char *)"PERCENT=100% %n",
		       (char *)"DOLLAR=$HOME ${X}",
		       (char *)"EMPTY=",
		       (char *)"UTF8=grün",
		       (char *)"SEMI=;#x",
		       NULL};
	const struct container_spec spec = {
		.port = 8879,
		.dashboard_port = 7700,
		.label = (char *)"Alice \"A\" 50%",
		.env = env,
	};
	_cleanup_free_ char *text = environment_render(&spec);

	(void)state;
	assert_string_equal(text, "[Manager]\n" SEARCH_PATH "DefaultEnvironment=\"PLAIN=x\"\n"
				  "DefaultEnvironment=\"QUOTES=say \\\"hi\\\" 'there'\"\n"
				  "DefaultEnvironment=\"BACK=C:\\\\new\\\\table\"\n"
				  "DefaultEnvironment=\"PERCENT=100%% %%n\"\n"
				  "DefaultEnvironment=\"DOLLAR=$HOME ${X}\"\n"
				  "DefaultEnvironment=\"EMPTY=\"\n"
				  "DefaultEnvironment=\"UTF8=grün\"\n"
				  "DefaultEnvironment=\"SEMI=;#x\"\n"
				  "DefaultEnvironment=\"HIVE_PORT=8879\"\n"
				  "DefaultEnvironment=\"HIVE_LABEL=Alice \\\"A\\\" 50%%\"\n"
				  "DefaultEnvironment=\"HIVE_DASHBOARD_PORT=7700\"\n");
}

static void test_without_env(void **state)
{
	const struct container_spec spec = {.port = 1,
					    .dashboard_port = 2,
					    .label = (char *)"l"};
	_cleanup_free_ char *text = environment_render(&spec);

	(void)state;
	assert_string_equal(text,
			    "[Manager]\n" SEARCH_PATH "DefaultEnvironment=\"HIVE_PORT=1\"\n"
			    "DefaultEnvironment=\"HIVE_LABEL=l\"\n"
			    "DefaultEnvironment=\"HIVE_DASHBOARD_PORT=2\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_without_env),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
