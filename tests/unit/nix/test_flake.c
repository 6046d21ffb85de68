/* flake.nix of the meta repository, and the command lines of Nix. */
#include "unit.h"

#include "nix/command.h"
#include "nix/flake.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static void test_render(void **state)
{
	static const char *const agents[] = {"al", "bob-2"};
	const struct flake flake = {.applied_dir = "/var/lib/skep/applied",
				    .nixpkgs = "github:NixOS/nixpkgs/nixos-25.11",
				    .base = "git+https://h/skep?ref=refs/tags/v1",
				    .base_follows = true,
				    .agents = agents,
				    .n_agents = ARRAY_SIZE(agents)};
	_cleanup_free_ char *text = NULL;
	struct error err = {};

	(void)state;
	assert_int_equal(flake_render("a\n@INPUTS@\nb\n", &flake, &text, &err), 0);
	assert_string_equal(text,
			    "a\n    nixpkgs.url = \"github:NixOS/nixpkgs/nixos-25.11\";\n"
			    "    base.url = \"git+https://h/skep?ref=refs/tags/v1\";\n"
			    "    base.inputs.nixpkgs.follows = \"nixpkgs\";\n"
			    "    agent-al.url = \"git+file:///var/lib/skep/applied/al"
			    "?ref=refs/heads/main&shallow=1\";\n"
			    "    agent-bob-2.url = \"git+file:///var/lib/skep/applied/bob-2"
			    "?ref=refs/heads/main&shallow=1\";\nb\n");
}

static void test_nothing(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct error err = {};

	(void)state;
	assert_int_equal(flake_render("a\n@INPUTS@\nb\n", &(struct flake){}, &text, &err), 0);
	assert_string_equal(text, "a\nb\n");
}

static void test_refused(void **state)
{
	static const char *const bad_urls[] = {"",          "nixpkgs",    "github:a/b\"",
					       "x:${1}",    "x:a b",      "x:a\\b",
					       "x:a\nb",    "github:a#b", "x:'a'",
					       "x:a;b = 1", "x:\xc3\xa9"};
	static const char *const bad_agents[] = {"", "A", "a b", "a\"", "../a", "a-", "${x}"};
	static const char *const bad_dirs[] = {"var", "/a b", "/a\"b", "/a?b", "/a#b", "/a%20"};
	static const char *const bad_templates[] = {"", "@INPUTS@", "@INPUTS@\n@INPUTS@\n"};
	char *text = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_urls); i++) {
		struct flake flake = {.nixpkgs = bad_urls[i]};
		struct error err = {};

		assert_int_equal(flake_render("@INPUTS@\n", &flake, &text, &err), -EINVAL);
		flake = (struct flake){.base = bad_urls[i]};
		assert_int_equal(flake_render("@INPUTS@\n", &flake, &text, &err), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_agents); i++) {
		struct flake flake = {.applied_dir = "/a",
				      .agents = &bad_agents[i],
				      .n_agents = 1};
		struct error err = {};

		assert_int_equal(flake_render("@INPUTS@\n", &flake, &text, &err), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_dirs); i++) {
		struct flake flake = {.applied_dir = bad_dirs[i],
				      .agents = (const char *const[]){"a"},
				      .n_agents = 1};
		struct error err = {};

		assert_int_equal(flake_render("@INPUTS@\n", &flake, &text, &err), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_templates); i++) {
		struct error err = {};

		assert_int_equal(flake_render(bad_templates[i], &(struct flake){}, &text, &err),
				 -EINVAL);
	}
}

static bool has_pair(const struct words *words, const char *first, const char *second)
{
	for (size_t i = 0; i + 1 < words->count; i++)
		if (strcmp(words->items[i], first) == 0 &&
		    strcmp(words->items[i + 1], second) == 0)
			return true;
	return false;
}

static bool has(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++)
		if (strcmp(words->items[i], word) == 0)
			return true;
	return false;
}

static void test_build(void **state)
{
	static const char *const off[] = {"accept-flake-config",
					  "allow-import-from-derivation"};
	static const char *const on[] = {"pure-eval", "restrict-eval"};
	const struct nix_build build = {.program = "/usr/bin/nix",
					.meta_dir = "/s/meta",
					.ref = "refs/skep/candidate/alice",
					.commit = "1111111111111111111111111111111111111111",
					.agent = "alice",
					.out_link = "/t/result",
					.allowed_uris = "a b",
					.timeout_s = 60,
					.silent_s = 30};
	_cleanup_words_ struct words words = {};

	(void)state;
	nix_build_words(&build, &words);
	assert_string_equal(words.items[0], "/usr/bin/nix");
	assert_string_equal(words.items[words.count - 1],
			    "git+file:///s/meta?ref=refs/skep/candidate/alice&rev="
			    "1111111111111111111111111111111111111111#nixosConfigurations."
			    "\"alice\".config.system.build.toplevel");
	for (size_t i = 0; i < ARRAY_SIZE(off); i++)
		assert_true(has_pair(&words, off[i], "false"));
	for (size_t i = 0; i < ARRAY_SIZE(on); i++)
		assert_true(has_pair(&words, on[i], "true"));
	assert_true(has_pair(&words, "allowed-uris", "a b"));
	assert_true(has_pair(&words, "builders", ""));
	assert_true(has_pair(&words, "timeout", "60"));
	assert_true(has_pair(&words, "max-silent-time", "30"));
	assert_true(has_pair(&words, "--out-link", "/t/result"));
	assert_true(has(&words, "--no-update-lock-file"));
	assert_true(has(&words, "--no-use-registries"));
	/* together they would let something in that was never locked */
	assert_false(has(&words, "--no-write-lock-file"));
	assert_false(has(&words, "--impure"));
}

static void test_allowed(void **state)
{
	_cleanup_(lock_freep) struct lock *lock = NULL;
	_cleanup_free_ char *uris = NULL;
	struct error err = {};
	static const char text[] =
		"{\"nodes\":{\"root\":{\"inputs\":{\"nixpkgs\":\"nixpkgs\",\"base\":\"base\"}},"
		"\"nixpkgs\":{\"locked\":{\"type\":\"github\",\"owner\":\"o\",\"repo\":\"r\"}},"
		"\"base\":{\"locked\":{\"type\":\"tarball\",\"url\":\"https://h/t.tar\"}}},"
		"\"root\":\"root\",\"version\":7}";

	(void)state;
	assert_int_equal(lock_parse(text, strlen(text), &lock, &err), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(lock_put_agent(lock, "/s/applied", i ? "bob" : "alice",
						"1111111111111111111111111111111111111111", 1,
						&err),
				 0);
	uris = nix_allowed_uris(lock, "alice");
	assert_non_null(strstr(uris, "git+file:///s/applied/alice?ref=refs/heads/main&rev="
				     "1111111111111111111111111111111111111111&shallow=1"));
	assert_non_null(strstr(uris, "github:o/r"));
	assert_non_null(strstr(uris, "https://h/t.tar"));
	/* what another agent holds is none of its business */
	assert_null(strstr(uris, "bob"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_render),  cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_build),
		cmocka_unit_test(test_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
