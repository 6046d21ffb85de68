/* What nobody needs any more goes while the hive is idle, and only that. */
#include "hive_steps.h"

static bool is_there(const struct hive_unit *u, const char *name)
{
	_cleanup_free_ char *path = str_format("%s/%s", u->dir, name);

	return access(path, F_OK) == 0;
}

static void await_file(const struct hive_unit *u, const char *name, bool there)
{
	for (int i = 0; i < 500 && is_there(u, name) != there; i++)
		usleep(20000);
	if (is_there(u, name) != there)
		fail_msg("'%s' is %s", name, there ? "not there" : "still there");
}

static void deploy(struct hive_unit *u, const char *agent, const char *text, char tree[256])
{
	char commit[256];
	json_t *answer;
	int64_t id;

	change(u, agent, text, commit);
	id = submit(u, agent, commit);
	answer = hive_must(hive_ask(u, "{'cmd':'approve','id':%lld,'commit':'%s','wait':true}",
				    (long long)id, commit));
	(void)hive_text(tree, answer, "proposal", "tree");
	json_decref(answer);
}

static void test_tidy(void **state)
{
	struct hive_unit *u = *state;
	char trees[4][256], out[256];

	spawn(u, "alice");
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		_cleanup_free_ char *text = str_format("line %zu", i);

		deploy(u, "alice", text, trees[i]);
	}
	await_agent(u, "alice", "running");
	assert_true(is_there(u, "logs/1.log"));
	touch(u, "logs/notes.txt");
	/* the last two of each are kept */
	touch(u, "tidy-soon");
	hive_crash(u);
	hive_start(u);
	await_file(u, "logs/2.log", false);
	await_file(u, "logs/1.log", false);
	assert_true(is_there(u, "logs/3.log"));
	assert_true(is_there(u, "logs/4.log"));
	assert_true(is_there(u, "logs/notes.txt"));
	await_file(u, "retained", true);
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		_cleanup_free_ char *script =
			str_format("grep -c %s retained || true", trees[i]);

		sh(u, script, out);
		assert_string_equal(out, i < 2 ? "0" : "1");
	}
	await_file(u, "applied/alice/.git/packed-refs", true);
	await_file(u, "applied/alice/.git/refs/tags/deployed/4", false);
	await_file(u, "applied/alice/.git/refs/tags/deployed", false);
	await_file(u, "meta/.git/packed-refs", true);
	/* and nothing is missing */
	hive_do(hive_ask(u, "{'cmd':'rollback','name':'alice','to':1,'wait':true}"));
	sh(u, "git -C applied/alice fsck --strict > /dev/null && echo whole", out);
	assert_string_equal(out, "whole");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hive_test(test_tidy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
