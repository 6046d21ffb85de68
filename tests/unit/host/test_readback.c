#include "unit.h"

#include "base/cleanup.h"
#include "host/readback.h"

#include <errno.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define S "k8lzrs49906d44acq5lg4f4g97wl66rq-nixos-system-alice-24.11"
#define ROOTS "/var/lib/skep/roots/alice"
#define HOST "25 1 254:0 / / rw - ext4 /dev/vda rw\n26 25 0:22 / /sys rw - sysfs sysfs rw\n"

static const struct {
	const char *what, *own, *leaders, *system; /* NULL: none of ours */
} cases[] = {
	{"plain", HOST, "611 589 254:0 " ROOTS "/" A " / rw shared:1 - ext4 /dev/vda rw\n", A},
	{"among others", HOST,
	 "1 0 0:5 / /dev rw - tmpfs x rw\n611 589 254:0 " ROOTS "/" B " / rw - ext4 d rw\n", B},
	{"state is a file system of its own",
	 HOST "40 25 8:1 / /var/lib/skep rw - xfs /dev/sda1 rw\n",
	 "611 589 8:1 /roots/alice/" A " / rw - xfs /dev/sda1 rw\n", A},
	{"a subvolume is mounted", "25 1 0:30 /@root / rw - btrfs d rw\n",
	 "611 589 0:30 /@root" ROOTS "/" A " / rw - btrfs d rw\n", A},
	{"the later of two mounts at the same place counts",
	 HOST "40 25 8:1 / /var/lib rw - xfs a rw\n41 40 8:2 / /var/lib rw - xfs b rw\n",
	 "611 589 8:2 /skep/roots/alice/" A " / rw - xfs b rw\n", A},
	{"a name that only begins like a mount point",
	 HOST "40 25 8:1 / /var/lib/sk rw - xfs a rw\n",
	 "611 589 254:0 " ROOTS "/" A " / rw - ext4 d rw\n", A},
	{"an agent's own directory with such a name", HOST,
	 "611 589 254:0 " ROOTS "/" A ROOTS "/" B " / rw - ext4 d rw\n", NULL},
	{"below a root", HOST, "611 589 254:0 " ROOTS "/" A "/" B " / rw - ext4 d rw\n", NULL},
	{"another agent's", HOST,
	 "611 589 254:0 /var/lib/skep/roots/bob/" A " / rw - ext4 d rw\n", NULL},
	{"another device", HOST, "611 589 254:1 " ROOTS "/" A " / rw - ext4 d rw\n", NULL},
	{"not at the top", HOST, "611 589 254:0 " ROOTS "/" A " /mnt rw - ext4 d rw\n", NULL},
	{"no system's name", HOST, "611 589 254:0 " ROOTS "/latest / rw - ext4 d rw\n", NULL},
	{"a NixOS system's root", HOST, "611 589 254:0 " ROOTS "/" S " / rw - ext4 d rw\n",
	 "/nix/store/" S},
	{"deleted", HOST, "611 589 254:0 " ROOTS "/" A "//deleted / rw - ext4 d rw\n", NULL},
	{"nothing", HOST, "", NULL},
	{"torn lines", HOST, "611 589 254:0\n611\n\n", NULL},
	{"our own list is empty", "", "611 589 254:0 " ROOTS "/" A " / rw - ext4 d rw\n", NULL},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char system[SYSTEM_SIZE] = "untouched";
		int r = readback_parse(cases[i].own, ROOTS, cases[i].leaders, system);

		if (cases[i].system ? r != 0 || strcmp(system, cases[i].system) != 0
				    : r != -ESTALE)
			fail_msg("%s: %d, '%s'", cases[i].what, r, system);
	}
}

/* Blanks in paths are octal in mountinfo. */
static void test_escapes(void **state)
{
	char system[SYSTEM_SIZE];

	(void)state;
	assert_int_equal(readback_parse("25 1 254:0 / / rw - ext4 d rw\n",
					"/srv/my hive/roots/alice",
					"6 5 254:0 /srv/my\\040hive/roots/alice/" A
					" / rw - ext4 d rw\n",
					system),
			 0);
	assert_string_equal(system, A);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
