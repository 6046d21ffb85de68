/* What files declare: every refusal names file and key, and what is merged is what is meant. */
#include "declare/files_unit.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <errno.h>

#define HIVE                                       \
	{                                          \
		"hive.json", "{\"name\":\"prod\"}" \
	}

/* ---- refusals ---- */

struct refusal {
	struct unit_file files[6];
	const char *said;
};

static const struct refusal refusals[] = {
	{{{"agents/a.json", "{}"}}, "there is no 'hive.json'"},
	{{{"hive.json", "[]"}}, "hive.json: it must be an object"},
	{{{"hive.json", "{\"name\":\"prod\",\"name\":\"x\"}"}},
	 "hive.json: not valid JSON: duplicate object key near '\"name\"'"},
	{{{"hive.json", "{}"}}, "hive.json: 'name' is missing"},
	{{{"hive.json", "{\"name\":\"a b\"}"}}, "hive.json: a hive's name has 1 to 63"},
	{{{"hive.json", "{\"name\":\"p\",\"includes\":[]}"}},
	 "hive.json: unknown key 'includes'; did you mean 'include'?"},
	{{{"hive.json", "-> ../secret"}}, "hive.json: it is a symlink"},
	{{HIVE, {"agents/alice.json", "{"}}, "agents/alice.json: not valid JSON"},
	{{HIVE, {"agents/alice.json", "{\"limits\":{\"memory_max\":\"12Q\"}}"}},
	 "agents/alice.json: 'limits.memory_max' must be bytes, or a number with K, M, G or T, "
	 "from 16M to 1T, not '12Q'"},
	{{HIVE, {"agents/alice.json", "{\"limits\":{\"memroy_max\":\"1G\"}}"}},
	 "agents/alice.json: unknown key 'limits.memroy_max'; did you mean "
	 "'limits.memory_max'?"},
	{{HIVE, {"agents/alice.json", "{\"limits\":{\"tasks_max\":1.5}}"}},
	 "agents/alice.json: 'limits.tasks_max' must be a string or a whole number"},
	{{HIVE, {"agents/alice.json", "{\"limits\":[]}"}},
	 "agents/alice.json: 'limits' must be an object"},
	{{HIVE, {"agents/alice.json", "{\"netwrok\":\"host\"}"}},
	 "agents/alice.json: unknown key 'netwrok'; did you mean 'network'?"},
	{{HIVE, {"agents/alice.json", "{\"port\":8100}"}},
	 "agents/alice.json: unknown key 'port'"},
	{{HIVE, {"agents/alice.json", "{\"network\":\"bridge\"}"}},
	 "agents/alice.json: 'network' must be \"host\" or \"private\", not 'bridge'"},
	{{HIVE, {"agents/alice.json", "{\"desired\":\"up\"}"}},
	 "agents/alice.json: 'desired' must be \"running\" or \"stopped\", not 'up'"},
	{{HIVE, {"agents/alice.json", "{\"paused\":\"no\"}"}},
	 "agents/alice.json: 'paused' must be true or false"},
	{{HIVE, {"agents/alice.json", "{\"parent\":\"-x\"}"}}, "agents/alice.json: 'parent'"},
	{{HIVE, {"agents/alice.json", "{\"labels\":{\"owner\":\"me\"}}"}},
	 "agents/alice.json: 'labels.owner' says whose an agent is"},
	{{HIVE, {"agents/alice.json", "{\"labels\":{\"team\":\"a b\"}}"}},
	 "agents/alice.json: 'labels.team': label"},
	{{HIVE, {"agents/alice.json", "{\"labels\":{\"team\":\"\"}}"}},
	 "agents/alice.json: 'labels.team' must be a string that is not empty"},
	{{HIVE, {"agents/alice.json", "{\"probe\":{\"kind\":\"ping\"}}"}},
	 "agents/alice.json: 'probe': 'kind' must be"},
	{{HIVE, {"agents/alice.json", "{\"image\":\"web\"}"}},
	 "agents/alice.json: 'image': there is no image 'web'"},
	{{HIVE, {"agents/alice.json", "{\"profiles\":[\"small\"]}"}},
	 "agents/alice.json: 'profiles': there is no profile 'small'"},
	{{HIVE, {"agents/alice.json", "{\"profiles\":[1]}"}},
	 "agents/alice.json: 'profiles' must hold strings only"},
	{{HIVE, {"agents/alice.json", "{\"hosts\":[\"\"]}"}}, "agents/alice.json: 'hosts'"},
	{{HIVE, {"agents/Alice.json", "{}"}}, "agents/Alice.json: the name of the file"},
	{{HIVE, {"agents/meta.json", "{}"}}, "'meta' is reserved"},
	{{HIVE, {"agents/alice.yaml", "{}"}},
	 "agents/alice.yaml: only NAME.json belongs in agents/"},
	{{HIVE, {"agents/red/alice.json", "{}"}},
	 "agents/red/alice.json: only NAME.json belongs in agents/"},
	{{HIVE, {"agents/alice.json", "-> bob.json"}}, "agents/alice.json: it is a symlink"},
	{{HIVE, {"profiles/p.json", "{\"image\":\"web\"}"}},
	 "profiles/p.json: unknown key 'image'"},
	{{HIVE, {"profiles/p.json", "{\"limits\":{\"cpu_quota\":\"lots\"}}"}},
	 "profiles/p.json: 'limits.cpu_quota'"},
	{{HIVE, {"images/web.json", "{\"builder\":\"docker\"}"}}, "images/web.json: "},
	{{HIVE, {"images/web.json", "{\"files\":\"../x\"}"}}, "images/web.json: 'files'"},
	{{HIVE, {"images/web.json", "{\"files\":\"other\"}"}},
	 "images/web.json: 'files': there is nothing in 'images/other/'"},
	{{HIVE, {"images/web.json", "{}"}, {"images/web/agent.json", "{\"probe\":1}"}},
	 "images/web/: agent.json: 'probe' must be an object"},
	{{HIVE, {"images/web.json", "{}"}, {"images/web/rootfs/x", "-> ../../../etc/passwd"}},
	 "images/web/: the symlink 'rootfs/x' leads out of its image"},
	{{HIVE, {"images/web.json", "{}"}, {"images/web/rootfs/.git/config", "x"}},
	 "images/web/: 'rootfs/.git/config' is no path inside an image"},
	{{{"hive.json", "{\"name\":\"p\",\"include\":[\"../x\"]}"}},
	 "hive.json: 'include': '../x' is no directory inside this one"},
	{{{"hive.json", "{\"name\":\"p\",\"include\":[\"/etc\"]}"}}, "'/etc' is no directory"},
	{{{"hive.json", "{\"name\":\"p\",\"include\":[\"a//b\"]}"}}, "'a//b' is no directory"},
	{{{"hive.json", "{\"name\":\"p\",\"include\":[\"team\"]}"}},
	 "hive.json: there is nothing in 'team/'"},
	{{{"hive.json", "{\"name\":\"p\",\"include\":[\"t\"]}"},
	  {"t/hive.json", "{\"name\":\"x\"}"}},
	 "t/hive.json: unknown key 'name'"},
	{{{"hive.json", "{\"name\":\"p\",\"include\":[\"t\"]}"},
	  {"agents/a.json", "{}"},
	  {"t/agents/a.json", "{}"}},
	 "t/agents/a.json: there is an agent 'a' in agents/a.json already"},
	{{{"hive.json", "{\"name\":\"p\",\"hosts\":{\"*\":{\"profile\":[]}}}"}},
	 "hive.json: 'hosts.*': unknown key 'profile'; did you mean 'profiles'?"},
	{{{"hive.json", "{\"name\":\"p\",\"hosts\":{\"*\":{\"profiles\":[\"x\"]}}}"},
	  {"agents/a.json", "{}"}},
	 "hive.json: 'profiles': there is no profile 'x'"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct error err = {};
		json_t *document = NULL;

		if (unit_read(refusals[i].files, "here", &document, &err) == 0)
			fail_msg("nobody said '%s'", refusals[i].said);
		assert_null(document);
		assert_text(&err, refusals[i].said);
	}
}

