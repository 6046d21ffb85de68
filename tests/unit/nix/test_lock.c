/* flake.lock without Nix. That Nix agrees with every byte is tests/host/nix-lock.bats. */
#include "unit.h"

#include "nix/lock.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

#define A "1111111111111111111111111111111111111111"
#define B "2222222222222222222222222222222222222222"

/* As Nix writes it: a base that follows, with an input of its own whose name was taken. */
static const char base[] =
	"{\n  \"nodes\": {\n"
	"    \"base\": {\n      \"inputs\": {\n        \"nixpkgs\": [\n          \"nixpkgs\"\n"
	"        ],\n        \"tools\": \"tools\"\n      },\n      \"locked\": {\n"
	"        \"lastModified\": 3,\n        \"narHash\": \"sha256-b/+=\",\n"
	"        \"path\": \"/b\\u0001\xc3\xa9\",\n        \"type\": \"path\"\n      },\n"
	"      \"original\": {\n        \"path\": \"/b\",\n        \"type\": \"path\"\n      "
	"}\n"
	"    },\n"
	"    \"nixpkgs\": {\n      \"locked\": {\n        \"lastModified\": 2,\n"
	"        \"path\": \"/n\",\n        \"type\": \"path\"\n      }\n    },\n"
	"    \"root\": {\n      \"inputs\": {\n        \"base\": \"base\",\n"
	"        \"nixpkgs\": \"nixpkgs\"\n      }\n    },\n"
	"    \"tools\": {\n      \"flake\": false,\n      \"locked\": {\n"
	"        \"lastModified\": 1,\n        \"type\": \"path\"\n      }\n    }\n"
	"  },\n  \"root\": \"root\",\n  \"version\": 7\n}\n";

static struct lock *parse(const char *text)
{
	struct error err = {};
	struct lock *lock = NULL;

	if (lock_parse(text, strlen(text), &lock, &err) < 0)
		fail_msg("%s", error_text(&err));
	return lock;
}

static void put(struct lock *lock, const char *agent, const char *commit, int64_t at)
{
	struct error err = {};

	if (lock_put_agent(lock, "/var/lib/skep/applied", agent, commit, at, &err) < 0)
		fail_msg("%s", error_text(&err));
}

static void assert_bytes(const struct lock *lock, const char *wanted)
{
	_cleanup_free_ char *text = lock_write(lock);

	assert_string_equal(text, wanted);
}

static void test_bytes(void **state)
{
	_cleanup_(lock_freep) struct lock *lock = parse(base), *empty = lock_new();

	(void)state;
	assert_bytes(lock, base);
	assert_bytes(empty, "");
	put(empty, "alice", A, 1735787045);
	assert_bytes(
		empty,
		"{\n  \"nodes\": {\n    \"agent-alice\": {\n      \"locked\": {\n"
		"        \"lastModified\": 1735787045,\n"
		"        \"ref\": \"refs/heads/main\",\n        \"rev\": \"" A "\",\n"
		"        \"shallow\": true,\n        \"type\": \"git\",\n"
		"        \"url\": \"file:///var/lib/skep/applied/alice\"\n      },\n"
		"      \"original\": {\n        \"ref\": \"refs/heads/main\",\n"
		"        \"shallow\": true,\n        \"type\": \"git\",\n"
		"        \"url\": \"file:///var/lib/skep/applied/alice\"\n      }\n    },\n"
		"    \"root\": {\n      \"inputs\": {\n"
		"        \"agent-alice\": \"agent-alice\"\n      }\n    }\n  },\n"
		"  \"root\": \"root\",\n  \"version\": 7\n}\n");
	lock_remove_agent(empty, "alice");
	assert_bytes(empty, "");
}

static void test_agents(void **state)
{
	_cleanup_(lock_freep) struct lock *lock = parse(base), *again = NULL;
	_cleanup_free_ char *one = NULL, *two = NULL, *own = NULL;
	char commit[OID_HEX_SIZE];

	(void)state;
	put(lock, "bob", A, 5);
	put(lock, "al", A, 6);
	one = lock_write(lock);
	put(lock, "bob", B, 7);
	two = lock_write(lock);
	assert_string_not_equal(one, two);
	assert_true(lock_get_agent(lock, "bob", commit));
	assert_string_equal(commit, B);
	assert_false(lock_get_agent(lock, "alice", commit));
	put(lock, "bob", A, 5);
	assert_bytes(lock, one);
	own = lock_base(lock);
	assert_string_equal(own, base);
	lock_remove_agent(lock, "bob");
	lock_remove_agent(lock, "bob");
	lock_remove_agent(lock, "al");
	assert_bytes(lock, base);
	again = parse(one);
	assert_bytes(again, one);
}

static bool is_bob(const char *agent, const void *data)
{
	(void)data;
	return strcmp(agent, "bob") == 0;
}

