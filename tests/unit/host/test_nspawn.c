#include "unit.h"

#include "base/cleanup.h"
#include "host/nspawn.h"

static const struct place place = {
	.state = "/var/lib/skep",
	.runtime = "/run/skep",
	.program_dir = "/usr/libexec/skep",
};

static const struct nspawn_setup setup = {
	.root = "/var/lib/skep/roots/alice/S",
	.usr = "/usr",
	.usr_idmap = true,
	.skep = "/usr/libexec/skep/skep",
};

static struct container_spec make_spec(void)
{
	return (struct container_spec){
		.agent = "alice",
		.container = "h-alice",
		.uid_base = 1376256,
		.system = "S",
	};
}

static bool has(char **argv, const char *wanted)
{
	for (char **a = argv; *a; a++)
		if (strcmp(*a, wanted) == 0)
			return true;
	return false;
}

static const char *starting_with(char **argv, const char *prefix)
{
	for (char **a = argv; *a; a++)
		if (strncmp(*a, prefix, strlen(prefix)) == 0)
			return *a;
	return NULL;
}

static void assert_args(char **argv, const char *const *wanted, bool present)
{
	for (; *wanted; wanted++)
		if (has(argv, *wanted) != present)
			fail_msg("%s: '%s'", present ? "missing" : "should not be there",
				 *wanted);
}

static void test_agent(void **state)
{
	static const char *const wanted[] = {
		"--register=no",
		"--keep-unit",
		"--machine=h-alice",
		"--directory=/var/lib/skep/roots/alice/S",
		"--private-users=1376256:65536",
		"--private-users-ownership=off",
		"--no-new-privileges=yes",
		"--notify-ready=yes",
		"--kill-signal=SIGRTMIN+3",
		"--console=read-only",
		"--link-journal=no",
		"--bind-ro=/usr:/usr:norbind,idmap",
		"--bind-ro=/run/skep/agents/alice:/run/hive",
		"--bind-ro=/usr/libexec/skep/skep:/run/hive/bin/skep",
		"--bind=/var/lib/skep/agents/alice/state:/state",
		"--bind=/var/lib/skep/agents/alice/claude:/root/.claude",
		"--boot",
		NULL,
	};
	static const char *const unwanted[] = {
		"--private-network",
		"--bind=/var/lib/skep/proposed:/agents",
		"--bind-ro=/var/lib/skep/applied:/applied:rootidmap",
		"--bind-ro=/var/lib/skep/meta:/meta:rootidmap",
		NULL,
	};
	struct container_spec spec = make_spec();
	char **argv = nspawn_argv(&place, &spec, &setup);

	(void)state;
	assert_string_equal(argv[0], SKEP_NSPAWN);
	assert_args(argv, wanted, true);
	assert_args(argv, unwanted, false);
	nspawn_free_argv(argv);
}

/* It starts by its own init, and has the store in place of the machine's /usr. */
static void test_nixos_system(void **state)
{
	static const char *const wanted[] = {
		"--bind-ro=/nix/store:/nix/store:norbind,idmap",
		"/nix/store/k8lzrs49906d44acq5lg4f4g97wl66rq-x/init",
		"--bind=/var/lib/skep/agents/alice/state:/state",
		NULL,
	};
	struct nspawn_setup store = setup;
	struct container_spec spec = make_spec();
	char **argv;

	(void)state;
	strcpy(spec.system, "/nix/store/k8lzrs49906d44acq5lg4f4g97wl66rq-x");
	store.store_idmap = true;
	argv = nspawn_argv(&place, &spec, &store);
	assert_args(argv, wanted, true);
	assert_false(has(argv, "--boot"));
	assert_null(starting_with(argv, "--bind-ro=/usr:"));
	nspawn_free_argv(argv);
}

/* Only the manager sees other agents' repositories, and only its own side can be written. */
static void test_manager(void **state)
{
	static const char *const wanted[] = {
		"--bind=/var/lib/skep/proposed:/agents",
		"--bind-ro=/var/lib/skep/applied:/applied:rootidmap",
		"--bind-ro=/var/lib/skep/meta:/meta:rootidmap",
		NULL,
	};
	struct container_spec spec = make_spec();
	char **argv;

	(void)state;
	spec.manager = true;
	argv = nspawn_argv(&place, &spec, &setup);
	assert_args(argv, wanted, true);
	/* Nothing that can be written is ever bound with shifted owners. */
	for (char **a = argv; *a; a++)
		if (strncmp(*a, "--bind=", 7) == 0 && strstr(*a, "idmap"))
			fail_msg("'%s' can be written with shifted owners", *a);
	nspawn_free_argv(argv);
}

static void test_network_and_capabilities(void **state)
{
	static const char *const never[] = {"CAP_NET_RAW", "CAP_MKNOD", "CAP_NET_ADMIN",
					    "CAP_SYS_PTRACE"};
	struct container_spec spec = make_spec();
	char **host = nspawn_argv(&place, &spec, &setup), **private;

	(void)state;
	spec.private_network = true;
	private = nspawn_argv(&place, &spec, &setup);
	assert_true(has(private, "--private-network"));
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		assert_non_null(strstr(starting_with(host, "--drop-capability="), never[i]));
		assert_non_null(strstr(starting_with(private, "--drop-capability="), never[i]));
	}
	assert_non_null(
		strstr(starting_with(host, "--drop-capability="), "CAP_NET_BIND_SERVICE"));
	assert_null(
		strstr(starting_with(private, "--drop-capability="), "CAP_NET_BIND_SERVICE"));
	assert_null(starting_with(host, "--capability="));
	assert_null(starting_with(private, "--capability="));
	nspawn_free_argv(host);
	nspawn_free_argv(private);
}

static void test_paths_are_escaped(void **state)
{
	static const struct place odd = {.state = "/srv/a:b\\c", .runtime = "/run/x y"};
	struct nspawn_setup plain = setup;
	struct container_spec spec = make_spec();
	char **argv;

	(void)state;
	plain.usr_idmap = false;
	plain.usr = "/run/x y/exec/alice.layers/usr";
	argv = nspawn_argv(&odd, &spec, &plain);
	assert_true(has(argv, "--bind=/srv/a\\:b\\\\c/agents/alice/state:/state"));
	assert_true(has(argv, "--bind-ro=/run/x y/agents/alice:/run/hive"));
	assert_true(has(argv, "--bind-ro=/run/x y/exec/alice.layers/usr:/usr:norbind"));
	nspawn_free_argv(argv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agent),
		cmocka_unit_test(test_nixos_system),
		cmocka_unit_test(test_manager),
		cmocka_unit_test(test_network_and_capabilities),
		cmocka_unit_test(test_paths_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