/* ---- what is made of them ---- */

static void check(const struct unit_file *files, const char *host, const char *wanted)
{
	json_auto_t *document = NULL, *expected = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = {};

	if (unit_read(files, host, &document, &err) < 0)
		fail_msg("%s", error_text(&err));
	assert_int_equal(json_parse(wanted, strlen(wanted), &expected, &err), 0);
	text = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
	if (!json_equal(document, expected))
		fail_msg("%s\nis not\n%s", text, wanted);
}

static void test_merge(void **state)
{
	static const struct unit_file files[] = {
		{"hive.json", "{\"name\":\"prod\",\"profiles\":[\"base\"],\"hosts\":{\"lab-*\":"
			      "{\"profiles\":[\"lab\"]}}}"},
		{"profiles/base.json",
		 "{\"network\":\"private\",\"limits\":{\"memory_max\":\"1G\",\"tasks_max\":99},"
		 "\"labels\":{\"tier\":\"x\",\"a\":\"1\"},\"probe\":{\"kind\":\"tcp\",\"port\":"
		 "80}}"},
		{"profiles/lab.json", "{\"limits\":{\"memory_max\":\"512M\"}}"},
		{"profiles/big.json", "{\"limits\":{\"cpu_quota\":\"200%\"}}"},
		{"agents/alice.json",
		 "{\"profiles\":[\"big\"],\"network\":null,\"limits\":{\"tasks_max\":null},"
		 "\"labels\":{\"tier\":\"y\"},\"probe\":{\"kind\":\"none\"}}"},
		{"agents/bob.json", "{\"hosts\":[\"lab-2\",\"web?\"],\"limits\":null}"},
		{"README.md", "not looked at"},
		{},
	};

	(void)state;
	check(files, "here",
	      "{\"version\":1,\"hive\":\"prod\",\"images\":{},\"agents\":{\"alice\":{"
	      "\"limits\":{\"memory_max\":\"1G\",\"cpu_quota\":\"200%\"},\"labels\":{\"tier\":"
	      "\"y\",\"a\":\"1\"},\"probe\":{\"kind\":\"none\"}}}}");
	check(files, "lab-2",
	      "{\"version\":1,\"hive\":\"prod\",\"images\":{},\"agents\":{\"alice\":{"
	      "\"limits\":{\"memory_max\":\"512M\",\"cpu_quota\":\"200%\"},\"labels\":{"
	      "\"tier\":\"y\",\"a\":\"1\"},\"probe\":{\"kind\":\"none\"}},\"bob\":{"
	      "\"network\":\"private\",\"labels\":{\"tier\":\"x\",\"a\":\"1\"},\"probe\":{"
	      "\"kind\":\"tcp\",\"port\":80}}}}");
}

