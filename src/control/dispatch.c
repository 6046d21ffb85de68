#include "control/dispatch.h"

#include "base/json.h"
#include "control/logins.h"
#include "wire/answer.h"

#include <errno.h>
#include <string.h>

static const handler_fn handlers[VERB_COUNT] = {
	[VERB_HELLO] = handle_hello,
	[VERB_STATUS] = handle_status,
	[VERB_LIST] = handle_list,
	[VERB_AGENT_STATUS] = handle_agent_status,
	[VERB_SUBSCRIBE] = handle_subscribe,
	[VERB_URLS] = handle_urls,
	[VERB_PENDING] = handle_pending,
	[VERB_PROPOSALS] = handle_pending,
	[VERB_AGENT] = handle_agent,
	[VERB_PROPOSAL] = handle_proposal,
	[VERB_DIFF] = handle_diff,
	[VERB_EFFECT] = handle_effect,
	[VERB_BUILD_LOG] = handle_build_log,
	[VERB_HISTORY] = handle_history,
	[VERB_SPAWN] = handle_spawn,
	[VERB_REQUEST_SPAWN] = handle_request_spawn,
	[VERB_FORK] = handle_fork,
	[VERB_ADOPT] = handle_adopt,
	[VERB_IMPORT_HYPERHIVE] = handle_import_hyperhive,
	[VERB_RENAME] = handle_rename,
	[VERB_UPDATE_INPUTS] = handle_update_inputs,
	[VERB_START] = handle_start,
	[VERB_STOP] = handle_stop,
	[VERB_KILL] = handle_kill,
	[VERB_RESTART] = handle_restart,
	[VERB_REBUILD] = handle_rebuild,
	[VERB_DESTROY] = handle_destroy,
	[VERB_SET] = handle_set,
	[VERB_SET_PARENT] = handle_set_parent,
	[VERB_SET_PAUSED] = handle_set_paused,
	[VERB_FREEZE] = handle_freeze,
	[VERB_THAW] = handle_thaw,
	[VERB_SUBMIT] = handle_submit,
	[VERB_WITHDRAW] = handle_withdraw,
	[VERB_APPROVE] = handle_approve,
	[VERB_DENY] = handle_deny,
	[VERB_ROLLBACK] = handle_rollback,
	[VERB_EXEC] = handle_exec,
	[VERB_SHELL] = handle_shell,
	[VERB_LOGS] = handle_logs,
	[VERB_SIGNAL] = handle_signal,
	[VERB_AUDIT] = handle_audit,
	[VERB_AUDIT_VERIFY] = handle_audit_verify,
	[VERB_DOCTOR] = handle_doctor,
	[VERB_DRIFT] = handle_drift,
	[VERB_WHOAMI] = handle_whoami,
	[VERB_USAGE] = handle_usage,
	[VERB_SET_STATUS] = handle_set_status,
	[VERB_DASHBOARD] = handle_dashboard,
	[VERB_SESSIONS] = handle_sessions,
	[VERB_SESSIONS_REVOKE] = handle_sessions_revoke,
	[VERB_WEB_LOGIN] = handle_web_login,
	[VERB_WEB_STEP_UP] = handle_web_step_up,
	[VERB_WEB_SESSION] = handle_web_session,
	[VERB_WEB_LOGOUT] = handle_web_logout,
	[VERB_METRICS] = handle_metrics,
	[VERB_READY] = handle_ready,
	[VERB_PLAN] = handle_plan,
	[VERB_APPLY] = handle_apply,
	[VERB_SEEN] = handle_seen,
	[VERB_AGENT_HISTORY] = handle_agent_history,
};

/* While a command runs, the only thing to say is what belongs to it. */
static int check_mode(const struct session *s, const struct verb *verb, struct error *err)
{
	if (s->mode == SESSION_REQUESTS)
		return 0;
	if (s->mode == SESSION_COMMAND && verb->id == VERB_SIGNAL)
		return 0;
	return error_set(err, EBUSY, "this connection is in use; '%s' needs one of its own",
			 verb->name);
}

void dispatch_line(struct session *s, const char *line, size_t size)
{
	const struct verb *verb = NULL;
	json_t *request = NULL;
	struct error err = {};
	int r = verb_parse_request(line, size, s->who, &request, &verb, &err);

	if (r == 0)
		r = check_mode(s, verb, &err);
	if (r == 0 && s->who == PRINCIPAL_WEB)
		r = logins_admit(s, verb, request, &err);
	if (r == 0 && verb->mutates && s->hive->stopping)
		r = error_set(&err, EAGAIN, "the hive is going down");
	if (r == 0) {
		conn_hold(s->conn, true);
		r = handlers[verb->id](s, request, &err);
	}
	if (r < 0)
		session_fail(s, &err);
	json_decref(request);
}

bool dispatch_sees(const struct session *s, const struct agent *agent)
{
	if (agent->unborn)
		return false;
	if (!s->agent[0] || strcmp(agent->settings.name, s->agent) == 0)
		return true;
	return s->who == PRINCIPAL_MANAGER && strcmp(agent->settings.parent, s->agent) == 0;
}

bool dispatch_sees_proposal(const struct session *s, const struct proposal *p)
{
	const struct agent *agent;

	if (!s->agent[0])
		return true;
	if (proposal_is_of_hive(p)) /* what it asked for itself */
		return p->submitter && strcmp(p->submitter, s->agent) == 0;
	agent = hive_find(s->hive, p->agent);
	return agent && dispatch_sees(s, agent);
}

static int check_reach(const struct session *s, const struct agent *agent, struct error *err)
{
	const char *name = agent->settings.name;

	if (!s->agent[0] || strcmp(s->agent, name) == 0 ||
	    (s->who == PRINCIPAL_MANAGER && strcmp(agent->settings.parent, s->agent) == 0))
		return 0;
	return error_set(err, EACCES, "'%s' is not an agent of '%s'", name, s->agent);
}

int dispatch_agent(struct session *s, const json_t *request, const char *key,
		   struct agent **ret, struct error *err)
{
	const char *name = NULL;
	int r = json_get_str(request, key, !s->agent[0], &name, err);

	if (r < 0)
		return r;
	r = hive_get(s->hive, name ? name : s->agent, ret, err);
	return r < 0 ? r : check_reach(s, *ret, err);
}

int dispatch_child(struct session *s, const json_t *request, const char *key,
		   struct agent **ret, struct error *err)
{
	int r = dispatch_agent(s, request, key, ret, err);

	if (r == 0 && s->agent[0] && strcmp((*ret)->settings.name, s->agent) == 0)
		return error_set(err, EACCES, "'%s' starts and stops its children, not itself",
				 s->agent);
	return r;
}

int dispatch_proposal(struct session *s, const json_t *request, struct proposal **ret,
		      struct error *err)
{
	struct proposal *p;
	int64_t id = 0;
	int r;

	r = json_get_int(request, "id", true, 1, INT64_MAX, &id, err);
	if (r < 0)
		return r;
	if (!s->agent[0])
		return hive_get_proposal(s->hive, id, ret, err);
	/* an agent is not told whether somebody else's proposal exists */
	p = hive_find_proposal(s->hive, id);
	if (!p || !dispatch_sees_proposal(s, p))
		return error_set(err, ENOENT, "no proposal %lld of yours", (long long)id);
	*ret = p;
	return 0;
}