static void test_keep(void **state)
{
	_cleanup_(lock_freep) struct lock *lock = parse(base);
	char commit[OID_HEX_SIZE];

	(void)state;
	put(lock, "alice", A, 1);
	put(lock, "bob", A, 1);
	put(lock, "bobby", A, 1);
	lock_keep_agents(lock, is_bob, NULL);
	assert_true(lock_get_agent(lock, "bob", commit));
	assert_false(lock_get_agent(lock, "alice", commit));
	assert_false(lock_get_agent(lock, "bobby", commit));
	assert_true(lock_has_input(lock, "nixpkgs"));
}

static void test_base(void **state)
{
	_cleanup_(lock_freep) struct lock *lock = parse(base), *other = lock_new();
	struct error err = {};
	_cleanup_free_ char *text = NULL;
	char commit[OID_HEX_SIZE];

	(void)state;
	assert_true(lock_follows(lock, "base", "nixpkgs"));
	assert_true(lock_has_inner(lock, "base", "tools"));
	assert_false(lock_follows(lock, "base", "tools"));
	assert_false(lock_has_inner(lock, "nixpkgs", "tools"));
	put(other, "alice", A, 1);
	assert_int_equal(lock_replace_base(other, lock, &err), 0);
	assert_true(lock_get_agent(other, "alice", commit));
	text = lock_base(other);
	assert_string_equal(text, base);
	/* what only it led to goes too, what it shared stays */
	lock_remove_input(lock, "base");
	assert_false(lock_has_input(lock, "base"));
	assert_true(lock_has_input(lock, "nixpkgs"));
	free(text);
	text = lock_write(lock);
	assert_null(strstr(text, "tools"));
}

static void test_clash(void **state)
{
	_cleanup_(lock_freep) struct lock *lock =
		parse("{\"nodes\":{\"root\":{\"inputs\":{\"base\":\"base\"}},"
		      "\"base\":{\"locked\":{},\"inputs\":{\"x\":\"agent-alice\"}},"
		      "\"agent-alice\":{\"locked\":{}}},\"root\":\"root\",\"version\":7}");
	_cleanup_(lock_freep) struct lock *mine = lock_new();
	struct error err = {};

	(void)state;
	assert_int_equal(lock_put_agent(lock, "/a", "alice", A, 1, &err), -EEXIST);
	put(lock, "bob", A, 1);
	put(mine, "alice", A, 1);
	assert_int_equal(lock_replace_base(mine, lock, &err), -EEXIST);
}

static void test_refused(void **state)
{
	/* clang-format off */
	static const char *const bad[] = {
		"{",
		"[]",
		"{\"nodes\":{\"root\":{}},\"root\":\"root\",\"version\":6}",
		"{\"nodes\":{\"root\":{}},\"root\":\"other\",\"version\":7}",
		"{\"nodes\":{},\"root\":\"root\",\"version\":7}",
		"{\"nodes\":{\"root\":{}},\"root\":\"root\",\"version\":7,\"more\":1}",
		"{\"nodes\":{\"root\":{},\"root\":{}},\"root\":\"root\",\"version\":7}",
		"{\"nodes\":{\"root\":{\"inputs\":{\"a\":\"b\"}}},\"root\":\"root\",\"version\":7}",
		"{\"nodes\":{\"root\":{\"inputs\":{\"a\":1}}},\"root\":\"root\",\"version\":7}",
		"{\"nodes\":{\"root\":{\"inputs\":[]}},\"root\":\"root\",\"version\":7}",
		"{\"nodes\":{\"root\":{},\"a\":{}},\"root\":\"root\",\"version\":7}",
		"{\"nodes\":{\"root\":{},\"a\":1},\"root\":\"root\",\"version\":7}",
		"{\"nodes\":{\"root\":{}},\"root\":\"root\",\"version\":7} x",
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = {};
		struct lock *lock = NULL;

		if (lock_parse(bad[i], strlen(bad[i]), &lock, &err) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_null(lock);
	}
}

static void test_sizes(void **state)
{
	_cleanup_buf_ struct buf text = {};
	struct error err = {};
	struct lock *lock = NULL;

	(void)state;
	buf_add_str(&text, "{\"nodes\":{\"root\":{}");
	for (int i = 0; i < LOCK_MAX_NODES; i++)
		buf_addf(&text, ",\"n%d\":{\"locked\":{}}", i);
	buf_add_str(&text, "},\"root\":\"root\",\"version\":7}");
	assert_int_equal(lock_parse(text.data, text.size, &lock, &err), -E2BIG);
	buf_truncate(&text, 0);
	buf_add_str(&text, "{\"nodes\":{\"root\":{}},\"root\":\"root\",\"version\":7");
	while (text.size <= LOCK_MAX_BYTES)
		buf_addf(&text, "%65536s", "");
	buf_add_str(&text, "}");
	assert_int_equal(lock_parse(text.data, text.size, &lock, &err), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes), cmocka_unit_test(test_agents),
		cmocka_unit_test(test_keep),  cmocka_unit_test(test_base),
		cmocka_unit_test(test_clash), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
