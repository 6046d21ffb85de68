/* Roots in the Nix store. */
#include "unit.h"

#include "host/gcroot.h"

#include "base/buf.h"
#include "base/cleanup.h"

#include <errno.h>

#define KEY "0123456789abcdef-fedcba9876543210"

#define SYSTEM "/nix/store/00000000000000000000000000000000-system-that-is-not-there"

/* A root whose system is gone says nothing; that one whose system is there counts is for the
 * tests with Nix. */
static void test_gone(void **state)
{
	_cleanup_free_ char *roots = str_format("%s/gcroots", (char *)*state);
	_cleanup_free_ char *link = str_format("%s/skep/var-lib-skep/alice/" KEY, roots);
	const struct place place = {.state = "/var/lib/skep", .gcroots = roots};
	char target[SYSTEM_SIZE] = "", found[SYSTEM_SIZE] = "";
	struct error err = {};
	json_t *keep = json_pack("[s]", SYSTEM);

	assert_int_equal(gcroot_find(&place, "alice", KEY, found, &err), 0);
	assert_int_equal(gcroot_has(&place, "alice", SYSTEM, &err), -ENOENT);
	assert_int_equal(gcroot_keep(&place, "alice", NULL, &err), 0);

	assert_int_equal(gcroot_add(&place, "alice", KEY, SYSTEM, &err), 0);
	assert_int_equal(gcroot_add(&place, "alice", KEY, SYSTEM, &err), 0);
	assert_true(readlink(link, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, SYSTEM);
	assert_int_equal(gcroot_find(&place, "alice", KEY, found, &err), 0);
	assert_int_equal(gcroot_find(&place, "alice", "../bob/b", found, &err), 0);
	assert_int_equal(gcroot_has(&place, "alice", SYSTEM, &err), -ENOENT);

	assert_int_equal(gcroot_keep(&place, "alice", keep, &err), 0);
	json_decref(keep);
	assert_int_equal(readlink(link, target, sizeof(target)), -1);
	assert_int_equal(gcroot_add(&place, "alice", KEY, SYSTEM, &err), 0);
	assert_int_equal(gcroot_keep(&place, "alice", NULL, &err), 0);
	*strrchr(link, '/') = '\0';
	assert_int_equal(access(link, F_OK), -1);
}

static void assert_root(const struct place *place, const char *agent, const char *key, bool is)
{
	_cleanup_free_ char *link =
		str_format("%s/skep/var-lib-skep/%s/%s", place->gcroots, agent, key);
	char target[SYSTEM_SIZE];

	assert_int_equal(readlink(link, target, sizeof(target)) > 0, is);
}

/* A rename that was cut short leaves roots under both names. */
static void test_renamed(void **state)
{
	_cleanup_free_ char *roots = str_format("%s/gcroots", (char *)*state);
	_cleanup_free_ char *alice = str_format("%s/skep/var-lib-skep/alice", roots);
	const struct place place = {.state = "/var/lib/skep", .gcroots = roots};
	struct error err = {};
	json_t *none = json_array();

	assert_int_equal(gcroot_rename(&place, "alice", "bob", &err), 0);
	assert_int_equal(gcroot_add(&place, "alice", "one", SYSTEM, &err), 0);
	assert_int_equal(gcroot_rename(&place, "alice", "bob", &err), 0);
	assert_root(&place, "bob", "one", true);
	assert_int_equal(gcroot_add(&place, "alice", "one", SYSTEM, &err), 0);
	assert_int_equal(gcroot_add(&place, "alice", "two", SYSTEM, &err), 0);
	assert_int_equal(gcroot_rename(&place, "alice", "bob", &err), 0);
	assert_root(&place, "bob", "one", true);
	assert_root(&place, "bob", "two", true);
	assert_int_equal(access(alice, F_OK), -1);
	assert_int_equal(gcroot_rename(&place, "alice", "bob", &err), 0);
	/* one that keeps nothing is no directory either */
	assert_int_equal(gcroot_rename(&place, "bob", "alice", &err), 0);
	assert_int_equal(gcroot_keep(&place, "alice", none, &err), 0);
	assert_int_equal(access(alice, F_OK), -1);
	json_decref(none);
}

static void test_refused(void **state)
{
	const struct place place = {.state = "/var/lib/skep", .gcroots = *state};
	static const char *const bad[][2] = {
		{"a/b", "/nix/store/00000000000000000000000000000000-x"},
		{"", "/nix/store/00000000000000000000000000000000-x"},
		{"..", "/nix/store/00000000000000000000000000000000-x"},
		{"a", "/etc"},
		{"a", "/nix/store/00000000000000000000000000000000-x/y"},
		{"a", "/nix/store/../etc"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = {};

		assert_int_equal(gcroot_add(&place, "alice", bad[i][0], bad[i][1], &err),
				 -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_gone, unit_dir_setup, unit_dir_teardown),
		cmocka_unit_test_setup_teardown(test_renamed, unit_dir_setup,
						unit_dir_teardown),
		cmocka_unit_test_setup_teardown(test_refused, unit_dir_setup,
						unit_dir_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
