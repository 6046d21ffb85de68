/* What is mounted in a container, against what nspawn was told to bind. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "host/differ.h"

#define OWN "25 1 254:0 / / rw - ext4 /dev/vda rw\n40 25 0:30 / /run rw - tmpfs t rw\n"
#define STATE "7 6 254:0 /var/lib/skep/agents/a/state /state rw,nosuid - ext4 d rw\n"
#define HIVE "8 6 0:30 /skep/agents/a /run/hive ro,nosuid - tmpfs t rw\n"

static const struct {
	const char *what, *argument, *leaders, *row; /* NULL: no difference */
} cases[] = {
	{"as told", "--bind=/var/lib/skep/agents/a/state:/state", STATE, NULL},
	{"not there", "--bind=/var/lib/skep/agents/a/state:/state", HIVE,
	 "bind /state|/var/lib/skep/agents/a/state|nothing"},
	{"moved away", "--bind=/var/lib/skep/agents/a/state:/state",
	 "7 6 254:0 /var/lib/skep/agents/a/old /state rw - ext4 d rw\n",
	 "bind /state|/var/lib/skep/agents/a/state|/var/lib/skep/agents/a/old"},
	{"removed", "--bind=/var/lib/skep/agents/a/state:/state",
	 "7 6 254:0 /var/lib/skep/agents/a/state//deleted /state rw - ext4 d rw\n",
	 "bind /state|/var/lib/skep/agents/a/state|/var/lib/skep/agents/a/state//deleted"},
	{"the same path of another device", "--bind=/var/lib/skep/agents/a/state:/state",
	 "7 6 254:1 /var/lib/skep/agents/a/state /state rw - ext4 d rw\n",
	 "bind /state|/var/lib/skep/agents/a/state|/var/lib/skep/agents/a/state"},
	{"covered by the container's own mount", "--bind=/var/lib/skep/agents/a/state:/state",
	 STATE "9 7 0:50 / /state rw - tmpfs t rw\n", NULL},
	{"read-only", "--bind-ro=/run/skep/agents/a:/run/hive", HIVE, NULL},
	{"read-only, with shifted owners", "--bind-ro=/run/skep/agents/a:/run/hive:rootidmap",
	 HIVE, NULL},
	{"writable", "--bind-ro=/run/skep/agents/a:/run/hive",
	 "8 6 0:30 /skep/agents/a /run/hive rw - tmpfs t rw\n",
	 "bind /run/hive|/run/skep/agents/a, read-only|writable"},
	{"read-only on top of the unit's own", "--bind-ro=/run/skep/agents/a:/run/hive",
	 "8 6 0:30 /skep/agents/a /run/hive rw - tmpfs t rw\n9 8 0:30 /skep/agents/a /run/hive "
	 "ro "
	 "- tmpfs t rw\n",
	 NULL},
	{"writable on top", "--bind-ro=/run/skep/agents/a:/run/hive",
	 HIVE "9 8 0:30 /skep/agents/a /run/hive rw - tmpfs t rw\n",
	 "bind /run/hive|/run/skep/agents/a, read-only|writable"},
	{"covered by what can be written", "--bind-ro=/run/skep/agents/a:/run/hive",
	 HIVE "9 8 0:50 / /run/hive rw - tmpfs t rw\n", NULL},
	{"a covered /usr", "--bind-ro=/usr:/usr:norbind,idmap",
	 "9 6 0:77 / /usr ro - overlay o ro\n10 9 0:50 / /usr rw - tmpfs t rw\n", NULL},
	{"a stack in place of the machine's own", "--bind-ro=/usr:/usr:norbind,idmap",
	 "9 6 0:77 / /usr ro - overlay o ro\n", NULL},
	{"no /usr", "--bind-ro=/usr:/usr:norbind,idmap", STATE,
	 "bind /usr|/usr, read-only|nothing"},
	{"an older client", "--bind-ro=/usr/libexec/skep:/run/hive/bin/skep",
	 "9 6 254:0 /usr/libexec/skep//deleted /run/hive/bin/skep ro - ext4 d rw\n", NULL},
	{"colons in a path", "--bind=/var/lib/my\\:hive/s:/state",
	 "7 6 254:0 /var/lib/my:hive/s /state rw - ext4 d rw\n", NULL},
	{"no bind at all", "--boot", "", NULL},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[] = {(char *)"nspawn", (char *)cases[i].argument, NULL};
		json_t *list = json_array(), *row;
		_cleanup_free_ char *text = NULL;

		differ_binds(OWN, cases[i].leaders, argv, list);
		row = json_array_get(list, 0);
		text = row ? str_format("%s|%s|%s",
					json_string_value(json_object_get(row, "field")),
					json_string_value(json_object_get(row, "want")),
					json_string_value(json_object_get(row, "have")))
			   : NULL;
		if (cases[i].row ? !text || strcmp(text, cases[i].row) != 0 : text != NULL)
			fail_msg("%s: %s", cases[i].what, text ? text : "no difference");
		assert_true(json_array_size(list) <= 1);
		json_decref(list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
