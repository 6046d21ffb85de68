/* Verbs that look at the record: history, audit, and the host's health. */
#include "control/dispatch.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "control/audit.h"
#include "git/commit.h"
#include "wire/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX 1000
#define WALK_MAX 100000     /* commits that are looked at for a history */
#define AGENT_WALK_MAX 5000 /* for an agent, which may ask all the time */

struct history {
	json_t *list;
	const char *name;
	size_t limit;
};

static bool is_about_an_agent(const char *verb)
{
	static const char *const verbs[] = {"spawn",  "fork",    "rename", "revive", "unspawn",
					    "deploy", "start",   "stop",   "set",    "pause",
					    "resume", "destroy", "purge"};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i], verb) == 0)
			return true;
	return false;
}

/* Meta's messages are ours: "deploy alice deployed/3 1f2e3d4c5b6a", "stop alice", … */
static int on_commit(const char *oid, int64_t wall_s, const char *message, void *data)
{
	struct history *h = data;
	_cleanup_free_ char *line = str_dup_n(message, strcspn(message, "\n"));
	char at[CLOCK_TEXT_SIZE], name[AGENT_NAME_MAX + 1] = "", verb[32] = "";
	int64_t n = -1;
	json_t *entry;

	(void)sscanf(line, "%31s %32[a-z0-9-] deployed/%" SCNd64, verb, name, &n);
	if (!is_about_an_agent(verb))
		name[0] = '\0';
	if (h->name && strcmp(h->name, name) != 0)
		return 0;
	entry = json_pack("{s:s,s:s,s:s}", "meta_commit", oid, "at", clock_format(at, wall_s),
			  "message", line);
	if (name_check(name, NULL) == 0)
		json_object_set_new(entry, "agent", json_string(name));
	if (n >= 0)
		json_object_set_new(entry, "n", json_integer(n));
	json_array_append_new(h->list, entry);
	return json_array_size(h->list) >= h->limit;
}

int handle_history(struct session *s, const json_t *request, struct error *err)
{
	_cleanup_free_ char *dir = hive_meta_dir(s->hive);
	_cleanup_(repo_freep) struct repo *repo = NULL;
	struct history h = {.list = json_array()};
	struct agent *agent = NULL;
	int64_t limit = 100;
	int r;

	if ((r = json_get_int(request, "limit", false, 1, LIST_MAX, &limit, err)) == 0 &&
	    (s->agent[0] || json_object_get(request, "name")))
		r = dispatch_agent(s, request, "name", &agent, err);
	h.limit = (size_t)limit;
	h.name = agent ? agent->settings.name : NULL;
	if (r == 0)
		r = repo_open(dir, &repo, err);
	if (r == 0)
		r = commit_log(repo, s->hive->meta_head,
			       s->agent[0] ? AGENT_WALK_MAX : WALK_MAX, on_commit, &h, err);
	if (r < 0) {
		json_decref(h.list);
		return r;
	}
	session_answer(s, answer_with("deploys", h.list));
	return 0;
}

int handle_audit(struct session *s, const json_t *request, struct error *err)
{
	int64_t limit = 50, before = 0;
	json_t *list = NULL;
	int r;

	if ((r = json_get_int(request, "limit", false, 1, LIST_MAX, &limit, err)) < 0 ||
	    (r = json_get_int(request, "before", false, 1, INT64_MAX, &before, err)) < 0 ||
	    (r = audit_list(s->hive, limit, before, &list, err)) < 0)
		return r;
	session_answer(s, answer_with("audit", list));
	return 0;
}

int handle_audit_verify(struct session *s, const json_t *request, struct error *err)
{
	json_t *result = NULL;
	int r = audit_verify(s->hive, &result, err);

	(void)request;
	if (r < 0)
		return r;
	session_answer(s, answer_with("audit_verify", result));
	return 0;
}

static void on_checks(const json_t *answer, int *fds, size_t n_fds, const struct error *err,
		      void *data)
{
	struct session *s = session_found(data);

	(void)fds;
	(void)n_fds;
	if (!s)
		return;
	if (!answer)
		session_fail(s, err);
	else
		session_answer(s, answer_with("checks",
					      json_incref(json_object_get(answer, "checks"))));
}

int handle_doctor(struct session *s, const json_t *request, struct error *err)
{
	(void)request;
	(void)err;
	(void)executor_call(s->hive->executor, "observe",
			    json_pack("{s:s,s:i,s:b}", "what", "host", "port",
				      (int)s->hive->config->dashboard_port, "nix",
				      s->hive->config->nixpkgs != NULL),
			    NULL, 0, on_checks, session_ref(s));
	return HANDLED_LATER;
}
