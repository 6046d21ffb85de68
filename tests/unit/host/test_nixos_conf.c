#include "unit.h"

#include "base/cleanup.h"
#include "host/nixos_conf.h"

#include <errno.h>

#define S1 "/nix/store/k8lzrs49906d44acq5lg4f4g97wl66rq-one"
#define S2 "/nix/store/k8lzrs49906d44acq5lg4f4g97wl66rq-two"

static const struct place place = {
	.state = "/var/lib/skep",
	.runtime = "/run/skep",
	.program_dir = "/usr/libexec/skep",
};

static struct container_spec make_spec(void)
{
	return (struct container_spec){
		.agent = "alice",
		.container = "h-alice",
		.driver = DRIVER_NIXOS_CONTAINER,
		.uid_base = 1376256,
		.system = S1,
	};
}

static char *own(const struct container_spec *spec)
{
	struct buf out = {};
	struct error err = {};

	assert_int_equal(nixos_conf_own(&place, spec, "/usr/libexec/skep/skep", &out, &err), 0);
	return buf_take(&out);
}

static const struct {
	const char *what, *before, *kept;
} rewrites[] = {
	{"empty", "", ""},
	{"as created",
	 "PRIVATE_NETWORK=1\nHOST_ADDRESS=10.233.1.1\nLOCAL_ADDRESS=10.233.1.2\nHOST_BRIDGE=\n"
	 "HOST_PORT=\nAUTO_START=0\n",
	 ""},
	{"what would make it build by itself", "FLAKE=git+file:///etc/nixos\nAUTO_START=1\n",
	 ""},
	{"what brings a network back",
	 "LOCAL_MAC_ADDRESS=02:00:00:00:00:01\nHOST_ADDRESS6=fc00::1\nLOCAL_ADDRESS6=fc00::2\n"
	 "INTERFACES=eth1\nMACVLANS=eth0\nNETWORK_NAMESPACE_PATH=/run/netns/x\n",
	 ""},
	{"others stay, in order", "# mine\nB=2\nPRIVATE_USERS=pick\nA=1\n",
	 "# mine\nB=2\nA=1\n"},
	{"blanks before a key", " \tSYSTEM_PATH=/x\n  KEEP=1\n", "  KEEP=1\n"},
	{"no newline at the end", "KEEP=1", "KEEP=1\n"},
	{"a key that only begins so", "PRIVATE_NETWORKS=1\n", "PRIVATE_NETWORKS=1\n"},
	{"a line that goes on is dropped whole",
	 "EXTRA_NSPAWN_FLAGS=\"--bind=/a \\\n--bind=/b\"\nKEEP=1\n", "KEEP=1\n"},
	{"a line that goes on is kept whole", "KEEP=a\\\nFLAKE=b\n", "KEEP=a\\\nFLAKE=b\n"},
	{"a last line does not swallow ours", "KEEP=a\\\n", "KEEP=a\\\n\n"},
	{"a last line without an end does not", "KEEP=a\\", "KEEP=a\\\n\n"},
	{"a quote that is never closed does not", "A=\"b\nC", "A=\"b\nC\"\n"},
	{"nor one whose end is taken along", "A=\"b\\", "A=\"b\\\n\"\n"},
	{"nor the other kind", "A='b\\", "A='b\\'\n"},
	{"nor a comment that goes on to an old systemd", "# a\\\n", "# a\\\n\n"},
	{"nor a quote that only an old systemd sees", "# a\\\nB=\"\nC=\"\n",
	 "# a\\\nB=\"\nC=\"\n\"\n"},
	{"what stands in quotes is no line of ours", "A=\"b\nFLAKE=c\n\"\nFLAKE=d\n",
	 "A=\"b\nFLAKE=c\n\"\n"},
	{"quotes within a value are characters", "A=b\"\nFLAKE=c\n", "A=b\"\n"},
	{"a carriage return ends a line as well", "A=1\rFLAKE=b\rC=2\n", "A=1\rC=2\n"},
	{"blanks at the end", "KEEP=1\n ", "KEEP=1\n \n"},
	{"blanks behind a key", "SYSTEM_PATH =/x\nKEEP=1\n", "KEEP=1\n"},
	{"a quoted value of ours that goes on", "FLAKE='a\nb'\nKEEP=1\n", "KEEP=1\n"},
};

