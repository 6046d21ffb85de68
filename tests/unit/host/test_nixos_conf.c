#include "unit.h"

#include "base/cleanup.h"
#include "host/nixos_conf.h"
#include "host/nixos_differ.h"

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

static const struct {
	const char *what, *from, *to; /* of the lines skep owns, one replaced by another */
	const char *rows;
} edits[] = {
	{"as it should be", NULL, NULL, ""},
	{"another line of somebody else", "PRIVATE_NETWORK=0\n", "PRIVATE_NETWORK=0\nKEEP=1\n",
	 ""},
	{"a line that is not empty any more", "HOST_ADDRESS=\n", "HOST_ADDRESS=10.0.0.1\n",
	 "conf HOST_ADDRESS|nothing|10.0.0.1;"},
	{"a line that was taken out", "PRIVATE_USERS=1376256\n", "",
	 "conf PRIVATE_USERS|1376256|nothing;"},
	{"an empty line that was taken out", "HOST_BRIDGE=\n", "", ""},
	{"another system", "SYSTEM_PATH=" S1, "SYSTEM_PATH=" S2,
	 "conf SYSTEM_PATH|" S1 "|" S2 ";"},
	{"a line of ours that we do not write", "PRIVATE_NETWORK=0\n",
	 "PRIVATE_NETWORK=0\nFLAKE=git+file:///x\n", "conf FLAKE|nothing|git+file:///x;"},
	{"one flag more and one less", " --inaccessible=/nix/var/nix/daemon-socket ",
	 " --capability=all ",
	 "conf EXTRA_NSPAWN_FLAGS|--inaccessible=/nix/var/nix/daemon-socket|--capability=all;"},
	{"flags in another order", "--private-users-ownership=chown --no-new-privileges=yes ",
	 "--no-new-privileges=yes --private-users-ownership=chown ",
	 "conf EXTRA_NSPAWN_FLAGS|in order|in another order;"},
	{"the last of two holds", "PRIVATE_NETWORK=0\n",
	 "PRIVATE_NETWORK=0\nPRIVATE_NETWORK=1\n", "conf PRIVATE_NETWORK|0|1;"},
	{"in quotes it is the same", "PRIVATE_NETWORK=0\n", "PRIVATE_NETWORK='0'\n", ""},
};

static char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = from ? strstr(text, from) : NULL;

	if (!from)
		return str_dup(text);
	assert_non_null(at);
	return str_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static char *rows_text(json_t *list)
{
	struct buf out = {};
	json_t *row;
	size_t i;

	json_array_foreach (list, i, row)
		buf_addf(&out, "%s|%s|%s;", json_string_value(json_object_get(row, "field")),
			 json_string_value(json_object_get(row, "want")),
			 json_string_value(json_object_get(row, "have")));
	buf_add_str(&out, "");
	json_decref(list);
	return buf_take(&out);
}

static void test_differences(void **state)
{
	struct container_spec spec = make_spec();
	_cleanup_free_ char *ours = own(&spec);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		_cleanup_free_ char *text = replaced(ours, edits[i].from, edits[i].to);
		_cleanup_free_ char *rows = NULL;
		_cleanup_buf_ struct buf again = {};
		json_t *list = json_array();

		nixos_conf_differ(text, ours, list);
		rows = rows_text(list);
		if (strcmp(rows, edits[i].rows) != 0)
			fail_msg("%s: '%s'", edits[i].what, rows);
		/* and what is put back differs in nothing */
		nixos_conf_rewrite(text, ours, &again);
		list = json_array();
		nixos_conf_differ(buf_str(&again), ours, list);
		assert_int_equal(json_array_size(list), 0);
		json_decref(list);
	}
}

#define GIVEN "nspawn\0--keep-unit\0--a=1\0--b=2\0"
#define CLIENT "--bind-ro=/old/skep:/run/hive/bin/skep"

static const struct {
	const char *what, *want, *conf, *rows;
} flags[] = {
	{"as it was told", "--a=1 --b=2", "--a=1 --b=2", ""},
	{"one it was not given", "--a=1 --c=3", "--a=1 --c=3", "flags|--c=3|nothing;"},
	{"one of the conf file it should not have", "--a=1", "--a=1 --b=2",
	 "flags|nothing|--b=2;"},
	{"one of the conf file it has not got", "--a=1", "--a=1 --c=3", ""},
	{"the unit's own", "--a=1", "--a=1", ""},
	{"an older client", "--a=1 " CLIENT, "--a=1 " CLIENT, ""},
};

static void test_flags(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		_cleanup_free_ char *rows = NULL;
		json_t *list = json_array();

		nixos_differ_flags(GIVEN, sizeof(GIVEN) - 1, flags[i].want, flags[i].conf,
				   list);
		rows = rows_text(list);
		if (strcmp(rows, flags[i].rows) != 0)
			fail_msg("%s: '%s'", flags[i].what, rows);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_own_lines),
		cmocka_unit_test(test_paths_that_cannot_be_written),
		cmocka_unit_test(test_same_host_side),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
