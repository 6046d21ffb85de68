/* effect: what a proposal really changes, beside the text of its difference. */
#include "control/dispatch.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "control/container.h"
#include "control/preview.h"
#include "control/worker.h"
#include "wire/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct effect_request {
	void *session;
	int64_t id;
	json_t *effect;
};

static const char *const unit_dirs[] = {"rootfs/etc/systemd/system/",
					"rootfs/usr/lib/systemd/system/"};

/* Before and after, and whether they are the same. */
static void put_pair(json_t *effect, const char *key, json_t *before, json_t *after)
{
	bool changed = !json_equal(before, after);

	json_object_set_new(effect, key,
			    json_pack("{s:b,s:o,s:o}", "changed", changed, "before", before,
				      "after", after));
}

/* What the commits themselves say: limits, probe, environment. A commit has no say in binds. */
static int put_declared(struct hive *hive, struct agent *agent, const struct proposal *p,
			json_t *effect, struct error *err)
{
	struct limits before = container_limits(hive, agent, p->base),
		      after = container_limits(hive, agent, p->commit);
	struct manifest old, new;
	int r = container_manifest(hive, agent, p->commit, &new, err);

	if (r < 0)
		return r;
	if (!p->base[0] || container_manifest(hive, agent, p->base, &old, NULL) < 0)
		manifest_init(&old);
	put_pair(effect, "limits", limits_to_json(&before), limits_to_json(&after));
	put_pair(effect, "probe", probe_to_json(&old.probe), probe_to_json(&new.probe));
	manifest_release(&old);
	manifest_release(&new);
	json_object_set_new(effect, "binds", json_pack("{s:b}", "changed", 0));
	return 0;
}

static const char *change_of(const char *status)
{
	if (status && strcmp(status, "added") == 0)
		return "added";
	return status && strcmp(status, "deleted") == 0 ? "removed" : "changed";
}

static void add_unit(json_t *units, const char *path, const char *change)
{
	for (size_t i = 0; path && i < ARRAY_SIZE(unit_dirs); i++) {
		size_t n = strlen(unit_dirs[i]);

		if (strncmp(path, unit_dirs[i], n) == 0 && path[n])
			json_array_append_new(units, json_pack("{s:s,s:s}", "name", path + n,
							       "change", change));
	}
}

/* Of an overlay: its unit files, as they lie in the repository. */
static json_t *units_of(const json_t *diff)
{
	json_t *units = json_array(), *file;
	size_t i;

	json_array_foreach (json_object_get(diff, "files"), i, file) {
		const char *status = json_string_value(json_object_get(file, "status"));
		const char *old = json_string_value(json_object_get(file, "old_path"));

		if (old)
			add_unit(units, old, "removed");
		add_unit(units, json_string_value(json_object_get(file, "path")),
			 old ? "added" : change_of(status));
	}
	return units;
}

static void on_diff(const json_t *result, const struct error *err, void *data)
{
	struct effect_request *e = data;
	struct session *s = session_found(e->session);

	if (s && result) {
		json_object_set_new(e->effect, "units", units_of(result));
		if (json_is_true(json_object_get(result, "truncated")))
			json_object_set_new(e->effect, "truncated", json_true());
		session_answer(s, answer_with("effect", TAKE_PTR(e->effect)));
	} else if (s) {
		session_fail(s, err);
	}
	json_decref(e->effect);
	free(e);
}

int handle_effect(struct session *s, const json_t *request, struct error *err)
{
	_cleanup_free_ char *home = NULL;
	struct effect_request *e;
	struct agent *agent;
	struct proposal *p;
	json_t *effect;
	bool nix;
	int r;

	if ((r = dispatch_proposal(s, request, &p, err)) < 0)
		return r;
	if (p->kind == PROPOSAL_UPDATE_INPUTS) {
		effect = json_pack("{s:s,s:s,s:O*}", "state", "ready", "builder", "nix",
				   "inputs", json_object_get(p->payload, "inputs"));
		session_answer(s, answer_with("effect", effect));
		return 0;
	}
	if (proposal_is_of_hive(p))
		return error_set(err, EOPNOTSUPP,
				 "proposal %lld changes no system of an agent: skep diff %lld",
				 (long long)p->id, (long long)p->id);
	if ((r = hive_get(s->hive, p->agent, &agent, err)) < 0)
		return r;
	nix = agent->settings.builder == BUILDER_NIX;
	effect = nix ? preview_of(s->hive, p) : json_pack("{s:s}", "state", "ready");
	json_object_set_new(effect, "builder",
			    json_string(builder_kind_name(agent->settings.builder)));
	r = put_declared(s->hive, agent, p, effect, err);
	if (r < 0) {
		json_decref(effect);
		return r;
	}
	if (nix) {
		preview_look(s->hive);
		session_answer(s, answer_with("effect", effect));
		return 0;
	}
	e = mem_new(1, sizeof(*e));
	*e = (struct effect_request){.session = session_ref(s), .id = p->id, .effect = effect};
	home = hive_applied_dir(s->hive, p->agent);
	worker_diff(s->hive, false, home, p->base, p->commit, on_diff, e);
	return HANDLED_LATER;
}
