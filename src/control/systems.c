#include "control/systems.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "control/container.h"
#include "control/preview.h"
#include "git/refs.h"
#include "git/tag.h"
#include "model/entry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int systems_recorded(struct hive *hive, const struct agent *agent, int64_t n,
		     char ret[SYSTEM_SIZE], struct error *err)
{
	_cleanup_free_ char *ref = str_format("refs/tags/deployed/%" PRId64, n);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	_cleanup_free_ char *system = NULL;
	char oid[OID_HEX_SIZE];
	struct tag tag;
	int r = hive_open_applied(hive, agent->settings.name, &repo, err);

	ret[0] = '\0';
	if (r == 0)
		r = refs_read(repo, ref, oid, err);
	if (r == 0)
		r = tag_read(repo, oid, &tag, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	system = entry_get(buf_str(&tag.message), "Skep-System", 0);
	tag_release(&tag);
	if (system && system_is_valid(system))
		snprintf(ret, SYSTEM_SIZE, "%s", system);
	return 0;
}

int systems_of(struct hive *hive, const struct agent *agent, int64_t n, char ret[SYSTEM_SIZE],
	       struct error *err)
{
	const struct settings *s = &agent->settings;

	if (n != s->deployed || !s->system[0])
		return systems_recorded(hive, agent, n, ret, err);
	memcpy(ret, s->system, SYSTEM_SIZE);
	return 0;
}

int systems_find_old(struct op *op)
{
	const struct settings *s = &op->agent->settings;

	if (!s->revision[0])
		return 0;
	memcpy(op->old_commit, s->revision, sizeof(op->old_commit));
	return systems_of(op->hive, op->agent, s->deployed, op->old_system, &op->err);
}

int systems_take(struct hive *hive, struct agent *agent, const char *system, struct error *err)
{
	struct settings *s = &agent->settings;
	char recorded[SYSTEM_SIZE];
	int r = systems_recorded(hive, agent, s->deployed, recorded, err);

	if (r == 0)
		snprintf(s->system, sizeof(s->system), "%s",
			 strcmp(recorded, system) == 0 ? "" : system);
	return r;
}

static void keep(struct hive *hive, const struct agent *agent, int64_t n, json_t *list)
{
	char system[SYSTEM_SIZE];

	if (systems_recorded(hive, agent, n, system, NULL) == 0 && system_is_store(system) &&
	    !json_holds(list, system))
		json_array_append_new(list, json_string(system));
}

static void on_released(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
			void *data)
{
	(void)fds;
	(void)n_fds;
	(void)data;
	if (!answer)
		log_line(LOG_WARNING, "systems of Nix were not let go: %s", error_text(err));
}

void systems_release(struct hive *hive, struct agent *agent)
{
	json_t *list = json_array();
	int64_t left = hive->config->keep_systems;

	if (agent->settings.builder != BUILDER_NIX) {
		json_decref(list);
		return;
	}
	/* what is wanted and what runs are kept in any case */
	keep(hive, agent, agent->settings.deployed, list);
	if (agent->settings.system[0] && !json_holds(list, agent->settings.system))
		json_array_append_new(list, json_string(agent->settings.system));
	if (system_is_store(agent->system) && !json_holds(list, agent->system))
		json_array_append_new(list, json_string(agent->system));
	for (size_t i = hive->n_proposals; i > 0 && left > 0; i--) {
		const struct proposal *p = hive->proposals[i - 1];

		if (p->state != PROPOSAL_DEPLOYED || proposal_is_of_hive(p) ||
		    strcmp(p->agent, agent->settings.name) != 0)
			continue;
		keep(hive, agent, p->id, list);
		left--;
	}
	if (left > 0)
		keep(hive, agent, 0, list);
	previews_keep(hive, agent, list);
	(void)executor_call(hive->executor, "gcroots",
			    container_arguments(agent, json_pack("{s:o}", "keep", list)), NULL,
			    0, on_released, NULL);
}
