/* agent.json, written by an agent: what is taken is bounded and plain, and its probe survives
 * being written and read. */
#include "fuzz.h"

#include "model/manifest.h"

static void look_at_env(char *const *env)
{
	size_t n = 0;

	for (; env[n]; n++) {
		const char *equals = strchr(env[n], '=');

		must(equals && equals > env[n] && strlen(equals) <= 1025);
		must(strspn(env[n], "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
		     (size_t)(equals - env[n]));
		must(strncmp(env[n], "HIVE_", 5) != 0 && strncmp(env[n], "LD_", 3) != 0 &&
		     strncmp(env[n], "PATH=", 5) != 0 && strncmp(env[n], "SYSTEMD_", 8) != 0);
		must(!strpbrk(env[n], "\n\r\033"));
	}
	must(n <= MANIFEST_MAX_ENV);
}

static void look_at_probe(const struct probe *probe)
{
	json_auto_t *object = probe_to_json(probe), *again = NULL;
	struct manifest other;
	struct error err = {};

	must(object);
	must(probe->grace_ms >= 0 && probe->grace_ms <= 600000 && probe->soak_ms >= 0 &&
	     probe->soak_ms <= 600000);
	must((probe->kind == PROBE_COMMAND) == (probe->argv != NULL));
	must(!probe->argv || (probe->argv[0] && probe->argv[0][0]));
	manifest_init(&other);
	must(probe_lay_over(&other.probe, object, &err) == 0);
	again = probe_to_json(&other.probe);
	must(json_equal(object, again));
	manifest_release(&other);
}

static bool in_range(int64_t value, int64_t least, int64_t most)
{
	return value == LIMIT_UNSET || (value >= least && value <= most);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manifest manifest;
	struct error err = {};
	json_t *limits;

	if (manifest_parse((const char *)data, size, &manifest, &err) < 0) {
		must(err.err && fuzz_is_clean(err.text, strlen(err.text), false));
		return 0;
	}
	must(size <= MANIFEST_MAX_BYTES);
	must(!manifest.description ||
	     fuzz_is_clean(manifest.description, strlen(manifest.description), false));
	look_at_env(manifest.env);
	look_at_probe(&manifest.probe);
	must(in_range(manifest.limits.memory_max_bytes, 16 << 20, 1LL << 40));
	must(in_range(manifest.limits.cpu_quota_percent, 1, 100000));
	must(in_range(manifest.limits.tasks_max, 16, 1000000));
	limits = limits_to_json(&manifest.limits);
	must(limits);
	json_decref(limits);
	manifest_release(&manifest);
	return 0;
}