static void test_rewrite(void **state)
{
	struct container_spec spec = make_spec();
	_cleanup_free_ char *ours = own(&spec);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rewrites); i++) {
		_cleanup_free_ char *wanted = str_format("%s%s", rewrites[i].kept, ours);
		_cleanup_buf_ struct buf once = {}, twice = {};

		nixos_conf_rewrite(rewrites[i].before, ours, &once);
		nixos_conf_rewrite(buf_str(&once), ours, &twice);
		if (strcmp(buf_str(&once), wanted) != 0)
			fail_msg("%s: '%s'", rewrites[i].what, buf_str(&once));
		if (strcmp(buf_str(&once), buf_str(&twice)) != 0)
			fail_msg("%s: the second time changes it: '%s'", rewrites[i].what,
				 buf_str(&twice));
	}
}

static void assert_in(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in '%s'", part, text);
}

static void test_own_lines(void **state)
{
	struct container_spec spec = make_spec();
	_cleanup_free_ char *agent = own(&spec), *manager = NULL;

	(void)state;
	assert_in(agent, "PRIVATE_NETWORK=0\nHOST_ADDRESS=\nLOCAL_ADDRESS=\nHOST_ADDRESS6=\n"
			 "LOCAL_ADDRESS6=\nHOST_BRIDGE=\nPRIVATE_USERS=1376256\n"
			 "SYSTEM_PATH=" S1 "\nEXTRA_NSPAWN_FLAGS=\"--");
	assert_in(agent, " --inaccessible=/nix/var/nix/daemon-socket ");
	assert_in(agent, "--private-users-ownership=chown ");
	assert_in(agent, " --bind-ro=/nix/var/nix/profiles/per-container/h-alice:"
			 "/nix/var/nix/profiles:idmap ");
	assert_in(agent, " --bind-ro=/run/skep/agents/alice:/run/hive ");
	assert_in(agent, " --bind=/var/lib/skep/agents/alice/state:/state\"\n");
	assert_null(strstr(agent, "/agents "));
	spec.manager = true;
	spec.private_network = true;
	manager = own(&spec);
	assert_in(manager, "PRIVATE_NETWORK=1\n");
	assert_in(manager, " --bind=/var/lib/skep/proposed:/agents ");
	assert_in(manager, " --bind-ro=/var/lib/skep/applied:/applied:rootidmap ");
	assert_in(manager, " --bind-ro=/var/lib/skep/meta:/meta:rootidmap\"\n");
}

/* The unit splits and expands the flags. */
static void test_paths_that_cannot_be_written(void **state)
{
	static const char *const bad[] = {"/srv/my hive", "/srv/*",  "/srv/a\"b",
					  "/srv/a\nB=c",  "/srv/$x", "/srv/a:b",
					  "/srv/a\\b",    "/srv/a,b"};
	struct container_spec spec = make_spec();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct place other = place;
		_cleanup_buf_ struct buf out = {};
		struct error err = {};

		other.state = bad[i];
		assert_int_equal(nixos_conf_own(&other, &spec, "/skep", &out, &err), -EINVAL);
		assert_int_equal(nixos_conf_own(&place, &spec, bad[i], &out, &err), -EINVAL);
	}
}

static void test_same_host_side(void **state)
{
	struct container_spec spec = make_spec();
	_cleanup_free_ char *one = own(&spec), *two = NULL, *other = NULL;
	char system[SYSTEM_SIZE];

	(void)state;
	strcpy(spec.system, S2);
	two = own(&spec);
	assert_true(nixos_conf_same_host(one, two));
	assert_true(nixos_conf_system(two, system));
	assert_string_equal(system, S2);
	spec.private_network = true;
	other = own(&spec);
	assert_false(nixos_conf_same_host(one, other));
	assert_false(nixos_conf_system("SYSTEM_PATH=/etc\n", system));
	assert_false(nixos_conf_system("", system));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_own_lines),
		cmocka_unit_test(test_paths_that_cannot_be_written),
		cmocka_unit_test(test_same_host_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
