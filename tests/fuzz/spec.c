/* A container's specification: what is taken is written and hashed as the same, and becomes a
 * command line without a surprise. */
#include "fuzz.h"

#include "base/json.h"
#include "host/nixos_conf.h"
#include "host/nspawn.h"
#include "host/spec.h"

static const struct place place = {.state = "/var/lib/skep",
				   .runtime = "/run/skep",
				   .program_dir = "/usr/libexec"};

static void reads_the_same(const struct container_spec *spec)
{
	json_auto_t *written = spec_to_json(spec), *again = NULL;
	struct container_spec other = {};
	char a[SPEC_HASH_SIZE], b[SPEC_HASH_SIZE];
	struct error err = {};

	must(written && spec_parse(written, &other, &err) == 0);
	again = spec_to_json(&other);
	must(json_equal(written, again));
	must(strcmp(spec_hash(a, spec), spec_hash(b, &other)) == 0);
	spec_release(&other);
}

static void look_at_argv(const struct container_spec *spec)
{
	struct nspawn_setup setup = {.root = "/roots/x",
				     .usr = "/usr",
				     .skep = "/usr/bin/skep"};
	char **argv = nspawn_argv(&place, spec, &setup);
	size_t users = 0, capabilities = 0;

	for (char **a = argv; *a; a++) {
		must(!strpbrk(*a, "\n\r"));
		users += strncmp(*a, "--private-users=", 16) == 0;
		capabilities += strncmp(*a, "--drop-capability=", 18) == 0;
		must(strncmp(*a, "--capability", 12) != 0);
	}
	must(users == 1 && capabilities >= 1);
	nspawn_free_argv(argv);
}

static void look_at_conf(const struct container_spec *spec)
{
	_cleanup_buf_ struct buf conf = {};
	char system[SYSTEM_SIZE];
	struct error err = {};
	size_t lines = 0;

	must(nixos_conf_own(&place, spec, "/usr/bin/skep", &conf, &err) == 0);
	for (const char *at = buf_str(&conf); (at = strchr(at, '\n')); at++)
		lines++;
	must(lines == 9);
	must(nixos_conf_system(buf_str(&conf), system) == system_is_store(spec->system));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_auto_t *object = NULL;
	struct container_spec spec = {};
	struct error err = {};

	if (json_parse((const char *)data, size, &object, &err) < 0)
		return 0;
	if (spec_parse(object, &spec, &err) < 0) {
		must(err.err && fuzz_is_clean(err.text, strlen(err.text), false));
		return 0;
	}
	must(name_check(spec.agent, &err) == 0 && system_is_valid(spec.system));
	must(spec.uid_base >= UID_BASE_FIRST && spec.uid_base <= UID_BASE_LAST &&
	     spec.uid_base % UID_RANGE == 0);
	must(!spec.label ||
	     (strlen(spec.label) <= SPEC_MAX_LABEL_BYTES && !strpbrk(spec.label, "\n\r")));
	for (size_t i = 0; spec.env[i]; i++)
		must(i < SPEC_MAX_ENV && strlen(spec.env[i]) <= SPEC_MAX_ENV_BYTES &&
		     !strpbrk(spec.env[i], "\n\r") && strchr(spec.env[i], '='));
	reads_the_same(&spec);
	look_at_argv(&spec);
	look_at_conf(&spec);
	spec_release(&spec);
	return 0;
}