/* Two that include each other are each read once, and only images that are used go along. */
static void test_includes(void **state)
{
	static const struct unit_file files[] = {
		{"hive.json", "{\"name\":\"prod\",\"include\":[\"a\",\"b/c\",\"a\"]}"},
		{"a/hive.json", "{\"description\":\"of a\"}"},
		{"a/agents/one.json", "{\"image\":\"web\"}"},
		{"b/c/agents/two.json", "{\"profiles\":[\"p\"]}"},
		{"b/c/images/web.json", "{\"builder\":\"overlay\",\"files\":\"site\"}"},
		{"b/c/images/site/rootfs/etc/x", "@NAME@"},
		{"b/c/images/site/rootfs/etc/y", "-> x"},
		{"b/c/images/unused.json", "{}"},
		{"a/profiles/p.json", "{\"paused\":true}"},
		{},
	};

	(void)state;
	check(files, "here",
	      "{\"version\":1,\"hive\":\"prod\",\"images\":{\"web\":{\"builder\":\"overlay\","
	      "\"files\":[{\"path\":\"rootfs/etc/x\",\"data\":\"@NAME@\"},{\"path\":"
	      "\"rootfs/etc/y\",\"data\":\"x\",\"symlink\":true}]}},\"agents\":{\"one\":{"
	      "\"image\":\"web\"},\"two\":{\"paused\":true}}}");
}

static void test_bounds(void **state)
{
	struct unit_file files[12] = {{"hive.json", "{\"name\":\"p\",\"include\":[\"d\"]}"}};
	char paths[10][64] = {};
	struct error err = {};
	json_t *document = NULL;
	struct source *s = source_new();

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		for (size_t j = 0; j <= i; j++)
			strcat(paths[i], "d/");
		strcat(paths[i], "hive.json");
		files[i + 1] = (struct unit_file){paths[i], "{\"include\":[\"d\"]}"};
	}
	assert_int_equal(unit_read(files, "here", &document, &err), -E2BIG);
	assert_text(&err, "within each other");

	for (size_t i = 0; i < SOURCE_MAX_FILES; i++)
		assert_int_equal(source_add(s, "x", "", 0, false, false, &err), 0);
	assert_int_equal(source_add(s, "agents/y.json", "", 0, false, false, &err), -E2BIG);
	assert_text(&err, "'agents/y.json': there are more than 4096 files");
	source_free(s);

	s = source_new();
	assert_int_equal(source_add(s, "big", "", SOURCE_MAX_FILE_BYTES + 1, false, false,
				    &err),
			 -E2BIG);
	assert_text(&err, "'big' has more than 1024 KiB");
	assert_int_equal(source_add(s, "a\xff", "", 0, false, false, &err), -EINVAL);
	source_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
