/* What Nix built is what is wanted: the record says which system that is, and nothing else is
 * gone back to. */
#include "hive_drift.h"

#define OTHER "/nix/store/00000000000000000000000000000000-other"

static const char newer[] =
	"{\"nodes\":{\"root\":{\"inputs\":{\"nixpkgs\":\"nixpkgs\",\"base\":\"base\"}},"
	"\"nixpkgs\":{\"locked\":{\"type\":\"git\",\"url\":\"file:///"
	"n\",\"lastModified\":86400,"
	"\"rev\":\"2222222222222222222222222222222222222222\"}},"
	"\"base\":{\"locked\":{\"type\":\"path\"}}},\"root\":\"root\",\"version\":7}";

static void spawn_nix(struct hive_unit *u)
{
	touch(u, "keep-world");
	hive_do(hive_ask(u, "{'cmd':'spawn','name':'alice','builder':'nix','wait':true}"));
	set(u, "probe.grace", "1");
	set(u, "probe.soak", "0");
}

static void running(struct hive_unit *u, char out[256])
{
	json_t *answer = hive_must(hive_ask(u, "{'cmd':'agent','name':'alice'}"));

	hive_text(out, answer, "agent", "system_running");
	json_decref(answer);
}

/* Nothing differs, nor does a daemon think so that was started anew. */
static void assert_true_to_it(struct hive_unit *u)
{
	char before[256], after[256], starts[256], now[256];

	running(u, before);
	sh(u, "wc -l < starts", starts);
	await_look(u);
	assert_int_equal(count_rows(u), 0);
	assert_true(hive_stop(u, 5));
	hive_crash(u);
	hive_start(u);
	await_agent(u, "alice", "running");
	await_look(u);
	assert_int_equal(count_rows(u), 0);
	running(u, after);
	assert_string_equal(after, before);
	sh(u, "wc -l < starts", now);
	assert_string_equal(now, starts);
	assert_int_equal(ended(u, "heal"), 0);
}

static void test_deployed(void **state)
{
	struct hive_unit *u = *state;
	char system[256], now[256];
	_cleanup_free_ char *row = NULL;

	spawn_nix(u);
	assert_true_to_it(u);
	sh(u,
	   "git -C applied/alice/.git cat-file tag deployed/0 | sed -n 's/^Skep-System: //p'",
	   system);
	running(u, now);
	assert_string_equal(now, system);
	set(u, "reconcile", "report");
	found(u, "entry-alice", "{'system':'" OTHER "'}");
	row = str_format("system|%s|" OTHER, system);
	await_row(u, "alice", "system", row);
	set(u, "reconcile", "apply");
	await_ended(u, "heal", 1);
	await_none(u);
}

static void test_newer_inputs(void **state)
{
	struct hive_unit *u = *state;
	_cleanup_free_ char *path = str_format("%s/locked", u->dir);
	char was[256], is[256];
	json_t *answer;

	spawn_nix(u);
	running(u, was);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, newer, strlen(newer), 0600, NULL),
			 0);
	answer = hive_must(hive_ask(u, "{'cmd':'update_inputs','description':'d'}"));
	hive_do(hive_ask(u, "{'cmd':'approve','id':%lld,'wait':true}",
			 (long long)json_integer_value(json_object_get(answer, "id"))));
	json_decref(answer);
	running(u, is);
	assert_string_not_equal(is, was);
	assert_true_to_it(u);
}

static void test_failed_rebuild(void **state)
{
	struct hive_unit *u = *state;

	spawn_nix(u);
	touch(u, "once-build");
	hive_refused(hive_ask(u, "{'cmd':'rebuild','name':'alice','wait':true}"),
		     "build_failed");
	assert_true_to_it(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_deployed),
		hive_test(test_newer_inputs),
		hive_test(test_failed_rebuild),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
