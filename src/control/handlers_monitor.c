/* metrics and ready: what a machine that watches asks. */
#include "control/dispatch.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "control/metrics.h"
#include "control/room.h"
#include "git/commit.h"
#include "wire/answer.h"

#include <errno.h>
#include <string.h>

int handle_metrics(struct session *s, const json_t *request, struct error *err)
{
	(void)request;
	(void)err;
	session_answer(s, answer_with("metrics", metrics_read(s->hive)));
	return 0;
}

static bool add_check(json_t *checks, const char *name, int r, const struct error *err)
{
	json_t *check = json_pack("{s:s,s:b,s:s}", "name", name, "ok", r >= 0, "detail",
				  r >= 0 ? "" : error_text(err));

	if (r >= 0)
		json_object_del(check, "detail");
	json_array_append_new(checks, check);
	return r >= 0;
}

static int check_going_on(const struct hive *hive, struct error *err)
{
	return hive->stopping ? error_set(err, EAGAIN, "the hive is going down") : 0;
}

/* A channel that breaks ends the daemon; before that nothing is known of the containers. */
static int check_hands(const struct hive *hive, struct error *err)
{
	return hive->limits_enforced ? 0 : error_set(err, EAGAIN, "skep-exec has not answered");
}

static int check_record(const struct hive *hive, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(hive);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	char tree[OID_HEX_SIZE];
	int r = repo_open(dir, &repo, err);

	if (r == 0 && hive->meta_head[0])
		r = repo_commit_tree(repo, hive->meta_head, tree, err);
	return r;
}

int handle_ready(struct session *s, const json_t *request, struct error *err)
{
	static const struct {
		const char *name;
		int (*check)(const struct hive *hive, struct error *err);
	} all[] = {
		{"running", check_going_on},
		{"containers", check_hands},
		{"record", check_record},
		{"room", room_check},
	};
	json_t *checks = json_array();
	bool ok = true;

	(void)request;
	(void)err;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct error why = {};

		ok &= add_check(checks, all[i].name, all[i].check(s->hive, &why), &why);
	}
	session_answer(s, answer_with("ready",
				      json_pack("{s:b,s:o}", "ok", ok, "checks", checks)));
	return 0;
}
