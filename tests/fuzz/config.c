/* The daemon's configuration: what is taken is in range, and what is refused says which key. */
#include "fuzz.h"

#include "base/json.h"
#include "model/config.h"

static void look(const struct config *c)
{
	must(c->state_dir && c->state_dir[0] == '/' && c->runtime_dir &&
	     c->runtime_dir[0] == '/');
	must(c->domain && c->admin_group && c->read_group);
	must(c->limits.memory_max_bytes >= 16 << 20 && c->limits.cpu_quota_percent >= 1 &&
	     c->limits.tasks_max >= 16);
	must(c->max_builds > 0 && c->max_starts > 0 && c->build_timeout_s > 0);
	must(c->stop_timeout_ms >= 0 && c->import_timeout_ms > 0 && c->max_log_bytes > 0);
	must(c->keep_logs >= 0 && c->keep_systems >= 0 && c->proposals_per_hour > 0);
	must(c->proposal_days > 0 && c->max_repo_bytes > 0 && c->tidy_interval_ms > 0);
	must(c->skep_uid != 0 && c->build_uid != 0 && c->web_uid != 0);
	must(c->skep_uid != (uid_t)-1 && c->build_uid != (uid_t)-1 && c->web_uid != (uid_t)-1);
	must(c->admin_gid >= -1 && c->read_gid >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_auto_t *object = NULL;
	struct error err = {};
	struct config config;

	if (size > CONFIG_MAX_BYTES || json_parse((const char *)data, size, &object, &err) < 0)
		return 0;
	config_init(&config);
	look(&config);
	if (config_load(&config, object, &err) == 0)
		look(&config);
	else
		must(err.err && fuzz_is_clean(err.text, strlen(err.text), false));
	config_release(&config);
	return 0;
}
